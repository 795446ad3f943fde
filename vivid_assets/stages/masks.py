"""Masks: what is subject and what is wall, by the first tier whose answer is good."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.masks.tier import MaskModel
from resources.masks.tiers import MASK_TIERS
from resources.masks.vitmatte import VitMatte
from resources.store.store import Store
from vivid_assets.catalogue.identity import is_clip
from vivid_assets.catalogue.wishes import AT_DESK, read_kept_mask
from vivid_assets.imaging.core.alpha import Alpha, Origin, fit_alpha
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.imaging.io.read_mask import read_mask
from vivid_assets.imaging.matte.quality import GOOD
from vivid_assets.masking.clip_masks import ClipMasks
from vivid_assets.masking.ladder import Attempt, Ladder, trouble
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import NO_ANSWER, Mask, MaskRequest, TierRecord
from vivid_assets.masking.matting import matted
from vivid_assets.masking.model import Tier
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.rows.columns import Degraded, Int32, StoredFile
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.keys import degraded_key
from vivid_assets.rows.stage import RowInput, Stage, artefact
from vivid_assets.settings import Settings, find_model
from vivid_assets.stages.clips.kept import Parts
from vivid_assets.stages.clips.masks import MadeMasks, WantedMasks, make_clip_masks
from vivid_assets.stages.deployment import wanted_revision
from vivid_assets.stages.stage import Pictures, Shard, StageWork

_LEAST = 8
"""Pictures that are solved at a time, at least: a core each for the networks and filters of the CPU."""


@dataclass(frozen=True)
class MaskRow:
    """A picture's mask, and how good it is."""

    file: StoredFile
    tier: str
    verdict: str
    reason: str
    figures: str
    """What the quality check measured, JSON."""
    tried: str
    """The tiers that were asked, and why each was or was not taken, JSON."""
    degraded: Degraded
    review: bool
    """Whether a person should look at the mask."""
    line_art: bool
    line_art_probability: float
    """Estimated probability that the picture is line art."""
    origin: Origin
    """Kind of alpha: a person's mask, the source's own, a network's probability or matte, or a drawing."""
    notes: Sequence[str]
    """How a mask's file was read, in words."""
    right: float | None
    edge_right: float | None
    frames_file: StoredFile | None = None
    """Of a clip, the masks and shadows of all its frames; ``file`` is the mask of the one that stands for it."""
    flagged_frames: Int32 | None = None
    """Frames of a clip whose masks are those of their neighbours."""
    lost_frames: Int32 | None = None
    """Those of them in which the tier has not found the subject."""
    lost_share: float | None = None
    """The same as a share of all its frames."""
    flicker: float | None = None
    """Share of a clip's subject that comes or goes from one frame to the next though nothing moves it."""


@dataclass(frozen=True)
class AskedMask:
    """The picture's content, and what the user asks for, as the ledger has them."""

    content: str
    mask: str
    mask_content: str
    tier: str
    box: str


@dataclass(frozen=True)
class PreparedForMask:
    """The picture, its own transparency, and the size that a box is given at."""

    file: str
    alpha_file: str | None
    source_width: Int32
    source_height: Int32
    still: Int32 | None


Loaded = tuple[np.ndarray, Mask | Attempt] | RowInput
"""A picture that the ladder has begun with, or a clip."""
Solved = Mask | Attempt | MadeMasks


