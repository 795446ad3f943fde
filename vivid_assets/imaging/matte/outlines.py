"""A network's mask of a drawing against a busy background: flat regions filled, dark outlines joined and softened."""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import dilated, frame_of, parts_of, square
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.matte.from_background import EDGE

INK = 80
"""Luminance (0..255) under which a pixel is outline ink; that of the VividFlow article."""
DARKER = 20
"""How much darker than the background beside it an outline is at least, of 255."""
OUTLINE = 3
"""How far an outline reaches beyond what a network is sure of, in pixels."""
BESIDE = 21
"""The side of the window in which the background beside an outline is measured, in pixels."""


def fill_regions(alpha: Matte) -> Matte:
    """Raise medium alpha inside the closed confident zone to at least 220/255, as the VividFlow article does."""
    confident = (alpha > 160 / 255).astype(np.uint8)
    size = max(3, round(0.01 * max(alpha.shape)) | 1)
    zone = cv2.morphologyEx(confident, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    medium = (zone > 0) & (alpha > 80 / 255)
    return np.where(medium, np.maximum(alpha, np.float32(220 / 255)), alpha).astype(np.float32)


def join_outlines(image: RGB8, alpha: Matte) -> Matte:
    """Make dark outlines that belong to the subject opaque; never a dark background.

    A connected dark region belongs when most of it lies on or right beside the subject and it does not run along
    the frame. What is dark further away is the background.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere below ``alpha``.

    """
    ink = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) < INK)
    subject = alpha > 0.5
    if not subject.any() or not ink.any():
        return alpha
    reach = max(3, round(0.02 * max(alpha.shape)) | 1)
    beside = cv2.dilate(subject.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    labels, area = parts_of(ink)
    on_subject = np.bincount(labels[beside > 0], minlength=len(area))
    belongs = on_subject > 0.6 * area
    belongs[0] = False
    frame = np.unique(frame_of(labels))
    belongs[frame[on_subject[frame] < 0.9 * area[frame]]] = False
    return np.where(belongs[labels], np.float32(1.0), alpha).astype(np.float32)


def soften_outline(image: RGB8, alpha: Matte) -> Matte:
    """Give the dark outline along a drawing's rim its alpha: its place between background and ink by lightness.

    A network's contour runs somewhere within an outline, which is two or three pixels wide. Only what is darker than
    the background beside it differs from the background, and only where the network does not deny it.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1, 0 where nobody takes it for the subject.

    Returns:
        float32 H×W, nowhere below ``alpha``.

    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    near = dilated(alpha > 0.5, OUTLINE)
    beyond = (~near).astype(np.float32)
    behind = cv2.blur(grey * beyond, (BESIDE, BESIDE)) / np.maximum(cv2.blur(beyond, (BESIDE, BESIDE)), 1e-3)
    ink = cv2.erode(grey, square(EDGE))
    contrast = behind - ink
    share = np.clip((behind - grey) / np.maximum(contrast, 1.0), 0.0, 1.0)
    rim = near & (alpha > 0) & (ink < INK) & (contrast > DARKER)
    return np.where(rim, np.maximum(alpha, share), alpha).astype(np.float32)
