"""The plate inside the subject: holes that it encloses, and what is seen between hairs and leaves.

Against a sheen, a grey part or a network that is sure, a gap needs an edge, the very light of the plate, or company.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import grown, joined
from vivid_assets.imaging.core.arrays import Area, Indices, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.unmix import DISPROVED
from vivid_assets.imaging.plate.fill import spread
from vivid_assets.imaging.plate.in_shadow import plate_met
from vivid_assets.imaging.plate.neighbours import least_of_channels, range_about, window
from vivid_assets.imaging.plate.small_picture import LARGE, NEAR, SmallPicture

_WHITE = 0.96
"""Light of a plate that is burnt out."""
_MANY = 6
"""Gaps from which what they have in common tells more than each of them."""
_PEAK = 3.0
"""How much commoner than lights beside it the plate's must be inside the mask."""
_COMPANY = 0.075
"""Share of the longer side about the light of a plate that is met in many gaps, within which others may be finer."""
_PURE = 0.03
"""Distance from the ray, over the share of light, up to which no hair is mixed into a coloured plate."""


def find_holes(small: SmallPicture, back: Area) -> tuple[Area, Area]:
    """Find what the subject encloses of the plate, and where finer gaps of a grey plate may be.

    A hole has the plate's own light, is as flat, and has an edge all round. Where holes are many, finer gaps may
    be about the plate's light wherever a network takes it for subject.

    Light on a grey subject may pass through the plate's, but then without an edge. Where the plate is burnt out, white
    cloth is, too, and a network that is sure is believed.

    Args:
        small: the small picture.
        back: bool h×w: what is background already.

    Returns:
        bool h×w each: the holes, and where finer gaps may be.
    """
    around = np.maximum(spread(small.share, (back & (small.network < 0.5)).astype(np.float32)), np.float32(1e-3))
    like = (small.off < 0.015 + 2 * small.noise) & (np.abs(small.share / around - 1) < 0.03 + 3 * small.noise)
    like &= ~back & (small.network > 0.05)
    # An even window is mirrored to open an area: else what is left lies a pixel aside.
    patches = cv2.dilate(cv2.erode(like.astype(np.uint8), window(2), anchor=(0, 0)), window(2), anchor=(1, 1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    sizes = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int64)
    many = _is_peak(small, around, back, sizes[1:])
    large = np.flatnonzero(sizes >= (4 if many else 12))[1:]
    if not large.size:
        return np.zeros_like(back), np.zeros_like(back)
    step = range_about(np.log(np.maximum(small.share, 0.01)), 7) + cv2.dilate(small.off, window(7))
    edge = step > np.where(small.colored > 0.3, 0.06, 0.12)
    rim = (patches > 0) & (cv2.erode(patches, np.ones((3, 3), np.uint8)) == 0)
    area = np.bincount(labels.ravel(), minlength=count)
    edged = np.bincount(labels[rim & edge], minlength=count) / np.maximum(np.bincount(labels[rim], minlength=count), 1)

    def mean(values: Plane | Area) -> Vector:
        return np.asarray(np.bincount(labels.ravel(), values.ravel(), minlength=count) / area)

    apart, trusted = mean(np.abs(small.share / around - 1) + small.off), mean(small.network)
    # Greys are everywhere: against a network that is sure, a grey plate must be met exactly, and over a large area.
    # (Noise alone sets it apart by twice its deviation.) Many small ones are the plate if their light is a peak.
    burnt = mean(_burnt(small)) > 0.5
    exact = (apart < 0.012 + 3 * mean(small.noise)) & (area > LARGE * like.size)
    shown = (mean(small.colored) > 0.3) | ((exact | many) & ~burnt)
    kept = np.zeros(count, bool)
    kept[large] = ((edged > 0.7) & ((trusted < 0.85) | shown))[large]
    company = like & (small.network > 0.5) & many
    return np.asarray(kept[labels]), grown(company, _COMPANY * small.longest)


def _burnt(small: SmallPicture) -> Area:
    """Where the plate is as white as whatever else is white."""
    return np.asarray(least_of_channels(small.plate) >= _WHITE)


def _is_peak(small: SmallPicture, around: Plane, back: Area, patches: Indices) -> bool:
    """Whether the plate's very light is far commoner inside the mask than lights near it, in many patches (sizes).

    A subject's own greys are lit unevenly, and a part of the plate's grey is one part: gaps between leaves are many,
    and of one light.
    """
    if len(patches) < _MANY or patches.max() > 0.5 * patches.sum():
        return False
    grey = ~back & (small.network > 0.5) & (small.off < 0.015 + 2 * small.noise) & ~_burnt(small)
    apart = np.abs(small.share / around - 1) / (0.03 + 3 * small.noise)
    met, beside = np.count_nonzero(grey & (apart < 1)), np.count_nonzero(grey & (apart >= 1) & (apart < 3)) / 2
    return bool(met > _PEAK * beside)


def seen_through(
    small: SmallPicture, layer: LinearRGB, solved: tuple[Matte, Planes], sure: Area, back: Area, gapped: Area
) -> Area:
    """Where the plate is seen between hairs and leaves, joined to what is outside: bool h×w.

    Args:
        small: the small picture.
        layer: float32 h×w×3: the shadow.
        solved: alpha (float32 h×w, 0..1), and how badly it explains each pixel, and a solid one would (float32 h×w×2).
        sure: bool h×w: subject beyond doubt.
        back: bool h×w: background.
        gapped: bool h×w: where gaps of a grey plate may be, see ``find_holes``.
    """
    alpha, misfit = solved
    missed, colored = small.network < 0.5, small.colored > 0.3
    # Where a solid pixel would be explained as well, a network that is sure is believed.
    shown = (misfit[..., 1] - misfit[..., 0] > DISPROVED[1]) | missed
    soft = (alpha < 0.92) & (shown | colored | gapped) & ~sure
    # Greys are everywhere: a grey gap must have the very light of the plate beside it.
    reliable = ~small.ray | plate_met(small, layer) | colored
    bare = (alpha < 0.5) & ~sure & (missed | (reliable & _is_fine(alpha)))
    return joined(grown(soft & grown(bare, NEAR * small.longest), 1.5), back & missed)


def _is_fine(alpha: Matte) -> Area:
    """Whether alpha goes up and down all about a pixel, as between hairs and leaves, and not on a grey side."""
    return np.asarray(cv2.blur((range_about(alpha, 7) > 0.35).astype(np.float32), (11, 11)) > 0.85)


def between_hairs(small: SmallPicture) -> Area:
    """What is seen of a coloured plate between hairs, however shaded: its lightest all about, or its very hue."""
    lightest = cv2.dilate(np.where(small.ray, small.share, 0).astype(np.float32), window(11))
    seen = (small.share > 0.85 * lightest) | (small.off < _PURE * small.share + small.noise)
    return np.asarray(small.ray & seen & (small.colored > 0.3))
