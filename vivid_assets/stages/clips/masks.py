"""The masks of a clip, as the stage of masks makes them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from resources.spelling import counted
from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.layer_files import encode_layer
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.imaging.matte.quality import GOOD
from vivid_assets.masking.clip_masks import OVERRULED, OVERRULED_REASON, ClipMasks, FrameMask
from vivid_assets.masking.ladder import trouble
from vivid_assets.review.clip_sheet import FrameVerdict, ShownFrame, clip_sheet, frames_to_show
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.stages.clips.kept import KeptMask, KeptMasks, Parts
from vivid_assets.stages.clips.kept_reading import KeptReading
from vivid_assets.stages.clips.packed import Packed, Packer, shadow_name
from vivid_assets.stages.clips.source import Pixels, opened_clip, opened_pack
from vivid_assets.stages.stage import Shard

_LOST = frozenset({"lost", "empty", "broke"})
"""Verdicts on frames in which the tier has not found the subject."""
_FLAGGED = 0.1
"""Share of flagged frames above which a person should look at the clip."""
_TELL_SECONDS = 10.0


class Note(NamedTuple):
    """What is kept of a frame's mask besides its picture."""

    verdict: str
    reason: str
    scene: int
    flicker: float | None


@dataclass(frozen=True)
class MadeMasks:
    """The masks of a clip's frames, in the store."""

    file: str
    """All of them; see ``stages.clips.packed``."""
    still: bytes
    """That of the frame that stands for the clip, as PNG."""
    tier: str
    notes: Sequence[Note]
    """By frame."""
    remarks: Sequence[str]
    degraded: str | None
    passed: Mapping[str, str]
    """By tier that was asked and passed over: why."""
    overruled: bool = False
    """Whether what never moves was left out though the tier takes it for a part of the subject."""

    @property
    def flagged(self) -> list[int]:
        """Numbers of the frames whose masks are those of their neighbours."""
        return _flagged(self.notes)

    @property
    def lost(self) -> int:
        """How many frames the tier has not found the subject in."""
        return sum(note.verdict in _LOST for note in self.notes)

    @property
    def flicker(self) -> float | None:
        """Mean share of the subject that comes or goes from one frame to the next though nothing moves it."""
        known = [note.flicker for note in self.notes if note.flicker is not None]
        return round(float(np.mean(known)), 5) if known else None

    @property
    def verdict(self) -> tuple[str, str]:
        """``good``, ``overruled``, or the commonest fault of its frames, and the reason."""
        flagged = self.flagged
        if self.overruled:
            return OVERRULED, OVERRULED_REASON
        if len(flagged) <= _FLAGGED * len(self.notes):
            return GOOD, f"{len(flagged)} of {counted(len(self.notes), 'frame')} flagged"
        (worst, count), *_ = Counter(self.notes[number].verdict for number in flagged).most_common(1)
        return worst, f"{len(flagged)} of {counted(len(self.notes), 'frame')} flagged, {count} of them {worst}"


@dataclass(frozen=True)
class WantedMasks:
    """A clip whose masks are to be made."""

    name: str
    content: str
    still: int
    """Number of the frame that stands for it."""
    file: Callable[[str | None], str]
    """Where they are to be in the store, by what they are made without."""
    lacking: str | None
    """What this machine is known to lack."""
    only: str | None
    """The one tier that may be asked."""


