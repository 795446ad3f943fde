"""A mask as somebody else saved it: grey, indexed or in colour, 0 and 1 or 16 bits, or the alpha of a cut-out.

Masks are numbers, not light: no profile is applied and no gamma is undone. What is subject is what differs from the
mask's own ground: white before black, a class's colour before the colour of the frame, an index other than 0.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.own_alpha import packaging
from vivid_assets.imaging.io.decode import MAX_PIXELS, read_samples

Array = NDArray[Any]

_FAINT = 1 / 8
"""Highest value of a mask below which it holds labels, and not shades."""
_TINTED = 0.1
"""Difference between channels above which a pixel has a colour."""
_LEAST_TINTED = 0.002
"""Share of such pixels from which a mask is coloured."""
_LEAST_SHARE = 0.02
"""Of what is not ground, that a colour must fill to be a subject's colour."""
_MOST_CONTRAST = 0.25
"""Difference of two levels from which they are background and subject."""


def read_mask(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Alpha:
    """Read a person's mask file; white, or whatever is not the mask's ground, is subject.

    Its alpha channel is used where that can be a cut-out; then no colour counts. 16 bits stay 16, EXIF's orientation is
    applied. What was done beyond scaling to 0..1 is in the notes.

    Raises:
        UnreadablePicture: no picture, a format that is not read, damaged, or over a limit.

    """
    samples = read_samples(data, max_pixels=max_pixels)
    values, palette, clear = samples.values, samples.palette, samples.alpha
    unit, notes = _unit(values) if palette is None else (values, [])
    if unit.ndim == 3 and unit.shape[2] in (2, 4):
        unit, clear = unit[..., :-1], unit[..., -1]
    if clear is not None and clear.min() < 1 and packaging(clear) is None:
        return Alpha(np.ascontiguousarray(clear), "person", (*notes, "the mask's alpha channel was used"))
    if palette is not None:
        found, more = _from_indices(values, palette)
    elif unit.ndim == 3 and unit.shape[2] == 3 and _has_colors(unit):
        found, more = _from_colors(unit)
    else:
        found, more = _from_levels(unit if unit.ndim == 2 else unit.mean(axis=2, dtype=np.float32))
    return Alpha(np.ascontiguousarray(found, np.float32), "person", (*notes, *more))


def _unit(values: Array) -> tuple[Array, list[str]]:
    """Scale samples of 8 or 16 bits to float32 0..1, by the bits that they use."""
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(255), []
    top = int(values.max(initial=0))
    if top <= 255:
        # Eight bits of labels or shades in a wider type.
        return values.astype(np.float32) / np.float32(255), [f"the mask's values end at {top}; 255 was taken for white"]
    return np.minimum(values.astype(np.float32) / np.float32(65535), 1), []


def _has_colors(unit: Array) -> bool:
    tinted = unit.max(axis=2) - unit.min(axis=2) > _TINTED
    return bool(tinted.mean() > _LEAST_TINTED)


def _from_levels(unit: Array) -> tuple[Array, list[str]]:
    """Read a grey mask: as it is, unless it holds labels or two levels."""
    low, top = float(unit.min(initial=1)), float(unit.max(initial=0))
    if top == 0 or low == top == 1:
        return unit, []
    two = bool(((unit == low) | (unit == top)).all()) and low < top
    if two and (low == 0 or top - low >= _MOST_CONTRAST):
        same = (low, top) == (0, 1)
        said = (
            f"the mask's two levels, {low * 255:.3g} and {top * 255:.3g} of 255, were taken for background and subject"
        )
        return (unit == top).astype(np.float32), [] if same else [said]
    if top >= _FAINT:
        return unit, []
    if _has_solid_steps((unit > 0) & (unit < top)):
        return (unit > 0).astype(np.float32), [f"the mask's labels up to {top * 255:.3g} were all taken for subject"]
    return unit / np.float32(top), [f"the mask ends at level {top * 255:.3g} of 255, which was taken for subject"]


def _has_solid_steps(between: Array) -> bool:
    """Tell labels from shades by the pixels between background and subject: a soft edge is thin."""
    return bool(cv2.erode(between.astype(np.uint8), np.ones((7, 7), np.uint8)).any())


def _from_indices(indices: Array, palette: Array) -> tuple[Array, list[str]]:
    """Read an indexed mask: a grey palette by its greys, any other by what is not the ground."""
    used = np.unique(indices)
    colors = palette[np.minimum(used, len(palette) - 1)]
    if (colors.max(axis=1) - colors.min(axis=1)).max(initial=0) <= _TINTED * 255 and len(np.unique(colors)) > 1:
        table = np.zeros(256, np.float32)
        table[used] = colors.mean(axis=1) / 255
        return _from_levels(table[indices])
    black = used[(colors == 0).all(axis=1)]
    ground = 0 if 0 in used else int(black[0]) if len(black) else None
    if ground is None:
        ground = int(np.bincount(_frame(indices)).argmax())
    said = f"the mask is indexed: all but index {ground} was taken for subject"
    return (indices != ground).astype(np.float32), [said]


def _from_colors(unit: Array) -> tuple[Array, list[str]]:
    """Read a coloured mask by each pixel's distance from its ground, the frame's commonest colour.

    The nearest of the colours that fill areas is a subject's whole; a soft edge lies between it and the ground.
    """
    codes = np.rint(unit * 255).astype(np.uint32) >> 3
    bins = (codes[..., 0] << 10) | (codes[..., 1] << 5) | codes[..., 2]
    at_frame = bins[[0, -1]].ravel(), bins[:, [0, -1]].ravel()
    common = np.bincount(np.concatenate(at_frame), minlength=1 << 15)
    # A subject that runs out of the frame is no ground while black, which stands for "no class", is there.
    ground_bin = 0 if common[0] >= 0.1 * common.sum() else int(common.argmax())
    ground = np.median(unit[bins == ground_bin], axis=0)
    away = np.linalg.norm(unit - ground, axis=2)
    counts = np.bincount(bins.ravel(), minlength=1 << 15)
    far = np.bincount(bins.ravel(), weights=away.ravel(), minlength=1 << 15) / np.maximum(counts, 1)
    counts[far < _TINTED] = 0
    subjects = far[counts >= _LEAST_SHARE * max(counts.sum(), 1)]
    if not len(subjects):
        note = "the mask has colours as a photograph has; what is not its ground was taken for subject"
        return (away > _TINTED).astype(np.float32), [note]
    alpha = np.clip(away / float(subjects.min()), 0, 1)
    if _has_solid_steps((alpha > 0.1) & (alpha < 0.9)):
        return (away > _TINTED / 2).astype(np.float32), [
            "the mask has colours: all but its ground was taken for subject"
        ]
    return alpha, ["the mask has colours; the distance from its ground's colour was used"]


def _frame(plane: Array) -> Array:
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
