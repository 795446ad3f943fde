"""Draw the strip of docs/blending.md: the same edges blended plainly, by rembg's way and by ours, three times as large.

python -m benchmarks.quality.blending_strip docs/images/blending.png
"""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.quality.blending import _mix_srgb, _peers, blurred_alpha, capture, drawn_cutouts
from vivid_assets.imaging.blend.composite import blend

Array = NDArray[Any]
ZOOM = 3


def row(picture: Array, alpha: Array, color: tuple[int, int, int], window: tuple[int, int, int, int]) -> Array:
    """Show the source, sRGB alpha blending, multilevel foregrounds in sRGB, and ours."""
    y, x, height, width = window
    background = np.full_like(picture, color)
    multilevel = _peers(False)["rembg decontaminate (multilevel, sRGB)"]
    shown = [
        picture,
        _mix_srgb(picture / np.float32(255), alpha, background),
        multilevel(picture, alpha, background),
        blend(picture, alpha, background).composite,
    ]
    parts = [part[y : y + height, x : x + width] for part in shown]
    return cv2.resize(np.concatenate(parts, axis=1), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)


def main() -> None:
    from rembg import new_session
    from skimage import data

    astronaut = data.astronaut()
    mask = np.asarray(new_session("u2netp").predict(Image.fromarray(astronaut))[0], np.float32) / 255
    _, grass, hair, _ = drawn_cutouts()
    before_yellow, before_green = capture(grass, "yellow"), capture(hair, "green")
    rows = [
        row(astronaut, mask, (24, 70, 140), (10, 130, 110, 130)),
        row(before_yellow.picture, blurred_alpha(before_yellow), (70, 30, 90), (120, 150, 110, 130)),
        row(before_green.picture, hair.alpha, (240, 225, 200), (60, 120, 110, 130)),
    ]
    Image.fromarray(np.concatenate(rows)).save(Path(sys.argv[1]), optimize=True)


if __name__ == "__main__":
    main()
