"""Drawings for the demo, tests and benchmarks, each with its exact alpha: what maskers and blenders find hard."""

from collections.abc import Callable

import cv2
import numpy as np

from vivid_assets.demo_canvas import SAMPLES, Canvas, Drawing, Floats, arc, linear, smooth

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
    c.shade(c.polygon(arc(0.44, 0.355, 0.19, 0.036)), ink)
    for k in range(7):  # hatching on the shadow side
        x = 0.575 + 0.011 * k
        c.shade(c.line([(x, 0.5 + 0.012 * k), (x - 0.016, 0.72 - 0.02 * k)], 0.004), ink)
    heart = smooth(
        [(0.4, 0.66), (0.33, 0.58), (0.33, 0.52), (0.37, 0.505), (0.4, 0.54), (0.43, 0.505), (0.47, 0.52), (0.47, 0.58)]
    )
    c.shade(c.line([*heart, heart[0]], 0.009), ink)
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
    for row in range(3):
        for k in range(-2 + row % 2, 3):
            x, y = 0.5 + (k - 0.5 * (row % 2)) * 0.075, 0.6 + 0.075 * row
            c.shade(c.line(arc(x, y, 0.026, 0.022, 0, 180), 0.008), "#a8743f")
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
    """A lotion bottle with a white label before a saturated yellow wall that also tints the floor's shadow."""
    c = Canvas(size)
    outline = [
        *smooth([(0.45, 0.25), (0.44, 0.3), (0.36, 0.36), (0.335, 0.45), (0.335, 0.86), (0.36, 0.9)], closed=False),
        *smooth([(0.64, 0.9), (0.665, 0.86), (0.665, 0.45), (0.64, 0.36), (0.56, 0.3), (0.55, 0.25)], closed=False),
    ]
    across = np.clip((c.x - 0.5) / 0.165, -1, 1)
    c.paint(c.polygon(outline), linear("#2f7f79") * _cylinder(across, c.y))
    label = c.polygon([(0.3, 0.5), (0.7, 0.5), (0.7, 0.78), (0.3, 0.78)])
    c.shade(label, linear("#f3efe6") * _cylinder(across, c.y))
    mark = np.maximum(
        c.ellipse(0.5, 0.58, 0.042, 0.042), c.polygon([(0.41, 0.665), (0.59, 0.665), (0.59, 0.675), (0.41, 0.675)])
    )
    for y, half in ((0.7, 0.07), (0.72, 0.05)):
        mark = np.maximum(
            mark, c.polygon([(0.5 - half, y), (0.5 + half, y), (0.5 + half, y + 0.007), (0.5 - half, y + 0.007)])
        )
    c.shade(mark, linear("#2f7f79") * _cylinder(across, c.y))
    cap = [*smooth([(0.435, 0.255), (0.43, 0.24), (0.432, 0.13), (0.445, 0.115)], closed=False),
           *smooth([(0.555, 0.115), (0.568, 0.13), (0.57, 0.24), (0.565, 0.255)], closed=False)]  # fmt: skip
    ridges = 1 + 0.12 * np.sin(90 * np.arcsin(np.clip((c.x - 0.5) / 0.072, -1, 1)))
    c.paint(c.polygon(cap), linear("#efe9dd") * _cylinder(np.clip((c.x - 0.5) / 0.07, -1, 1), c.y) * ridges[..., None])
    shadow = c.blurred(c.ellipse(0.56, 0.9, 0.22, 0.03), 0.02) + c.blurred(c.ellipse(0.5, 0.902, 0.16, 0.012), 0.006)
    return c.finish(_room(c, "#edc531", 0.78) * (1 - 0.55 * np.clip(shadow, 0, 1))[..., None])


