"""What becomes of a network's probability, for photographs and for what may be a drawing."""

import cv2
import numpy as np

from vivid_assets.masking.finish import overlooked_drawing


def packshot():
    """A pale mug on clipped white paper, shaded from 240 down to 215, with a darker rim; and where it is."""
    picture = np.full((300, 300, 3), 255, np.uint8)
    mug = np.zeros((300, 300), np.uint8)
    cv2.circle(mug, (150, 150), 90, 255, -1, cv2.LINE_AA)
    shade = np.linspace(240, 215, 300)[None, :, None] - np.zeros((300, 1, 3))
    cv2.circle(shade, (150, 150), 20, (100, 100, 100), -1)
    share = mug[..., None] / 255
    return np.rint(share * shade + (1 - share) * picture).astype(np.uint8), (mug / 255).astype(np.float32)


def test_a_pale_product_on_white_paper_is_no_translucent_ink():
    picture, mask = packshot()
    found = overlooked_drawing(picture, cv2.GaussianBlur(mask, (0, 0), 3))
    assert found is None or found[0][150, 90:210].min() > 0.9


def test_a_glow_that_the_network_does_not_take_for_solid_stays_a_glow():
    y, x = np.mgrid[:200, :200]
    share = np.clip(1.1 - np.hypot(x - 100, y - 100) / 70, 0, 1)[..., None]
    picture = np.rint(share * np.array([70, 90, 220]) + (1 - share) * 255).astype(np.uint8)
    found = overlooked_drawing(picture, np.full((200, 200), 0.4, np.float32))
    assert found is not None
    assert 0.3 < found[0][100, 140] < 0.8