class MakeMasks(StageWork[Loaded, Solved, MaskRow]):
    """The tiers' masks of a batch of pictures; clips come one by one, after all pictures.

    What needs no model is done in the threads that load and save, so that a GPU is asked about one batch while the
    masks of the last are finished.
    """

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        super().__init__(stage, shard, leases)
        wanted = shard.settings.masks
        vitmatte = shard.model(VitMatte, "vitmatte") if wanted.matting == "vitmatte" else None
        self._matter = leases.enter_context(vitmatte.lease()) if vitmatte else None
        here = make_tiers(wanted.tiers, lambda name: shard.model_of(MASK_TIERS, name), leases)
        tiers = [_wanted(shard.store, tier) for tier in here]
        absent = [(tier, tier.missing) for tier, one in zip(here, tiers, strict=True) if tier.missing != one.missing]
        self._ladder = Ladder(tiers, ladder_settings(wanted))
        if self._ladder.note:
            shard.log.info("%s", self._ladder.note)
        # The models cut it to their own sizes; a small one for a small GPU must not slow down what works on the CPU.
        self.batch_size = max(_LEAST, *(tier.at_once for tier in here), vitmatte.batch_size if vitmatte else 1)
        # The revision has it, where it is asked for.
        self.settings = wanted.model_dump(mode="json", exclude={"matting"})
        self.revision = {"ladder": self._ladder.revision} | ({"vitmatte": vitmatte.revision} if vitmatte else {})
        self.lacking = "; ".join(trouble(tier.name, reason) for tier, reason in absent) or None
        self.order = self.alone = lambda row: is_clip(row.read(AskedMask).content)

    def load(self, row: RowInput) -> Loaded:
        asked, prepared = row.read(AskedMask), row.read(PreparedForMask)
        if is_clip(asked.content):
            return row
        image = self.stored(prepared.file, decode).rgb
        override = None
        if asked.mask:
            override = persons_mask(self.shard, asked.mask, asked.mask_content, *image.shape[:2])
        elif prepared.alpha_file:
            override = Alpha(self.stored(prepared.alpha_file, decode_mask), "own")
        box = _box_shares(asked.box, prepared.source_width, prepared.source_height)
        return image, self._ladder.begin(image, MaskRequest(tier=asked.tier or None, box=box, override=override))

    def compute(self, batch: Sequence[Loaded]) -> Sequence[Solved | Exception]:
        pictures = [one for one in batch if not isinstance(one, RowInput)]
        begun = [one for _, one in pictures]
        self._ladder.ask(begun)
        made: Iterator[Mask | Attempt | Exception] = iter(begun)
        if self._matter is not None:
            made = iter(matted(self._ladder.finish_all(begun), [image for image, _ in pictures], self._matter))
        return [self._clip(one) if isinstance(one, RowInput) else next(made) for one in batch]

    def _clip(self, row: RowInput) -> MadeMasks | Exception:
        """The masks of a clip, or why there are none."""
        asked, shard, catalogue = row.read(AskedMask), self.shard, self.shard.source.name
        tiers = [replace(tier, load=partial(self._ladder.loaded, tier)) for tier in self._ladder.tiers]
        if asked.tier and asked.tier not in {tier.name for tier in tiers}:
            return PictureFailure(f"tier {asked.tier!r} is not one of {[tier.name for tier in tiers]}")
        maker = ClipMasks(tiers, self._ladder.settings, shard.settings.prepared_images.longest, shadows=True)
        wanted = WantedMasks(
            name=row.picture,
            content=asked.content,
            still=row.read(PreparedForMask).still or 0,
            file=lambda lacks: artefact(catalogue, self.stage, degraded_key(row.key, lacks), ".zip"),
            lacking=self.lacking,
            only=asked.tier or None,
        )
        try:
            return make_clip_masks(maker, shard, Parts(shard.store, catalogue, self.stage, row.key), wanted)
        except ModelUnavailable as error:
            if not asked.tier:
                raise
            return PictureFailure(str(error), transient=True)
        except (PictureFailure, ValueError, OSError) as error:
            return error

    def save(self, row: RowInput, computed: Solved) -> MaskRow:
        if isinstance(computed, MadeMasks):
            return self._clip_row(row, computed)
        mask = self._ladder.finish(computed)
        if mask.verdict == NO_ANSWER:
            raise PictureFailure(mask.reason, transient=mask.degraded is not None)
        return MaskRow(
            file=self.keep(degraded_key(row.key, mask.degraded), ".png", encode_mask(mask.alpha)),
            tier=mask.tier,
            verdict=mask.verdict,
            reason=mask.reason,
            figures=json.dumps(dict(mask.figures)),
            tried=json.dumps([record.as_dict() for record in mask.tried]),
            degraded=mask.degraded,
            review=mask.review,
            line_art=mask.line_art,
            line_art_probability=mask.line_art_probability,
            origin=mask.origin,
            notes=mask.notes,
            right=mask.right,
            edge_right=mask.edge_right,
        )

    def _clip_row(self, row: RowInput, made: MadeMasks) -> MaskRow:
        asked = row.read(AskedMask)
        verdict, reason = made.verdict
        tried = [TierRecord(tier, "lost", why, {}, 0.0) for tier, why in made.passed.items()]
        tried.append(TierRecord(made.tier, verdict, reason, {}, 0.0))
        unused = {"a mask of yours": asked.mask, "a box": asked.box, "matting": self._matter}
        return MaskRow(
            file=self.keep(degraded_key(row.key, made.degraded), ".png", made.still),
            tier=made.tier,
            verdict=verdict,
            reason=reason,
            figures=json.dumps({}),
            tried=json.dumps([record.as_dict() for record in tried]),
            degraded=made.degraded,
            review=verdict != GOOD or made.degraded is not None,
            line_art=False,
            line_art_probability=0.0,
            origin="probability",
            notes=[*made.remarks, *(f"{what} is not used for clips" for what, given in unused.items() if given)],
            right=None,
            edge_right=None,
            frames_file=made.file,
            flagged_frames=len(made.flagged),
            lost_frames=made.lost,
            lost_share=round(made.lost / len(made.notes), 4),
            flicker=made.flicker,
        )

    def show(self, picture: str, made: MaskRow) -> Pictures:  # noqa: ARG002
        return [np.rint(decode_mask(self.shard.store.read(made.file)) * 255).astype(np.uint8)]

    def report(self, outcome: Any) -> Mapping[str, Any]:  # noqa: ARG002
        """Which tiers are not installed, and which are but could not be loaded."""
        for tier, reason in self._ladder.unavailable.items():
            self.shard.log.warning("The tier %s could not be loaded: %s", tier, reason)
        broken = "; ".join(f"{tier}: {reason}" for tier, reason in self._ladder.unavailable.items())
        found = {"tiers not installed": self._ladder.note, "tiers that could not be loaded": broken}
        return {name: said for name, said in found.items() if said}


