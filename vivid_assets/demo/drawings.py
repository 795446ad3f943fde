"""Drawings for the demo, tests and benchmarks, each with its exact alpha: what maskers and blenders find hard."""

from collections.abc import Callable

import cv2
import numpy as np

from vivid_assets.demo.canvas import Canvas, Drawing, Floats, Point, arc, linear, smooth

INK = "#17130f"


def line_art_mug(size: int = 640) -> Drawing:
    """A mug in black ink on white paper; its inside is as white as the paper, the handle's hole is not the mug's."""
    c = Canvas(size)
    ink, white, width = INK, "#fbfaf6", 0.011
    handle = smooth([(0.64, 0.42), (0.76, 0.39), (0.84, 0.47), (0.82, 0.6), (0.72, 0.68), (0.61, 0.69)], closed=False)
    c.paint(c.line(handle, 0.075), ink)
    c.paint(c.line(handle, 0.075 - 2 * width), white)
    c.outlined(arc(0.44, 0.855, 0.31, 0.055), white, ink, width)
    body = [
        *arc(0.44, 0.34, 0.225, 0.06, 180, 360),
        *smooth([(0.665, 0.34), (0.66, 0.6), (0.62, 0.78), (0.56, 0.85)], closed=False),
        *arc(0.44, 0.845, 0.12, 0.022, 0, 180),
        *smooth([(0.32, 0.85), (0.26, 0.78), (0.22, 0.6), (0.215, 0.34)], closed=False),
    ]
    c.outlined(body, white, ink, width)
    c.outlined(arc(0.44, 0.34, 0.225, 0.06), white, ink, width)
    c.paint(c.polygon(arc(0.44, 0.355, 0.19, 0.036)), ink, inside=True)
    for k in range(7):  # hatching on the shadow side
        x = 0.575 + 0.011 * k
        c.paint(c.line([(x, 0.5 + 0.012 * k), (x - 0.016, 0.72 - 0.02 * k)], 0.004), ink, inside=True)
    heart = smooth(
        [(0.4, 0.66), (0.33, 0.58), (0.33, 0.52), (0.37, 0.505), (0.4, 0.54), (0.43, 0.505), (0.47, 0.52), (0.47, 0.58)]
    )
    c.paint(c.line([*heart, heart[0]], 0.009), ink, inside=True)
    for x, lean in ((0.36, 0.03), (0.45, -0.03), (0.54, 0.03)):
        steam = smooth([(x, 0.25), (x + lean, 0.2), (x - lean, 0.14), (x, 0.08)], closed=False)
        c.paint(c.line(steam, 0.009), ink)
    return c.finish(linear("#ffffff"))


def cartoon_owl(size: int = 640) -> Drawing:
    """An owl with black outlines and flat fills, its feet thin, on a flat sky-blue wall."""
    c = Canvas(size)
    width = 0.013
    for x in (0.42, 0.58):
        for dx in (-0.035, 0.0, 0.035):
            c.paint(c.line([(x, 0.84), (x + dx, 0.91)], 0.026), INK)
        for dx in (-0.035, 0.0, 0.035):
            c.paint(c.line([(x, 0.84), (x + dx, 0.91)], 0.012), "#f2a33c")
    body = smooth(
        [(0.5, 0.2), (0.68, 0.23), (0.745, 0.1), (0.765, 0.36), (0.775, 0.62), (0.68, 0.82), (0.5, 0.87),
         (0.32, 0.82), (0.225, 0.62), (0.235, 0.36), (0.255, 0.1), (0.32, 0.23)]
    )  # fmt: skip
    c.outlined(body, "#8a5a3b", INK, width)
    c.outlined(arc(0.5, 0.66, 0.18, 0.19), "#f1d9b0", INK, width * 0.7)
    for row, feathers in enumerate((4, 3, 2)):
        for k in range(feathers):
            x, y = 0.5 + (k - 0.5 * (feathers - 1)) * 0.072, 0.6 + 0.075 * row
            c.paint(c.line(arc(x, y, 0.026, 0.022, 0, 180), 0.008), "#a8743f", inside=True)
    for side in (-1, 1):
        wing = smooth(
            [(0.5 + side * x, y) for x, y in ((0.255, 0.45), (0.335, 0.56), (0.33, 0.72), (0.245, 0.8), (0.205, 0.62))]
        )
        c.outlined(wing, "#6d4329", INK, width)
        c.outlined(arc(0.5 + side * 0.115, 0.38, 0.112, 0.112), "#fff8ea", INK, width)
        c.outlined(arc(0.5 + side * 0.105, 0.385, 0.062, 0.062), "#f7b733", INK, width * 0.6)
        c.paint(c.ellipse(0.5 + side * 0.1, 0.385, 0.036, 0.036), INK)
        c.paint(c.ellipse(0.5 + side * 0.1 + 0.014, 0.37, 0.012, 0.012), "#ffffff")
    c.outlined([(0.462, 0.44), (0.538, 0.44), (0.5, 0.52)], "#f2a33c", INK, width * 0.8)
    return c.finish(linear("#8fc9ea"))


