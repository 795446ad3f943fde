"""Alpha and colours solved at the size at which alpha was answered, and how that size lies over the picture's own."""

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.blend.evidence import Evidence
from vivid_assets.imaging.blend.refine_alpha import hard_edges, refine_alpha, soften_hard_edges
from vivid_assets.imaging.blend.upsample import upsample
from vivid_assets.imaging.core.areas import Box, around
from vivid_assets.imaging.core.arrays import RGB, LinearRGB, Matte
from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.resize import REFERENCE
from vivid_assets.imaging.core.spread_colors import Colors, estimate_colors

_MARGIN = 64
"""Pixels, there, about the soft ones that are looked at."""


@dataclass(frozen=True)
class Answer:
    """An alpha with the picture at its size."""

    alpha: Matte
    """float32 h×w, 0..1."""
    image: RGB
    """H×w×3 sRGB, uint8; or the picture itself."""
    light: LinearRGB | None
    """float32 h×w×3 linear; None where it is the picture's own size."""
    full: tuple[int, int]
    """Height and width of the picture."""

    @property
    def same(self) -> bool:
        """Whether it was answered at the picture's own size."""
        return self.light is None


@dataclass(frozen=True)
class Solved:
    """What the photograph made of an answer. All of the answer's size; ``colors`` of its ``box``."""

    alpha: Matte
    """As it goes into the composite."""
    mixed: Matte
    """As the photograph's edges are mixed: soft in a band about hard edges that are to stay."""
    box: Box
    colors: Colors | None
    evidence: Evidence | None


def resized_to_alpha(image: RGB, alpha: Matte) -> Answer:
    """Reduce ``image`` (uint8 or uint16 H×W×3 sRGB) in linear light to the size of ``alpha`` (float h×w)."""
    matte = np.clip(alpha, 0, 1).astype(np.float32)
    if not np.isfinite(matte).all():
        matte = np.nan_to_num(matte)
    full = image.shape[0], image.shape[1]
    if matte.shape == full:
        return Answer(matte, image, None, full)
    if image.dtype == np.uint8:
        # In 16 bits, which is half of float's memory for a large picture.
        codes = np.rint(srgb_to_linear(np.arange(256, dtype=np.uint8)) * 65535).astype(np.uint16)
        reduced = cv2.resize(cv2.LUT(image, codes), matte.shape[::-1], interpolation=cv2.INTER_AREA)
        light = reduced.astype(np.float32) * np.float32(1 / 65535)
    else:
        light = np.asarray(
            cv2.resize(srgb_to_linear(image), matte.shape[::-1], interpolation=cv2.INTER_AREA), np.float32
        )
    return Answer(matte, to_uint8(linear_to_srgb(light)), light, full)


def solve(
    answer: Answer, *, colors: bool, correct: bool, noise: float | None = None, threads: int | None = None
) -> Solved:
    """Solve alpha and colours of a picture at the alpha's size.

    Args:
        answer: the alpha, and the picture at its size.
        colors: whether F and B are estimated; without them alpha stays.
        correct: whether the photograph may correct alpha.
        noise: the capture's, in levels of 8 bits; measured where it is not given.
        threads: the most to use.
    """
    alpha = answer.alpha
    scale = max(1.0, max(alpha.shape) / REFERENCE)
    soft = (alpha > 0) & (alpha < 1)
    if colors:
        soft |= hard_edges(alpha)
    # Far from every soft pixel there is nothing to take apart, and colours are known close by.
    box = around(soft, round(_MARGIN * scale))
    if not colors or not soft.any():
        return Solved(alpha, alpha, box, None, None)
    light = answer.light[box] if answer.light is not None else srgb_to_linear(answer.image[box])
    light = np.ascontiguousarray(light)
    noise = capture_noise(answer.image, alpha) if noise is None else noise
    part = np.ascontiguousarray(alpha[box])
    if not correct:
        mixed = alpha.copy()
        mixed[box] = soften_hard_edges(light, part, noise, threads)
        estimated = estimate_colors(light, np.ascontiguousarray(mixed[box]), noise=noise, threads=threads)
        return Solved(alpha, mixed, box, estimated, None)
    refined = refine_alpha(light, part, noise=noise, threads=threads)
    corrected = alpha.copy()
    corrected[box] = refined.alpha
    return Solved(corrected, corrected, box, refined.colors, refined.evidence)


@dataclass(frozen=True)
class Place:
    """A solved answer brought to the picture's own size."""

    alpha: Matte
    """float32 H×W."""
    box: Box
    """Beyond which every pixel is solid or empty, and far from one that is not."""
    light: LinearRGB
    """float32 linear, of the box."""
    mixed: Matte
    """float32, of the box."""
    view: View
    """Of the box over the colours."""
    noise: float


def place(image: RGB, answer: Answer, solved: Solved, noise: float | None, threads: int | None = None) -> Place:
    """Bring a solved alpha up to the picture's own size, along its edges.

    Args:
        image: H×W×3 sRGB, uint8 or uint16.
        answer: what was solved.
        solved: its solution.
        noise: the capture's at this size, in levels of 8 bits; measured where it is not given.
        threads: the most to use.
    """
    if answer.same:
        light = np.ascontiguousarray(srgb_to_linear(image[solved.box]))
        mixed = np.ascontiguousarray(solved.mixed[solved.box])
        noise = capture_noise(image, solved.alpha) if noise is None else noise
        return Place(solved.alpha.copy(), solved.box, light, mixed, whole(*mixed.shape), noise)
    height, width = answer.full
    rows, columns = solved.alpha.shape
    down, across = height / rows, width / columns
    top, bottom, left, right = solved.box[0].start, solved.box[0].stop, solved.box[1].start, solved.box[1].stop
    box = (
        slice(int(top * down), min(height, int(np.ceil(bottom * down)))),
        slice(int(left * across), min(width, int(np.ceil(right * across)))),
    )
    alpha = np.asarray(cv2.resize(solved.alpha, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
    noise = capture_noise(image, alpha) if noise is None else noise
    light = np.ascontiguousarray(srgb_to_linear(image[box]))
    assert answer.light is not None
    cut = View(box[0].start, box[1].start, height, width)
    part = upsample(solved.alpha, answer.light, light, cut, noise, threads)
    alpha[box] = part
    over = View(box[0].start - top * down, box[1].start - left * across, (bottom - top) * down, (right - left) * across)
    return Place(alpha, box, light, part, over, noise)
