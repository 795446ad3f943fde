"""Masks for single pictures: a given one, the picture's own transparency, or the tiers'."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.masks.tiers import LADDER, MASK_TIERS
from resources.masks.vitmatte import VitMatte
from resources.registry import family
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.alpha import GIVEN, Alpha
from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.codec import Picture, reduced
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import NO_ANSWER, Mask, MaskRequest
from vivid_assets.masking.matting import matted
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.settings import MasksSettings, Settings, configured, find_model, tier_name

OWN_ALPHA = "the source itself"


@dataclass(frozen=True)
class Solved:
    """A picture and its mask."""

    picture: Picture
    small: NDArray[np.uint8]
    """H×W×3 sRGB, the picture at the models' size, over white where it is transparent."""
    mask: Mask
    alpha: Alpha
    """The mask as it goes into the composite: a given one at its own size, a network's at the models'."""
    by: str
    """Who made the mask."""
    notes: tuple[str, ...]

    @property
    def from_source(self) -> bool:
        return self.alpha.origin == "own"

    @property
    def own_alpha(self) -> NDArray[np.float32] | None:
        """The picture's own transparency at the models' size, where the mask is that; h×w, 0..1."""
        return self.mask.alpha if self.from_source else None

    @property
    def visible(self) -> NDArray[np.float32] | None:
        """What of the picture is to be seen, H×W, 0..1, where the mask is not its own transparency."""
        own = self.picture.alpha
        return None if own is None or self.from_source else shown_alpha(own)

    @property
    def full_size(self) -> NDArray[np.float32]:
        """The mask at the picture's size, H×W, 0..1: the source's own as it is, 0 where the source shows nothing."""
        if self.from_source:
            return self.alpha.values
        large = upsample_alpha(self.mask.alpha, opaque(self.picture))
        return large if self.visible is None else large * self.visible


class Masks:
    """Masks by the settings' tiers, or by ``tiers``; models are loaded once, by the first picture that needs them."""

    def __init__(self, settings: Settings, leases: ExitStack, tiers: tuple[str, ...] | None) -> None:
        """Nothing is loaded yet. Raises ValueError for a tier that does not exist."""
        self._settings = settings
        self._leases = leases
        names = tiers or tiers_of(settings.masks)
        check_tiers(names)
        self._names = names
        self.note: str | None = None
        """What is not installed of the tiers, once one was needed."""

    @cached_property
    def _ladder(self) -> Ladder:
        tiers = make_tiers(self._names, lambda name: find_model(MASK_TIERS, name, self._settings), self._leases)
        return Ladder(tiers, ladder_settings(self._settings.masks))

    @cached_property
    def _matter(self) -> Any:
        if self._settings.masks.matting != "vitmatte":
            return None
        return self._leases.enter_context(configured(VitMatte(), self._settings.entries("vitmatte")).lease())

    def solve(self, picture: Picture, given: Alpha | None = None) -> Solved:
        """The mask of a picture: ``given``, its own transparency, or the tiers'.

        Raises:
            ValueError: the given mask does not fit, or no tier can answer.
            MachineFault: no picture can be processed, such as for want of memory.
        """
        small = opaque(reduced(picture, self._settings.prepared_images.longest))
        notes: tuple[str, ...] = picture.notes
        override = None if picture.alpha is None else Alpha(picture.alpha, "own")
        if given is not None:
            override = given
            notes += override.notes
            if picture.alpha is not None:
                notes += ("the picture is transparent in parts, which stay so",)
        found: Mask | Exception = self._ladder.masks([small], [MaskRequest(override=override)])[0]
        used = override if isinstance(found, Mask) and found.origin in GIVEN else None
        if used is None:
            self.note = self._ladder.note
        if self._matter is not None and isinstance(found, Mask):
            (found,) = matted([found], [small], self._matter)
        if isinstance(found, Exception):
            raise found
        if found.verdict == NO_ANSWER:
            raise ValueError(found.degraded or found.reason)
        if used is None:
            # As a run reads it from its file, so that both make the same picture.
            found = replace(found, alpha=decode_mask(encode_mask(found.alpha)))
        if override is not None and used is None:
            notes += (found.tried[0].reason,)
        if used is not None and found.review:
            notes += (found.reason,)
        by = {"person": "your own", "own": OWN_ALPHA}.get(found.origin, found.tier)
        return Solved(picture, small, found, used or Alpha(found.alpha, found.origin), by, notes)


def check_tiers(names: tuple[str, ...]) -> None:
    """Raise ValueError for a tier that does not exist."""
    for name in names:
        if family(name) not in MASK_TIERS.names():
            raise ValueError(f"There is no mask tier {name!r}; there are {', '.join(MASK_TIERS.names())}.")
        tier_name(name)


def tiers_of(wanted: MasksSettings) -> tuple[str, ...]:
    """The settings' tiers; where these name none, the small network too, which the demo has brought."""
    return wanted.tiers if "tiers" in wanted.model_fields_set else LADDER