def product_bottle(size: int = 640) -> Drawing:
    """A lotion bottle with a white label on saturated yellow paper, which a good blend must not leave on its edge."""
    c = Canvas(size)
    right = [
        *smooth([(0.55, 0.24), (0.55, 0.29), (0.615, 0.35), (0.66, 0.42), (0.665, 0.5)], closed=False),
        *arc(0.64, 0.875, 0.025, 0.025, 0, 90),
    ]
    across = np.clip((c.x - 0.5) / 0.165, -1, 1)
    round_light = _cylinder(across)
    c.paint(c.polygon([*right, *_mirrored(right)]), linear("#2f7f79") * round_light)
    c.paint(c.polygon(_bar(0.5, 0.2, 0.78, 0.26)), linear("#f3efe6") * round_light, inside=True)
    print_color = linear("#2f7f79") * round_light
    c.paint(c.ellipse(0.5, 0.585, 0.042, 0.042), print_color, inside=True)
    for y, half, thick in ((0.675, 0.09, 0.01), (0.705, 0.07, 0.006), (0.727, 0.05, 0.006)):
        c.paint(c.polygon(_bar(0.5, half, y + thick, thick)), print_color, inside=True)
    edge = [*smooth([(0.555, 0.115), (0.568, 0.13), (0.572, 0.24), (0.566, 0.256)], closed=False)]
    ridges = 1 + 0.1 * np.sin(60 * np.arcsin(np.clip((c.x - 0.5) / 0.074, -1, 1)))
    cap_light = _cylinder(np.clip((c.x - 0.5) / 0.074, -1, 1)) * ridges[..., None]
    c.paint(c.polygon([*edge, *_mirrored(edge)]), linear("#efe9dd") * cap_light)
    return c.finish(_room(c, "#edc531", floor=0.78, stands_at=0.9, half_width=0.165))


