"""Subject, shadow and plate separated in the small picture: the trimap that is solved at the picture's own size.

What lies on the ray outside the network's mask, and what is flat and joins it, is background; so are holes. The shadow
measured there gives a first alpha, by which rims become background or subject. Measured again, it gives a second alpha,
by which the plate is seen between hairs.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, grown, joined
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import whole
from vivid_assets.imaging.core.unmix import Model, Solved, solve_alpha
from vivid_assets.imaging.plate.fill import blur_widely
from vivid_assets.imaging.plate.gaps import between_hairs, find_holes, seen_through
from vivid_assets.imaging.plate.in_shadow import as_dark, deepest_shadow, layer_of, plate_met
from vivid_assets.imaging.plate.neighbours import range_about
from vivid_assets.imaging.plate.own_colors import color_codes, own_colors
from vivid_assets.imaging.plate.small_picture import NEAR, SHADED, SmallPicture
from vivid_assets.imaging.plate.spreads import SMALL, as_array, spread_of

_RIM = 0.006
"""Share of the longer side by which a network's contour may lie too far out."""
_GLIMPSE = np.float32(0.4)
"""Weight of what is seen between hairs for the shadow there."""
_STRANGE = 12.0
"""Misfit, chi squared of three channels, at which no mixture of F and B explains a pixel."""
BESIDE = 0.03
"""Share of the longer side about the gaps that are seen within which there may be finer ones."""


@dataclass(frozen=True)
class Parts:
    """What the small picture shows; all of its size, h×w."""

    layer: LinearRGB
    """float32 h×w×3: the shadow, see ``shadow_layer``."""
    seen: Plane
    """float32, 0..1: how surely it is seen."""
    trimap: Matte
    """float32: 0, ½, 1."""
    prior: Matte
    """float32, 0..1, of alpha: the network's, or what the picture shows where that is doubted."""
    front: Area
    """bool: the pixels that show F."""
    beside_gaps: Area
    """bool: what may have finer gaps than the small picture shows."""
    telling: Area
    """bool: where the plate's colour is no subject's: it is a hue, or seen in gaps near by."""
    own: Area
    """bool 4096: whether the subject has a colour, by its code."""


def separate_plate(small: SmallPicture, threads: int | None) -> Parts | None:
    """Separate subject, shadow and plate; None where the network saw no subject for sure."""
    network, longest = small.network, small.longest
    inside = distance_to(network <= 0.5)
    core = (network > 0.9) & (inside > NEAR * longest)
    outside = small.ray & ~small.thin & ~grown(network > 0.05, NEAR * longest)
    # A network takes cast shadows for subject, too; but what is dark and grey may well be subject.
    # Greys are everywhere: against the network, a grey plate shows in its shadow, and in its own light at the very rim.
    colored = small.colored > 0.3
    dim = colored | (small.share < SHADED)
    shade = small.ray & small.flat & ~core & ((network < 0.5) | ((network < 0.97) & (small.share > 0.4) & dim))
    back = joined(outside | shade, outside)
    holes, gapped = find_holes(small, back)
    back |= holes
    heart = (network > 0.9) & (inside > 0.5 * float(inside.max())) & ~back
    heart &= ~(gapped & grown(small.ray, 1.5))  # the finest gaps have been left in, and are no colour of its own
    if not heart.any():
        return None
    colors = own_colors(small.light, heart)
    own = colors[color_codes(small.light)]
    heart &= own | ~gapped
    deep = (network > 0.9) & (inside > min(0.03 * longest, 0.5 * float(inside.max()))) & ~grown(back, 2)
    sure = heart | (deep & own)
    lit = back & ~grown(~back & (small.ray | (network > 0.05)), 1.5)
    layer = np.repeat(np.clip(blur_widely(small.share, lit.astype(np.float32)), 0, 1)[..., None], 3, axis=2)
    open_to = grown(network > 0.05, 0.02 * longest) | ~small.ray | small.thin
    alpha, misfit = _solved(small, layer, sure, open_to, threads)
    rim = plate_met(small, layer) & (dim | grown(network < 0.5, _RIM * longest))
    plain = small.ray & (alpha < 0.06) & ~core & ((network < 0.5) | colored | rim)
    solid = ~back & (distance_to(back) > 2)
    # What is no mixture of the subject's inner colour and the plate is another colour of the subject.
    sure |= solid & ((~small.ray & (misfit[..., 0] > _STRANGE)) | (own & (network > 0.5)))
    back = holes | joined(plain | back, back)
    lit = back & ~grown(~back & (alpha > 0.1), 1.0)
    glimpses = _GLIMPSE * (between_hairs(small) & ~heart & ~own)
    seen = np.where(lit, np.float32(1), glimpses).astype(np.float32)
    layer = layer_of(small, seen)
    alpha, misfit = _solved(small, layer, sure, open_to, threads)
    through = seen_through(small, layer, (alpha, misfit), sure, back, gapped) & ~heart
    through = grown(through, 3.0) & ~sure
    # Away from gaps a grey plate's light, met deep inside what a network is sure of, is a sheen on its grain.
    through &= gapped | colored | (network < 0.9) | (inside < _RIM * longest)
    through &= gapped | (network < 0.5) | ~as_dark(small, layer)
    deepest = deepest_shadow(small, layer)
    if deepest.any():
        back |= deepest
        seen[deepest] = 1
        layer = layer_of(small, seen)
    part = _edged(small, (~small.ray | small.thin) & ~back & (alpha > 0.15) & (network < 0.5)) | (
        (network > 0.5) & ~back
    )
    subject = part & joined(grown(part, 3), (network > 0.5) & ~back)
    depth = distance_to(~subject)
    front = subject & (depth > 2.5) & ~through & ((network > 0.5) | (alpha > 0.97))
    trimap = np.where(front, 1, np.where(grown(subject, 1.5), 0.5, 0)).astype(np.float32)
    prior = np.where(through, alpha, network).astype(np.float32)
    beside = grown(through & core & (colored | gapped), BESIDE * longest) & ~heart
    return Parts(layer, seen, trimap, prior, front | (sure & (depth > 2)), beside, beside | colored, colors)


def _solved(
    small: SmallPicture, layer: LinearRGB, sure: Area, where: Area, threads: int | None
) -> tuple[Matte, Planes]:
    """Solve alpha of the small picture, with how badly it explains each pixel, and how badly a solid one would."""
    front, variance = spread_of(small.light, sure)
    alpha, misfit = (small.network > 0.5).astype(np.float32), np.zeros((*small.network.shape, 2), np.float32)
    back = np.ascontiguousarray(small.plate * layer)
    view = whole(*alpha.shape)
    solved = Solved(small.light, small.network, where & ~sure, view, view)
    model = Model(front, variance, small.plate, back, small.table, as_array(SMALL))
    parallel_rows(solve_alpha, len(alpha), solved, model, misfit, alpha, threads=threads)
    alpha[sure] = 1
    return alpha, misfit


def _edged(small: SmallPicture, area: Area) -> Area:
    """The parts of ``area`` with an edge round most of them; a shadow that is tinted fades out."""
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)
    edge = range_about(np.log(np.maximum(small.share, 0.01)), 5) + range_about(small.off, 5) > 0.12
    rim = area & (cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    edged = np.bincount(labels[rim & edge], minlength=count) / np.maximum(np.bincount(labels[rim], minlength=count), 1)
    kept = edged > 0.6
    kept[0] = False
    return np.asarray(kept[labels])
