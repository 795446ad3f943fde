"""The photographer's studio in numbers: a paper sweep, its lights, and the light that reaches a camera from it.

A roll of paper hangs on a wall and curves onto the floor. A softbox stands at one side, a small lamp shines on the
wall behind the subject, the room's white walls fill in, and the sun may come through a window. Lengths are metres;
the camera is at x = y = 0 and looks along y, z is up. All values are linear light.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.backdrop.read_prompt import BackdropLook
from vivid_assets.imaging.core.key_light import KeyLight

Doubles = NDArray[np.float64]

_CAMERA_HEIGHT = 1.15
_WALL = 4.0
_CURVE = 0.55
"""Radius of the paper's curve."""
_FOCAL = 1.6
"""Of the frame's longer side."""
_HORIZON, _HIGHEST = 0.70, 0.35
"""Where the middle of the curve lies, as a share of the frame's height: by itself, and at most for a subject's foot."""
_MIDDLE = (_CAMERA_HEIGHT - 0.29 * _CURVE) / (_WALL - 0.29 * _CURVE)
"""How far below the lens the middle of the curve is seen, in metres per metre of depth."""
_FLAT = _CAMERA_HEIGHT / (_WALL - _CURVE)
"""The same where the floor begins to bend."""
_KEY: dict[KeyLight, tuple[float, float, float]] = {
    "left": (-1.6, 2.3, 2.7),
    "right": (1.6, 2.3, 2.7),
    "above": (0.0, 2.4, 2.9),
    "behind": (0.0, 3.2, 2.6),
}
_SUBJECT = np.array([0.0, 3.3, 0.45])
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_ADAPTATION = 0.5
"""An eye, or a camera's automatic white balance, takes about half of a light's colour away."""


def horizon_for(foot: float, height: int, width: int) -> float:
    """Where the middle of the paper's curve has to lie, so that a subject stands on flat paper and not on the wall.

    Args:
        foot: where the subject ends below, as a share of the frame's height.
        height: of the frame, pixels.
        width: of the frame, pixels.

    Returns:
        A share of the frame's height.
    """
    bend = _FOCAL * (_FLAT - _MIDDLE) * max(height, width) / height
    return min(max(foot - bend, _HIGHEST), _HORIZON)


class Sweep(NamedTuple):
    """What each row and column of a grid of rays meets.

    Attributes:
        point: (rows, columns, 3) places on the paper.
        normal_y, normal_z: (rows, 1) the paper's normal; its x is 0.
        frame_x, frame_y: (1, columns) and (rows, 1) places in the frame from its middle, per longer side.

    """

    point: Doubles
    normal_y: Doubles
    normal_z: Doubles
    frame_x: Doubles
    frame_y: Doubles


def sweep_seen(rows: Doubles, columns: Doubles, height: int, width: int, horizon: float = _HORIZON) -> Sweep:
    """Follow the rays of a frame's pixels to the paper.

    The lens is shifted, not tilted, so that upright things stay upright, as in product photography.

    Args:
        rows: pixel positions down the frame.
        columns: pixel positions across it.
        height: of the frame, pixels.
        width: of the frame, pixels.
        horizon: where the middle of the paper's curve lies, as a share of the frame's height.
    """
    longer = max(height, width)
    frame_x, frame_y = (columns[None, :] - width / 2) / longer, (rows[:, None] - height / 2) / longer
    down = (rows[:, None] - horizon * height) / longer / _FOCAL + _MIDDLE  # metres per metre of depth

    start, rise = _WALL - _CURVE, _CAMERA_HEIGHT - _CURVE
    floor = np.where(down > 0, _CAMERA_HEIGHT / np.maximum(down, 1e-9), np.inf)
    at_wall = _CAMERA_HEIGHT - _WALL * down
    # In the curve: (y - start)² + (z - r)² = r² with y = s and z = h - s·down; the farther root.
    a, b, c = 1 + down**2, start + rise * down, start**2 + rise**2 - _CURVE**2
    curve = (b + np.sqrt(np.maximum(b * b - a * c, 0))) / a
    depth = np.where(floor <= start, floor, np.where(at_wall >= _CURVE, _WALL, curve))
    up = np.maximum(_CAMERA_HEIGHT - depth * down, 0)
    # Paper does not begin to bend at a line: ease the turn in and out.
    turn = np.arctan2(np.clip(depth - start, 0, None), np.clip(_CURVE - up, 0, None) + 1e-12) / (np.pi / 2)
    turn = np.pi / 2 * turn * turn * (3 - 2 * turn)
    return Sweep(
        point=np.stack(np.broadcast_arrays(frame_x * depth / _FOCAL, depth, up), axis=-1),
        normal_y=-np.sin(turn),
        normal_z=np.cos(turn),
        frame_x=frame_x,
        frame_y=frame_y,
    )


