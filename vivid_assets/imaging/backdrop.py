"""A studio backdrop: a seamless paper sweep lit by a key light, photographed.

The background of machines without a GPU. A roll of paper hangs on the wall and curves onto the floor; a softbox, a
light on the wall and the room's fill shine on it. What the camera sees is computed in linear light on a coarse grid
(light on paper is smooth), brought to size by cubic B-splines, and gets the paper's grain, the sensor's noise and a
dither, so that 8 bits show no bands.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.backdrop_words import BackdropLook, KeyLight, read_prompt
from vivid_assets.imaging.color import linear_to_srgb, srgb_to_linear

__all__ = ["BackdropLook", "backdrop", "read_prompt", "render"]

_GRID = 160  # knots along the longer side
_ROWS = 128  # rows per chunk, which bounds the memory of an 8k picture
_MAX_SIDE = 16384

# The studio, in metres: the camera at x = y = 0 looks along y; z is up.
_CAMERA_HEIGHT = 1.15
_WALL = 4.0
_CURVE = 0.55  # radius of the paper's curve
_FOCAL = 1.6  # of the frame's longer side
_HORIZON_ROW = 0.70  # where the middle of the curve lies, as a share of the height
_KEY_POSITIONS: dict[KeyLight, tuple[float, float, float]] = {
    "left": (-1.9, 2.3, 2.3),
    "right": (1.9, 2.3, 2.3),
    "above": (0.0, 2.5, 2.6),
    "behind": (0.0, 3.3, 2.4),
}
_SUBJECT = np.array([0.0, 2.9, 0.35])
_DIRECT_LIGHT_AT_SUBJECT = 1.0


def backdrop(
    prompt: str,
    height: int,
    width: int,
    *,
    seed: int,
    temperature: Literal["warm", "neutral", "cool"] | None = None,
    key_light: KeyLight | None = None,
) -> NDArray[np.uint8]:
    """Photograph a paper sweep as a prompt describes it.

    Args:
        prompt: English words; see ``read_prompt`` for what is understood.
        height, width: Of the picture, in pixels, from 1.
        seed: Of the grain, the noise and the small irregularities of the set; the same seed gives the same bytes.
        temperature: The subject's light, used where the prompt names no colour of light.
        key_light: Where the key light stands; None leaves it to the prompt.

    Returns:
        uint8 HxWx3 sRGB.

    Raises:
        ValueError: A size below 1 or above 16384.

    """
    look = read_prompt(prompt)
    return render(look, height, width, seed=seed, temperature=temperature, key_light=key_light)


def render(
    look: BackdropLook,
    height: int,
    width: int,
    *,
    seed: int,
    temperature: Literal["warm", "neutral", "cool"] | None = None,
    key_light: KeyLight | None = None,
) -> NDArray[np.uint8]:
    """Photograph the sweep that ``look`` describes; see ``backdrop``."""
    if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
        raise ValueError(f"A backdrop is 1 to {_MAX_SIDE} pixels high and wide, not {width} x {height}.")
    rng = np.random.default_rng(abs(seed))
    rows, columns = _knots(height, max(height, width)), _knots(width, max(height, width))
    kelvin = look.kelvin or _KELVIN[temperature or "neutral"]
    light = _light_on_paper(look, key_light or look.key_light, rows, columns, height, width, rng)
    paper = srgb_to_linear(np.array(look.paper, np.uint8)).reshape(1, 1, 3)
    linear = _bounced(light, paper) * white_of(kelvin)
    coarse = 255 * linear_to_srgb(_shoulder(linear))
    return _enlarge(coarse, height, width, rng)


def white_of(kelvin: float) -> NDArray[np.float32]:
    """Linear sRGB of a light's colour beside 6500 K, half adapted to as an eye or a camera is; luminance 1.

    Krystek's rational approximation of the Planckian locus in CIE 1960 (u, v), 1000..15000 K.
    """
    colors = []
    for t in (kelvin, 6500.0):
        u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t)
        v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t)
        x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
        colors.append(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1 - x - y) / y]))
    ratio = np.maximum(colors[0] / colors[1], 1e-3) ** _ADAPTATION
    return (ratio / (ratio @ _LUMINANCE)).astype(np.float32)


_KELVIN = {"warm": 4900.0, "neutral": 6500.0, "cool": 7900.0}
_ADAPTATION = 0.5
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_XYZ_TO_RGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)  # IEC 61966-2-1


def _knots(size: int, longer: int) -> NDArray[np.float64]:
    """Pixel positions of the coarse grid's rows or columns: one beyond the edge before, two after."""
    cells = max(1, round(_GRID * size / longer))
    return (np.arange(cells + 3) - 1) * (size / cells)