def fur_ball(size: int = 640) -> Drawing:
    """A ball of long soft fur before a green wall: thousands of hairs, most of them thinner than a pixel."""
    c = Canvas(size)
    rng = np.random.default_rng(11)
    c.paint(c.blurred(c.ellipse(0.5, 0.53, 0.24, 0.24), 0.012), "#5d4030")
    tones = [linear(code) for code in ("#3f2a20", "#6b4a36", "#8e6748", "#b58b64", "#d9b98f")]
    for layer in range(60):  # hairs of one layer are drawn together: they never cross their own kind visibly
        mask = np.zeros((c.side, c.side), np.uint8)
        rim = 0.06 + 0.2 * (1 - layer / 60) if layer > 12 else 0.26
        strands = []
        for _ in range(60):
            turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.15)
            root = rng.uniform(0.3, 1.0) * rim if layer > 12 else rng.uniform(0.2, 0.26)
            bend = rng.normal(0.25, 0.25)
            t = np.linspace(0, 1, 9)
            radius, at = root + length * t, turn + bend * t**2
            points = np.stack([0.5 + radius * np.cos(at), 0.53 + radius * np.sin(at) + 0.05 * t**2], axis=-1)
            strands.append(np.round(points * c.side * 16).astype(np.int32).reshape(-1, 1, 2))
        cv2.polylines(mask, strands, False, 255, 1, cv2.LINE_AA, 4)
        light = np.clip(1.15 - 1.1 * (c.y - 0.3) - 0.4 * (c.x - 0.4), 0.25, 1.4)
        tone = tones[min(int(layer / 60 * 4 + rng.uniform(0, 1.5)), 4)]
        c.paint(mask.astype(np.float32) / 255, tone * light[..., None])
    for x in (0.44, 0.57):
        c.paint(c.ellipse(x, 0.5, 0.036, 0.04), "#0d0a08")
        c.paint(c.ellipse(x + 0.012, 0.486, 0.011, 0.011), "#ffffff")
    c.paint(c.ellipse(0.505, 0.565, 0.024, 0.016), "#1d120e")
    return c.finish(_room(c, "#4f9d5c", 0.9))


def glazed_donut(size: int = 640) -> Drawing:
    """A glazed ring with sprinkles before a pink wall: the hole shows the wall, the glaze is nearly its colour."""
    c = Canvas(size)
    rng = np.random.default_rng(5)
    dx, dy = (c.x - 0.5) / 0.36, (c.y - 0.5) / 0.33
    r = np.hypot(dx, dy)
    across = np.clip((r - 0.66) / 0.34, -1, 1)  # -1 at the hole's rim, 1 at the outer rim
    height = np.sqrt(np.clip(1 - across**2, 0, 1))
    direction = np.stack(
        np.broadcast_arrays(across * dx / np.maximum(r, 1e-6), across * dy / np.maximum(r, 1e-6), height), -1
    )
    lit = np.clip(direction @ np.array([-0.45, -0.55, 0.7], np.float32), 0, 1)[..., None]
    gloss = np.clip(direction @ np.array([-0.3, -0.38, 0.875], np.float32), 0, 1)[..., None] ** 60
    ring = ((r < 1) & (r > 0.32)).astype(np.float32)
    c.paint(ring, linear("#c98a45") * (0.35 + 0.75 * lit))
    angle = np.arctan2(dy, dx)
    edge = 0.04 * np.sin(7 * angle) + 0.03 * np.sin(11 * angle + 1)
    glaze = ((r < 0.9 + edge) & (r > 0.42 - 0.6 * edge)).astype(np.float32)
    c.shade(glaze, linear("#e58fa9") * (0.4 + 0.7 * lit) + 0.5 * gloss)
    for _ in range(70):
        turn, radius, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.82), rng.uniform(0, np.pi)
        x, y = 0.5 + 0.36 * radius * np.cos(turn), 0.5 + 0.33 * radius * np.sin(turn)
        ends = [
            (x - 0.011 * np.cos(lean), y - 0.011 * np.sin(lean)),
            (x + 0.011 * np.cos(lean), y + 0.011 * np.sin(lean)),
        ]
        c.shade(c.line(ends, 0.009), str(rng.choice(["#fdf6e3", "#f6d13d", "#58b7c9", "#7a4fa0", "#e2493b"])))
    shadow = c.blurred(ring, 0.02)
    return c.finish(_room(c, "#f0b7c4", 2.0) * (1 - 0.35 * shadow)[..., None])