def fur_ball(size: int = 640) -> Drawing:
    """A ball of long soft fur on green: thousands of hairs, most of them thinner than a pixel."""
    c = Canvas(size)
    rng = np.random.default_rng(11)
    core = c.blurred(c.ellipse(0.5, 0.53, 0.22, 0.22), 0.012)
    c.paint(c.everywhere(core), "#5d4030")
    tones = [linear(code) for code in ("#4a3226", "#6b4a36", "#8e6748", "#b58b64", "#d9b98f")]
    layers = 40
    light = np.clip(1.25 - 1.0 * (c.y - 0.3), 0.3, 1.4)[..., None]
    t = np.linspace(0, 1, 9)
    for layer in range(layers):  # from the rim inwards, dark to light
        rim = 0.24 * (1 - 0.8 * layer / layers)
        strands = []
        for _ in range(90):
            turn, length, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.13), rng.normal(0.2, 0.25)
            radius, at = rim * rng.uniform(0.8, 1.0) + length * t, turn + bend * t**2
            strands.append(_points(0.5 + radius * np.cos(at), 0.53 + radius * np.sin(at) + 0.05 * t**2))
        tone = tones[min(int(layer / layers * 4 + rng.uniform(0, 1.2)), 4)]
        c.paint(c.strands(strands, 0.0005), tone * light)
    for x in (0.44, 0.57):
        c.paint(c.ellipse(x, 0.5, 0.036, 0.04), "#0d0a08")
        c.paint(c.ellipse(x + 0.012, 0.486, 0.011, 0.011), "#ffffff")
    c.paint(c.ellipse(0.505, 0.565, 0.024, 0.016), "#1d120e")
    return c.finish(_room(c, "#4f9d5c", floor=0.8, stands_at=0.83, half_width=0.17))


def glazed_donut(size: int = 640) -> Drawing:
    """A glazed ring with sprinkles on pink: its hole shows the wall, and its glaze is nearly the wall's colour."""
    c = Canvas(size)
    rng = np.random.default_rng(5)
    dx, dy = (c.x - 0.5) / 0.36, (c.y - 0.48) / 0.34
    r = np.maximum(np.hypot(dx, dy), 1e-6)
    across = np.clip((r - 0.66) / 0.34, -1, 1)  # -1 at the hole's rim, 1 at the outer rim
    up = np.sqrt(1 - across**2)
    east, south = across * dx / r, across * dy / r
    lit = np.clip(-0.45 * east - 0.55 * south + 0.7 * up, 0, 1)[..., None]
    gloss = np.clip(-0.3 * east - 0.38 * south + 0.875 * up, 0, 1)[..., None] ** 60
    soft = c.side * 0.34  # rims one sample wide

    def ring(inner: Floats | float, outer: Floats | float) -> Floats:
        return np.clip((r - inner) * soft + 0.5, 0, 1) * np.clip((outer - r) * soft + 0.5, 0, 1)

    c.paint(c.everywhere(ring(0.32, 1.0)), linear("#c98a45") * (0.35 + 0.75 * lit))
    angle = np.arctan2(dy, dx)
    drips = 0.04 * np.sin(7 * angle) + 0.03 * np.sin(11 * angle + 1)
    glaze = linear("#e58fa9") * (0.4 + 0.7 * lit) + 0.5 * gloss
    c.paint(c.everywhere(ring(0.42 - 0.6 * drips, 0.9 + drips)), glaze, inside=True)
    for _ in range(70):
        turn, radius, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.82), rng.uniform(0, np.pi)
        x, y = 0.5 + 0.36 * radius * np.cos(turn), 0.48 + 0.34 * radius * np.sin(turn)
        ends = [(x + way * np.cos(lean), y + way * np.sin(lean)) for way in (-0.011, 0.011)]
        color = str(rng.choice(["#fdf6e3", "#f6d13d", "#58b7c9", "#7a4fa0", "#e2493b"]))
        c.paint(c.line(ends, 0.009), color, inside=True)
    return c.finish(_room(c, "#f0b7c4", floor=0.72, stands_at=0.82, half_width=0.16))


