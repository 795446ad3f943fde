"""What becomes of a network's probability, for photographs and for what may be a drawing."""

import cv2
import numpy as np
import pytest

from vivid_assets.masking.finish import overlooked_drawing


def packshot(tint, detail):
    """A pale mug on clipped white paper, shaded, with a dark detail of a radius; and where it is."""
    picture = np.full((300, 300, 3), 255, np.uint8)
    mug = np.zeros((300, 300), np.uint8)
    cv2.circle(mug, (150, 150), 90, 255, -1, cv2.LINE_AA)
    shade = np.linspace(1, 0.9, 300)[None, :, None] * np.float64(tint) - np.zeros((300, 1, 3))
    cv2.circle(shade, (150, 150), detail, [0.45 * value for value in tint], -1)
    share = mug[..., None] / 255
    return np.rint(share * shade + (1 - share) * picture).astype(np.uint8), (mug / 255).astype(np.float32)


@pytest.mark.parametrize("tint", [(240, 240, 240), (205, 222, 244)], ids=["neutral", "pale blue"])
@pytest.mark.parametrize("detail", [15, 40])
def test_a_pale_product_on_white_paper_is_no_translucent_ink(tint, detail):
    picture, mask = packshot(tint, detail)
    found = overlooked_drawing(picture, cv2.GaussianBlur(mask, (0, 0), 3))
    assert found is None or found[0][150, 90:210].min() > 0.9


def test_a_glow_is_one():
    y, x = np.mgrid[:200, :200]
    share = np.clip(1.1 - np.hypot(x - 100, y - 100) / 70, 0, 1)[..., None]
    picture = np.rint(share * np.array([70, 90, 220]) + (1 - share) * 255).astype(np.uint8)
    found = overlooked_drawing(picture, (share[..., 0] > 0.2).astype(np.float32))
    assert found is not None
    assert 0.3 < found[0][100, 140] < 0.8