def make_clip_masks(maker: ClipMasks, shard: Shard, parts: Parts, wanted: WantedMasks) -> MadeMasks:
    """Make the masks of a clip, or go on with them.

    Args:
        maker: by what tiers; it measures shadows.
        shard: where the clip is.
        parts: where unfinished masks are kept.
        wanted: the clip.

    Raises:
        PictureFailure, ValueError: the clip cannot be read.
        ModelUnavailable: no tier can be loaded.
    """
    for lacks in dict.fromkeys((None, wanted.lacking)):
        if made := _made(shard, wanted.file(lacks), wanted.still):
            return made
    progress = _Progress(shard, wanted.name)
    with opened_clip(shard, wanted.name, wanted.content) as opened, TemporaryDirectory(prefix="vivid-masks-") as folder:
        frames, place = Pixels(opened), Path(folder)
        survey = maker.survey(frames, place, progress, kept=KeptReading(parts, frames, place), only=wanted.only)
        kept = KeptMasks(parts, survey.tier)
        packer, notes, still = Packer(place / "masks.zip"), list[Note](), b""

        def take(number: int, mask: KeptMask) -> None:
            nonlocal still
            still = mask.png if number == wanted.still else still
            packer.add_picture(number, mask.png)
            if mask.shadow is not None:
                packer.add(shadow_name(number), mask.shadow)
            notes.append(Note(*mask.note))

        rest = kept.earlier(take)
        for number, mask in enumerate(maker.smoothed(survey, frames, rest), start=len(notes)):
            shadow = None if mask.shadow is None else encode_layer(mask.shadow)
            one = KeptMask(encode_mask(mask.alpha), _note(mask), shadow)
            take(number, one)
            kept.add(number, one, mask.rest)
            progress("smoothing", number + 1)
        degraded = "; ".join(trouble(tier, reason) for tier, reason in maker.broken.items()) or None
        for number in frames_to_show(_flagged(notes), len(notes)):
            packer.add(_seen(number), encode(survey.frame(number), format="jpeg", quality=85))
        said: dict[str, Any] = {"tier": survey.tier, "degraded": degraded, "passed": maker.passed}
        said["overruled"] = survey.overruled
        said["remarks"] = [*opened.notes]
        packer.close(said | {"frames": notes})
        file = wanted.file(degraded)
        shard.store.write_file(file, place / "masks.zip")
    parts.remove()
    return MadeMasks(file, still, notes=notes, **said)


def masks_sheet(masks: Packed) -> RGB8:
    """The sheet for the review of a clip, from its file of masks. Raises UnreadablePicture."""
    notes = [Note(*note) for note in masks.notes["frames"]]
    shown = []
    for number in frames_to_show(_flagged(notes), len(notes)):
        levels = np.rint(decode_mask(masks.picture(number)) * 255).astype(np.uint8)
        shown.append(ShownFrame(number, decode(masks.read(_seen(number))).rgb, levels))
    scenes = [note.scene for note in notes]
    begins = [scene != before for scene, before in zip(scenes, [-1, *scenes], strict=False)]
    return clip_sheet(
        shown,
        [
            FrameVerdict(note.verdict != GOOD, note.verdict in _LOST, note.flicker, begin)
            for note, begin in zip(notes, begins, strict=True)
        ],
    )


def _seen(number: int) -> str:
    """What a small copy of a frame is called."""
    return f"frames/{number:06d}.jpg"


def _flagged(notes: Sequence[Note]) -> list[int]:
    return [number for number, note in enumerate(notes) if note.verdict != GOOD]


def _note(mask: FrameMask) -> Note:
    flicker = None if mask.flicker is None else round(mask.flicker, 5)
    return Note(mask.verdict, mask.reason, mask.scene, flicker)


def _made(shard: Shard, file: str, still: int) -> MadeMasks | None:
    """The masks that are there under this name: a run that was killed had them finished, and not noted."""
    with suppress(FileNotFoundError, PictureFailure), opened_pack(shard.store, file) as found:
        said = {**found.notes}
        frames = [Note(*note) for note in said.pop("frames")]
        return MadeMasks(file, found.picture(still), notes=frames, **said)
    return None


class _Progress:
    """A line in the log every ten seconds."""

    def __init__(self, shard: Shard, name: str) -> None:
        self._shard, self._name, self._told = shard, name, time.monotonic()

    def __call__(self, step: str, frame: int) -> None:
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            self._shard.log.info("masks %s: %s: %s, %s", self._shard.name, self._name, step, counted(frame, "frame"))