def tiers_of(store: Store, settings: Settings) -> dict[str, str]:
    """By tier of the settings, in their order: why no machine of the deployment has it; empty for one that some has."""
    with ExitStack() as leases:
        here = make_tiers(settings.masks.tiers, lambda name: find_model(MASK_TIERS, name, settings), leases)
    return {
        tier.name: tier.missing if tier.missing and wanted_revision(store, _part(tier), None) is None else ""
        for tier in here
    }


def _part(tier: Tier) -> str:
    """Under what the deployment's record has a tier."""
    return f"tier {tier.name}"


def _wanted(store: Store, tier: Tier) -> Tier:
    """``tier`` as it is asked: one that is not installed here, but was or is elsewhere, is wanted and cannot load."""
    revision = wanted_revision(store, _part(tier), None if tier.missing else tier.revision)
    if not tier.missing or revision is None:
        return tier
    reason = tier.missing

    def load() -> MaskModel:
        raise ModelUnavailable(reason)

    return replace(tier, load=load, revision=revision, missing=None)


def persons_mask(shard: Shard, name: str, content: str, height: int, width: int) -> Alpha:
    """The mask of that name and content in the catalogue's ``overrides`` folder, or from the desk, at a picture's size.

    Raises PictureFailure, which names it.
    """
    try:
        at_desk = name.startswith(AT_DESK)
        data = read_kept_mask(shard.store, shard.source.name, content) if at_desk else shard.source.read(name, content)
        found = read_mask(data)
        return replace(found, values=fit_alpha(found.values, height, width))
    except ValueError as error:
        raise PictureFailure(f"Its mask {name!r} cannot be used: {error}") from error


def _box_shares(box: str, width: int, height: int) -> tuple[float, float, float, float] | None:
    """A box in pixels of the source as shares of it, cut to the picture."""
    if not box:
        return None
    left, top, right, bottom = (int(side) for side in box.split(","))
    return left / width, top / height, min(1.0, right / width), min(1.0, bottom / height)