def _light_on_paper(
    look: BackdropLook,
    key: KeyLight,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    height: int,
    width: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Irradiance of the paper that each knot sees; 1 on average around the middle of an evenly lit picture."""
    longer = max(height, width)
    depth, up, normal_y, normal_z = _sweep(_down_of_row(rows, height, longer))
    x = (columns[None, :] - width / 2) / longer * (depth / _FOCAL)[:, None]
    point = np.stack(np.broadcast_arrays(x, depth[:, None], up[:, None]), axis=-1)

    def cosine(to: NDArray[np.float64], distance: NDArray[np.float64], wrap: float) -> NDArray[np.float64]:
        facing = (to[..., 1] * normal_y[:, None] + to[..., 2] * normal_z[:, None]) / distance
        return np.clip((facing + wrap) / (1 + wrap), 0, None)  # a softbox is seen past the horizon of its centre

    at = np.array(_KEY_POSITIONS[key]) * (1 + 0.06 * rng.uniform(-1, 1, 3))
    to_key = at - point
    distance = np.linalg.norm(to_key, axis=-1)
    axis = (_SUBJECT - at) / np.linalg.norm(_SUBJECT - at)
    beam = np.clip(-(to_key @ axis) / distance, 0, 1) ** (0.8 + 2.5 * look.contrast)
    direct = cosine(to_key, distance, 0.35 - 0.25 * look.contrast) * beam / distance**2 * 4
    wall = -normal_y[:, None]
    glow = wall * np.exp(-((x / 1.25) ** 2) - ((up[:, None] - 1.0) / 0.85) ** 2)
    mix = 0.35 + 0.6 * look.contrast
    fill = 0.62 + 0.2 * normal_z[:, None]
    light = mix * direct + look.glow * glow + (1 - mix) * fill
    light = light * (1 + 0.012 * _unevenness(rng, light.shape, wall))

    offset_y = (rows[:, None] - height / 2) / longer
    offset_x = (columns[None, :] - width / 2) / longer
    light = light / (1 + 0.45 * (offset_x**2 + offset_y**2)) ** 2  # the lens: cos⁴
    middle = np.exp(-((offset_x / 0.3) ** 2) - ((offset_y / 0.3) ** 2))
    return light / ((light * middle).sum() / middle.sum()) * look.brightness


def _down_of_row(rows: NDArray[np.float64], height: int, longer: int) -> NDArray[np.float64]:
    """How far a row lies below the camera's eye level, per focal length; the lens is shifted, so walls stay upright."""
    middle_of_curve = _FOCAL * (_CAMERA_HEIGHT - 0.29 * _CURVE) / (_WALL - 0.29 * _CURVE)
    return (rows - _HORIZON_ROW * height) / longer / _FOCAL + middle_of_curve / _FOCAL


def _sweep(
    down: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where a ray that falls by ``down`` per metre meets the paper: depth, height, and the normal's y and z."""
    start = _WALL - _CURVE
    with np.errstate(divide="ignore"):
        floor = np.where(down > 0, _CAMERA_HEIGHT / np.maximum(down, 1e-9), np.inf)
    # On the arc: (y - start)² + (z - r)² = r² with y = s, z = h - s·down; the farther root.
    rise = _CAMERA_HEIGHT - _CURVE
    a, b, c = 1 + down**2, start + rise * down, start**2 + rise**2 - _CURVE**2
    arc = (b + np.sqrt(np.maximum(b * b - a * c, 0))) / a
    at_wall = _CAMERA_HEIGHT - _WALL * down
    depth = np.where(floor <= start, floor, np.where(at_wall >= _CURVE, _WALL, arc))
    up = np.maximum(_CAMERA_HEIGHT - depth * down, 0)
    on_wall, on_floor = at_wall >= _CURVE, floor <= start
    normal_y = np.where(on_wall, -1, np.where(on_floor, 0, -(depth - start) / _CURVE))
    normal_z = np.where(on_wall, 0, np.where(on_floor, 1, (_CURVE - up) / _CURVE))
    return depth, up, np.clip(normal_y, -1, 0), np.clip(normal_z, 0, 1)


def _unevenness(rng: np.random.Generator, shape: tuple[int, ...], wall: NDArray[np.float64]) -> NDArray[np.float64]:
    """The paper's slow waves: upright where it hangs, none to speak of where it lies."""
    across = np.linspace(0, 1, shape[1])[None, :]
    waves = np.zeros((1, shape[1]))
    for frequency in (2.3, 4.1, 7.3):
        waves += np.sin(2 * np.pi * (frequency * across + rng.uniform())) * rng.uniform(0.3, 1) / frequency
    return waves * wall


def _bounced(light: NDArray[np.float64], paper: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the paper sends back: in its curve, floor and wall also light each other with their own colour."""
    neighbours = light.mean() * 0.35
    return (paper * (light[..., None] + paper * neighbours) / (1 + 0.35 * paper)).astype(np.float32)


def _shoulder(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Film's soft shoulder: below 0.7 untouched, then ever slower towards 1, so that no highlight is cut off flat."""
    over = np.maximum(linear - 0.7, 0)
    return np.minimum(linear, 0.7) + 0.3 * (1 - np.exp(-over / 0.3))


def _enlarge(coarse: NDArray[np.float32], height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bring the coarse grid (rows, columns, 3) to size and add grain, noise and dither; 0..255 in and out."""
    across = _spline(width, coarse.shape[1])
    strip = np.matmul(across, coarse).astype(np.float32).reshape(coarse.shape[0], width * 3)
    down = _spline(height, coarse.shape[0])
    out = np.empty((height, width, 3), np.uint8)
    for first in range(0, height, _ROWS):
        part = down[first : first + _ROWS]
        used = np.flatnonzero(part.any(axis=0))
        smooth = (part[:, used] @ strip[used]).reshape(len(part), width, 3)
        grain = rng.standard_normal((len(part), width), np.float32)
        smooth += (grain * _GRAIN)[..., None]
        smooth += rng.random((len(part), width, 3), np.float32)  # rounding with a dither of one level
        out[first : first + _ROWS] = np.clip(smooth, 0, 255)
    return out


_GRAIN = 0.8  # of 255, standard deviation


def _spline(size: int, knots: int) -> NDArray[np.float32]:
    """Weights (size, knots) of a uniform cubic B-spline at the pixel centres; rows sum to 1, no edge shows."""
    t = (np.arange(size) + 0.5) * (knots - 3) / size
    cell = np.minimum(t.astype(int), knots - 4)
    f = t - cell
    weights = np.zeros((size, knots), np.float32)
    for k, w in enumerate(
        ((1 - f) ** 3 / 6, (3 * f**3 - 6 * f**2 + 4) / 6, (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6, f**3 / 6)
    ):
        weights[np.arange(size), cell + k] = w
    return weights