def potted_plant(size: int = 640) -> Drawing:
    """A plant of narrow leaves in a clay pot before grey-blue paper: gaps between leaves, tips of a few pixels."""
    c = Canvas(size)
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 25)
    height = np.clip(1.25 - 0.8 * c.y, 0.4, 1.2)[..., None]
    for k, turn in enumerate(np.linspace(-84, 84, 15)[rng.permutation(15)]):
        length = 0.5 - 0.0022 * abs(turn) + rng.uniform(-0.06, 0.02)
        lean = np.radians(turn) * (0.3 + 0.75 * t)
        x = 0.5 + np.cumsum(np.sin(lean)) * length / len(t)
        y = 0.62 - np.cumsum(np.cos(lean)) * length / len(t)
        half = 0.005 + 0.019 * np.sin(np.pi * np.clip((t - 0.25) / 0.75, 0, 1)) ** 0.8
        side = np.stack([np.gradient(y), -np.gradient(x)])
        side = side / np.linalg.norm(side, axis=0) * half
        leaf = [*_points(x + side[0], y + side[1]), *_points(x - side[0], y - side[1])[::-1]]
        c.paint(c.polygon(leaf), linear("#3f7d45") * (0.55 + 0.07 * k) * height)
        c.paint(c.line(_points(x, y)[:-1], 0.003), linear("#9cc27c") * (0.5 + 0.04 * k))
    clay = linear("#b9633f") * _cylinder(np.clip((c.x - 0.5) / 0.17, -1, 1), gloss=0.02)
    c.paint(
        c.polygon([(0.35, 0.64), (0.65, 0.64), (0.6, 0.9), (0.4, 0.9)]),
        clay * np.clip(0.6 + (c.y - 0.66) * 6, 0.5, 1)[..., None],
    )
    c.paint(c.polygon([(0.33, 0.6), (0.67, 0.6), (0.665, 0.67), (0.335, 0.67)]), clay)
    return c.finish(_room(c, "#9fb0bd", floor=0.8, stands_at=0.9, half_width=0.1))


DRAWINGS: dict[str, Callable[[int], Drawing]] = {
    "line-art-mug": line_art_mug,
    "cartoon-owl": cartoon_owl,
    "product-bottle": product_bottle,
    "fur-ball": fur_ball,
    "glazed-donut": glazed_donut,
    "potted-plant": potted_plant,
}
"""Name: function of the picture's side in pixels. The same side gives the same bytes."""


def _points(x: Floats, y: Floats) -> list[Point]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _mirrored(points: list[Point]) -> list[Point]:
    return [(1 - x, y) for x, y in reversed(points)]


def _bar(x: float, half_width: float, bottom: float, height: float) -> list[Point]:
    left, right, top = x - half_width, x + half_width, bottom - height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _cylinder(across: Floats, gloss: float = 0.35) -> Floats:
    """Light on an upright cylinder lit from the left, about 1 on average: (1, side, 1) for ``across`` -1..1."""
    lit = np.clip(0.55 * -across + 0.85 * np.sqrt(1 - across**2), 0, 1)
    stripe = gloss * np.exp(-(((across + 0.5) / 0.09) ** 2)) + 0.3 * gloss * np.exp(-(((across - 0.75) / 0.05) ** 2))
    return np.asarray(0.25 + 0.95 * lit + stripe, np.float32)[..., None]


def _room(c: Canvas, code: str, *, floor: float, stands_at: float, half_width: float) -> Floats:
    """A lit wall, a slightly brighter floor from ``floor`` down, and a subject's shadow; linear (side, side, 3)."""
    y, x = (np.mgrid[: c.size, : c.size] + 0.5) / c.size
    light = 1.12 - 0.35 * np.hypot(x - 0.35, 0.8 * (y - 0.35))
    light *= 1 + 0.1 / (1 + np.exp(-(y - floor) * 45))
    for shift, wide, flat, depth in ((0.35, 1.4, 0.02, 0.3), (0.05, 1.0, 0.008, 0.45)):
        away = ((x - 0.5 - shift * half_width) / (wide * half_width)) ** 4 + ((y - stands_at) / (2 * flat)) ** 2
        light *= 1 - depth * np.exp(-away)
    light *= 1 + np.random.default_rng(1).normal(0, 0.012, light.shape)
    small = (linear(code) * np.clip(light, 0, None)[..., None]).astype(np.float32)
    return np.asarray(np.clip(cv2.resize(small, (c.side, c.side), interpolation=cv2.INTER_LINEAR), 0, 1), np.float32)
