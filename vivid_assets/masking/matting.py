"""Alpha solved by a matting network about the edge of a mask, after the ladder has answered."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from vivid_assets.imaging.core.alpha import GIVEN
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.masking.mask import Mask, TierRecord

APPLIED, LEFT = "applied", "left"
"""The record's verdict: the alpha is the network's within the band, or the ladder's everywhere."""


class MattingModel(Protocol):
    """Anything that solves alpha where a trimap leaves it open."""

    @property
    def name(self) -> str:
        """Short name, for the record."""

    @property
    def band(self) -> float:
        """How far from an edge is unknown, as a share of the picture's longest side."""

    def alphas(self, images: Sequence[RGB8], trimaps: Sequence[Matte]) -> Sequence[Matte | Exception]:
        """Solve each picture (uint8 H×W×3 sRGB) by its trimap (float32 H×W: 0, 0.5, 1): float32 H×W in 0..1.

        An exception in place of one is that picture's failure.
        """


def matted(masks: Sequence[Mask], images: Sequence[RGB8], model: MattingModel) -> list[Mask | Exception]:
    """Solve the alpha of photographs' masks in a band about their edges; beyond it stays the ladder's.

    Given masks and line art are left alone, and so is a mask that leaves the network nothing to go by. Every mask gets
    a record that says which.

    Args:
        masks: the ladder's.
        images: uint8 H×W×3 sRGB each, of its mask's size.
        model: who solves.

    Returns:
        Per picture its mask, or the exception that it broke the network with.

    Raises:
        MachineFault: the model cannot be loaded, or its device has failed.

    """
    done: dict[int, Mask | Exception] = {}
    trimaps: dict[int, np.ndarray] = {}
    for index, mask in enumerate(masks):
        trimap = trimap_of(mask.alpha, max(1, round(model.band * max(mask.alpha.shape))))
        if reason := _left_alone(mask, trimap):
            done[index] = _recorded(mask, TierRecord(model.name, LEFT, reason, {}, 0.0))
        else:
            trimaps[index] = trimap
    if trimaps:
        started = time.perf_counter()
        solved = model.alphas([images[index] for index in trimaps], list(trimaps.values()))
        seconds = (time.perf_counter() - started) / len(trimaps)
        for (index, trimap), answer in zip(trimaps.items(), solved, strict=True):
            if isinstance(answer, Exception):
                done[index] = answer
                continue
            unknown = trimap == 0.5
            alpha = np.where(unknown, np.clip(answer, 0, 1), masks[index].alpha).astype(np.float32)
            reason = f"alpha solved in {unknown.mean():.1%} of the picture"
            record = TierRecord(model.name, APPLIED, reason, {}, seconds)
            done[index] = _recorded(replace(masks[index], alpha=alpha, origin="matte"), record)
    return [done[index] for index in range(len(masks))]


def trimap_of(alpha: Matte, width: int) -> Matte:
    """Make a trimap, float32 H×W: 0.5 within ``width`` pixels of soft ``alpha`` (0..1) or an edge, else 0 or 1."""
    soft = ((alpha > 0.05) & (alpha < 0.95)).astype(np.uint8)
    edge = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    unknown = cv2.dilate(soft | np.asarray(edge), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2))
    return np.where(unknown > 0, np.float32(0.5), (alpha > 0.5).astype(np.float32))


def _left_alone(mask: Mask, trimap: Matte) -> str:
    """Why the mask stays as it is; empty where it does not."""
    if mask.origin in GIVEN:
        return "a given mask is used as it is"
    if mask.line_art:
        return "line art has edges of its own"
    if not (trimap == 0.5).any():
        return "the mask has no edge"
    if not (trimap == 1).any():
        return "no part is surely subject"
    if not (trimap == 0).any():
        return "no part is surely background"
    return ""


def _recorded(mask: Mask, record: TierRecord) -> Mask:
    return replace(mask, tried=(*mask.tried, record))