def potted_plant(size: int = 640) -> Drawing:
    """A plant of thin leaves in a clay pot before a grey-blue wall: gaps between leaves, stems of a few pixels."""
    c = Canvas(size)
    rng = np.random.default_rng(3)
    for k, turn in enumerate(np.linspace(-78, 78, 13)[rng.permutation(13)]):
        length = 0.42 - 0.0016 * abs(turn) + rng.uniform(-0.05, 0.03)
        t = np.linspace(0, 1, 25)
        lean = np.radians(turn) * (0.35 + 0.65 * t)
        x = 0.5 + np.cumsum(np.sin(lean)) * length / 25
        y = 0.62 - np.cumsum(np.cos(lean)) * length / 25 + 0.1 * (abs(turn) / 78) * t**2
        half = (0.006 + 0.034 * np.sin(np.pi * np.clip((t - 0.3) / 0.7, 0, 1)) ** 0.8)[:, None]
        side = np.stack([np.gradient(y), -np.gradient(x)], -1)
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        spine = np.stack([x, y], -1)
        leaf = [tuple(p) for p in [*(spine + side * half), *(spine - side * half)[::-1]]]
        tone = linear("#3f7d45") * (0.55 + 0.09 * k) * (1.25 - 0.8 * c.y)[..., None]
        c.paint(c.polygon(leaf), tone)
        c.paint(c.line([tuple(p) for p in spine[:-1]], 0.004), linear("#9cc27c") * (0.5 + 0.05 * k))
    pot = [(0.35, 0.64), (0.65, 0.64), (0.6, 0.9), (0.4, 0.9)]
    rim = [(0.33, 0.6), (0.67, 0.6), (0.665, 0.67), (0.335, 0.67)]
    clay = linear("#b9633f") * _cylinder(np.clip((c.x - 0.5) / 0.17, -1, 1), c.y, gloss=0.02)
    c.paint(c.polygon(pot), clay * np.clip(0.6 + (c.y - 0.66) * 6, 0.5, 1)[..., None])
    c.paint(c.polygon(rim), clay)
    shadow = c.blurred(c.ellipse(0.56, 0.9, 0.2, 0.025), 0.02) + c.blurred(c.ellipse(0.5, 0.9, 0.11, 0.01), 0.006)
    return c.finish(_room(c, "#9fb0bd", 0.8) * (1 - 0.5 * np.clip(shadow, 0, 1))[..., None])


DRAWINGS: dict[str, Callable[[int], Drawing]] = {
    "line-art-mug": line_art_mug,
    "cartoon-owl": cartoon_owl,
    "product-bottle": product_bottle,
    "fur-ball": fur_ball,
    "glazed-donut": glazed_donut,
    "potted-plant": potted_plant,
}


def _cylinder(across: Floats, y: Floats, gloss: float = 0.35) -> Floats:
    """Light on an upright cylinder lit from the left: (side, side, 1), about 1 on average."""
    lit = np.clip(0.55 * -across + 0.85 * np.sqrt(1 - across**2), 0, 1)
    stripe = gloss * np.exp(-(((across + 0.5) / 0.09) ** 2)) + 0.3 * gloss * np.exp(-(((across - 0.75) / 0.05) ** 2))
    return ((0.25 + 0.95 * lit + stripe) * (1.08 - 0.16 * y))[..., None].astype(np.float32)


def _room(c: Canvas, code: str, floor: float) -> Floats:
    """A lit wall and, from the height ``floor`` down, a slightly brighter floor; linear (side, side, 3)."""
    light = 1.12 - 0.35 * np.hypot(c.x - 0.35, 0.8 * (c.y - 0.35))
    step = 1 / (1 + np.exp(-(c.y - floor) * 45))
    noise = np.random.default_rng(1).normal(0, 0.012 * SAMPLES, (c.side, c.side))
    return (linear(code) * (light * (1 + 0.1 * step) * (1 + noise))[..., None]).astype(np.float32)