def photograph(sweep: Sweep, paper: Doubles, look: BackdropLook, key: KeyLight, kelvin: float, seed: int) -> Doubles:
    """Expose the sweep: (rows, columns, 3) linear light, about ``paper`` in the middle of the frame.

    Args:
        sweep: What the camera sees.
        paper: (3,) the paper's linear colour.
        look: Strength and kind of the lights.
        key: Where the key light stands.
        kelvin: Colour of the key light.
        seed: Of the set's small irregularities.

    """
    rng = np.random.default_rng(seed)
    share = 0.45 + 0.5 * look.contrast
    key_light = share * _softbox(sweep, key, look.contrast, rng) + 1.6 * look.window * _window(sweep, key, rng)
    lamp = look.glow * _lamp_on_wall(sweep, rng)
    fill = (1 - share) * (0.57 + 0.43 * sweep.normal_z)
    # The room sends back a light that is paler than the key's and nearer to the sky's.
    warm, pale = white_of(kelvin), white_of(kelvin**0.55 * 7200**0.45)
    light = (key_light + lamp)[..., None] * warm + fill[..., None] * pale
    hollow = -2 * sweep.normal_y * sweep.normal_z  # 1 where the paper faces half up, half out, and sees less room
    light = light * ((1 + 0.02 * _waves(sweep, rng)) * (1 - 0.07 * hollow))[..., None]
    light = light / (1 + 0.5 * (sweep.frame_x**2 + sweep.frame_y**2))[..., None] ** 2  # the lens: cos⁴

    middle = np.exp(-((sweep.frame_x / 0.28) ** 2) - ((sweep.frame_y / 0.28) ** 2))
    exposure = look.brightness / float(((light @ _LUMINANCE) * middle).sum() / middle.sum())
    light = light * exposure
    # In the curve, floor and wall also light each other, with the paper's own colour.
    bounce = 0.3 * light.mean(axis=(0, 1)) * (1 + 0.25 * hollow[..., None])
    return _shoulder(paper * (light + paper * bounce) / (1 + 0.3 * paper))


def white_of(kelvin: float) -> Doubles:
    """Linear sRGB (3,) of a light's colour beside 6500 K, half adapted to; its luminance is 1.

    Krystek's rational approximation of the Planckian locus in CIE 1960 (u, v), good from 1000 to 15000 K.
    """
    colors = []
    for t in (kelvin, 6500.0):
        u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
        v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
        x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
        colors.append(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1 - x - y) / y]))
    ratio = np.asarray(np.maximum(colors[0] / colors[1], 1e-3) ** _ADAPTATION)
    return np.asarray(ratio / (ratio @ _LUMINANCE))


def _softbox(sweep: Sweep, key: KeyLight, contrast: float, rng: np.random.Generator) -> Doubles:
    """Irradiance by the key light, about 1 at the subject's feet: beam, cosine, square of the distance."""
    at = np.array(_KEY[key]) * rng.uniform(0.95, 1.05, 3)
    axis = (_SUBJECT - at) / np.linalg.norm(_SUBJECT - at)
    to_key = at - sweep.point
    distance = np.linalg.norm(to_key, axis=-1)
    wrap = 0.3 - 0.25 * contrast  # a broad box is still seen where its centre is below the horizon
    facing = (to_key[..., 1] * sweep.normal_y + to_key[..., 2] * sweep.normal_z) / distance
    beam = np.clip(-(to_key @ axis) / distance, 0, 1) ** (1 + 24 * contrast**2)
    return np.asarray(np.clip((facing + wrap) / (1 + wrap), 0, None) * beam * (3.2 / distance) ** 2)


def _lamp_on_wall(sweep: Sweep, rng: np.random.Generator) -> Doubles:
    """A small lamp hidden behind the subject, aimed at the wall a little off the middle."""
    x, z = rng.uniform(-0.15, 0.15), rng.uniform(0.6, 0.8)
    spread = ((sweep.point[..., 0] - x) / 1.0) ** 2 + ((sweep.point[..., 2] - z) / 0.75) ** 2
    return -sweep.normal_y / (1 + spread) ** 1.5


def _window(sweep: Sweep, key: KeyLight, rng: np.random.Generator) -> Doubles:
    """Sunlight through a window of four panes in the side wall, 0..1, with the sun's and the glass's soft edge."""
    side = 1.0 if key == "right" else -1.0
    sun = np.array([1.0, rng.uniform(0.85, 1.0), -rng.uniform(0.62, 0.75)])
    x = -side * sweep.point[..., 0]
    way = x + 2.2  # the window's wall stands 2.2 m from the middle
    y, z = sweep.point[..., 1] - sun[1] * way, sweep.point[..., 2] - sun[2] * way
    soft = 0.05 + 0.03 * way

    def inside(value: Doubles, low: float, high: float) -> Doubles:
        return np.asarray(1 / (1 + np.exp(-np.clip((value - low) / soft * 3, -30, 30)))) * np.asarray(
            1 / (1 + np.exp(-np.clip((high - value) / soft * 3, -30, 30)))
        )

    low_y, low_z = 1.35 + rng.uniform(-0.1, 0.1), 1.75 + rng.uniform(-0.1, 0.1)
    across = inside(y, low_y, low_y + 0.62) + inside(y, low_y + 0.7, low_y + 1.32)
    along = inside(z, low_z, low_z + 0.72) + inside(z, low_z + 0.8, low_z + 1.5)
    facing = np.clip((-sun[1] * sweep.normal_y - sun[2] * sweep.normal_z) / np.linalg.norm(sun), 0, None)
    return np.asarray(across * along * facing)


def _waves(sweep: Sweep, rng: np.random.Generator) -> Doubles:
    """The paper's slow upright waves where it hangs, about -1..1."""
    x = sweep.point[..., 0]
    waves = np.zeros_like(x)
    for per_metre in (0.6, 1.1, 2.3):
        lean = rng.uniform(-0.15, 0.15) * sweep.point[..., 2]
        waves += np.sin(2 * np.pi * (per_metre * (x + lean) + rng.uniform())) * rng.uniform(0.2, 0.5) / per_metre**0.5
    return -waves * sweep.normal_y


def _shoulder(light: Doubles) -> Doubles:
    """Bend highlights as film does: below 0.65 untouched, then ever slower towards 1, so that none is cut off flat."""
    over = np.maximum(light - 0.65, 0)
    return np.minimum(light, 0.65) + 0.35 * (1 - np.exp(-over / 0.35))
