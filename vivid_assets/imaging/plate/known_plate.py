"""Alpha of a subject before a plain background, whose plate the photograph shows.

A pixel is I = αF + (1 − α)·S·P: the subject F, the plate P, and the share S of its light that the subject leaves. A
network says roughly where the subject is. What lies on the ray S·P and is as flat as the plate is background, however
dark; what does not is subject. Where the plate shows through a subject that has no such colour of its own (hair,
leaves, meshes), a network's solid place is doubted. Subject and background are separated in a small picture; in
between, at the picture's own size, alpha is the most probable one given both colours, their spread and the noise,
twice: the second time with the colours of the solid pixels next to each.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import grown
from vivid_assets.imaging.core.arrays import LinearRGB, Matte
from vivid_assets.imaging.core.noise import noise_variances, reduced_noise
from vivid_assets.imaging.core.unmix import Model
from vivid_assets.imaging.plate.find_plate import plate_of
from vivid_assets.imaging.plate.full_alpha import full_alpha
from vivid_assets.imaging.plate.in_shadow import FLARE, layer_of
from vivid_assets.imaging.plate.separation import BESIDE, Parts, separate_plate
from vivid_assets.imaging.plate.small_picture import SmallPicture, small_picture
from vivid_assets.imaging.plate.spreads import FULL, are_alike, as_array, spread_of

ALIKE = "the subject and the original background look alike: its alpha is the network's"
"""The note where white stands on white, or black on black."""
_BARE = 0.02
"""Alpha of the small picture up to which its light is the background's."""
_RINGING = 5.0
"""Levels of 8 bits: what a lossy codec, which removes a capture's noise elsewhere, makes of it beside an edge."""


@dataclass(frozen=True)
class KnownPlate:
    """What the photograph knows of its subject and background."""

    alpha: Matte | None
    """float32 H×W, 0..1, of the picture's size; None where it was not solved, or the photograph has no say."""
    plate: LinearRGB
    """float32 h×w×3, linear light, small."""
    layer: LinearRGB
    """float32 h×w×3: the shadow, see ``shadow_layer``."""
    note: str = ""
    """Why the photograph has no say; empty where it has."""

    @property
    def back(self) -> LinearRGB:
        """The background as it is seen: the plate in the shadow. float32 h×w×3."""
        return np.ascontiguousarray(self.plate * self.layer)


def solve_known_plate(
    light: LinearRGB,
    alpha: Matte,
    noise: float,
    *,
    solve: bool,
    plate: LinearRGB | None = None,
    lossy: bool = False,
    threads: int | None = None,
) -> KnownPlate | None:
    """Solve alpha and shadow of a picture before a plain background; None where it is busy or the subject unseen.

    Args:
        light: float32 H×W×3, linear light: the picture.
        alpha: float32 h×w, 0..1, of any size of the same aspect.
        noise: the capture's, in levels of 8 bits.
        solve: whether ``alpha`` is a network's, which the photograph may correct; else it tells the shadow only.
        plate: see ``plate_of``; found where it is not given.
        lossy: whether a lossy codec has left its errors beside the edge.
        threads: the most to use.

    """
    plate = plate_of(light, alpha, noise, max(light.shape)) if plate is None else plate
    if plate is None:
        return None
    small = small_picture(light, alpha, plate, noise)
    if lossy:
        noise = max(noise, _RINGING)
        small = replace(small, table=noise_variances(reduced_noise(noise, small.longest, max(light.shape))))
    if not solve:
        seen = small.ray & ~grown(small.network > 0.01, 1.5)
        return KnownPlate(None, small.plate, layer_of(small, seen.astype(np.float32)))
    parts = separate_plate(small, threads)
    if parts is None:
        return None
    back = np.ascontiguousarray(small.plate * parts.layer)
    front, variance = spread_of(small.light, parts.front)
    if are_alike(front, variance, back, parts.trimap, small.table):
        return KnownPlate(None, small.plate, _final_layer(small, parts, small.network), ALIKE)
    model = Model(front, variance, small.plate, back, noise_variances(noise), as_array(FULL))
    solved = full_alpha(light, parts, model, threads)
    return KnownPlate(solved, small.plate, _final_layer(small, parts, solved))


def _final_layer(small: SmallPicture, parts: Parts, alpha: Matte) -> LinearRGB:
    """Measure the shadow once more, where no subject was found: steep at a subject's foot, as it is there."""
    found = np.asarray(cv2.resize(alpha, small.share.shape[::-1], interpolation=cv2.INTER_AREA)) > _BARE
    foot = grown(found, BESIDE * small.longest) & ~grown(found, 1) & (small.ray | (small.off < FLARE))
    return layer_of(small, np.where(foot, np.float32(1), parts.seen))
