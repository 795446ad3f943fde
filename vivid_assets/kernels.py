"""Compile what ``imaging`` has for numba ahead of its first use: ``python -m vivid_assets.kernels``, as set-up does.

numba compiles a function when it is first called with arguments of these types, and keeps the code in a cache. So the
functions that the pipeline calls are called here, with small pictures of each kind; what they give is thrown away.
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.analysis.line_art import detect_line_art
from vivid_assets.imaging.backdrop.render import read_prompt, render
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.gradients import gradient_mask
from vivid_assets.masking.finish import finish
from vivid_assets.masking.ladder_settings import LadderSettings

_SIDE = 256


def compile_kernels() -> None:
    """Call all that is compiled, the two halves at once."""
    with ThreadPoolExecutor(2) as pool:
        for half in [pool.submit(_blends), pool.submit(_masks)]:
            half.result()


def _blends() -> None:
    photograph, alpha = _photograph()
    render(read_prompt(""), 100, 150, seed=1)
    scene = np.full((100, 150, 3), (40, 60, 120), np.uint8)
    # The mask smaller than its picture, as it is of a photograph's.
    half = shrink(alpha, _SIDE // 2)
    small, own, persons = Alpha(half, "probability"), Alpha(alpha, "probability"), Alpha(alpha, "person")
    blend_native(photograph, small, scene, shadow="soft")
    blend_native(photograph, own, scene, mode="lab-deprojection")
    blend_native(photograph, own, scene, mode="alpha")
    blend_native(photograph.astype(np.uint16) * 257, small, scene, shadow="soft")
    blend_native(photograph, persons, scene)
    # A hard mask, and one that is softer than its picture; against a busy background, which has no plate, too.
    busy = np.rint(alpha[..., None] * photograph + (1 - alpha[..., None]) * _busy_background()).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 3), np.float32)
    for picture in (photograph, busy):
        for mask in (np.asarray(alpha > 0.5, np.float32), soft):
            blend_native(picture, Alpha(mask, "probability"), scene)


def _masks() -> None:
    photograph, alpha = _photograph()
    settings = LadderSettings()
    measure_light(photograph)
    detect_line_art(photograph)
    gradient_mask(photograph)
    probability = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 3), np.float32)
    finish(photograph, probability, settings, line_art=False, trusted=True)
    for background in (_plain_background(), _busy_background()):
        drawing, shape = _drawing(background)
        blurred = np.asarray(cv2.GaussianBlur(shape, (0, 0), 3), np.float32)
        for line_art in (True, False):
            finish(drawing, blurred, settings, line_art=line_art, trusted=True)


def _photograph() -> tuple[RGB8, Matte]:
    """A textured ball against a green background, as a camera's noise shows it, and its mask."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    alpha = np.clip((70 - np.hypot(y - 128, x - 128)) / 2 + 0.5, 0, 1)
    ball = np.stack([150 + 40 * np.sin(x / 5), 90 + 30 * np.sin(y / 4), 60 + 20 * np.sin(x / 9)], axis=-1)
    background = np.stack([60 + x / 9, 160 + y / 9, 70 + x / 12], axis=-1)
    mixed = alpha[..., None] * ball + (1 - alpha[..., None]) * background + random.normal(0, 2, (_SIDE, _SIDE, 3))
    return mixed.clip(0, 255).astype(np.uint8), alpha.astype(np.float32)


def _drawing(background: RGB8) -> tuple[RGB8, Matte]:
    """Two flat fills with an outline against a background, and their mask."""
    drawing, shape = background.copy(), np.zeros(background.shape[:2], np.float32)
    for centre, color in (((110, 120), (230, 180, 40)), (((150, 150)), (200, 60, 50))):
        cv2.circle(drawing, centre, 50, color, -1, cv2.LINE_AA)
        cv2.circle(drawing, centre, 50, (20, 20, 20), 3, cv2.LINE_AA)
        cv2.circle(shape, centre, 52, 1.0, -1)
    return drawing, shape


def _plain_background() -> RGB8:
    return np.full((_SIDE, _SIDE, 3), 250, np.uint8)


def _busy_background() -> RGB8:
    random = np.random.default_rng(2)
    spots = random.integers(40, 250, (32, 32, 3), np.uint8)
    return np.asarray(cv2.resize(spots, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    compile_kernels()
