"""Review: a page of the shard's pictures; those that need review come first."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.review.edges import edge_map
from vivid_assets.review.look import FINE, judge_look
from vivid_assets.review.page import page_digest, review_page, rows_digest
from vivid_assets.review.share import shared_out
from vivid_assets.review.thumbnails import LONGEST_TO_JUDGE, LONGEST_TO_SEE, thumbnail
from vivid_assets.rows.columns import Int8, Int32
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK, RowInput, Stage, WhateverBecame
from vivid_assets.rows.tables import read_rows
from vivid_assets.stages.clips.masks import masks_sheet
from vivid_assets.stages.clips.source import opened_pack
from vivid_assets.stages.stage import EachPicture, Pictures, Shard

_SURE = 0.9
"""Estimate from which a mask that nothing speaks against is shown small."""


@dataclass(frozen=True)
class Reviewed:
    """One picture for a person to look at, failed ones too."""

    outcome: str
    """What became of the picture: ok, failed or to do."""
    rank: Int8
    """What to look at first: 0 to 4 need a look, above them nothing does."""
    why: Sequence[str]
    """Why it needs a look, in words."""
    tier: str | None
    verdict: str | None
    reason: str | None
    leakage: float | None
    generator: str | None
    prompt: str | None
    composite: str | None
    """The composite's file in the store."""
    source_width: Int32 | None
    source_height: Int32 | None
    right: float | None
    edge_right: float | None
    frames: Int32 | None
    """Frames of a clip; null: a picture."""
    flagged_frames: Int32 | None
    flicker: float | None
    before: bytes | None
    """The source, a small WebP."""
    mask: bytes | None
    """Its mask, a small WebP."""
    edges: bytes | None
    """Where the mask's edge is unsure; of a clip its flagged frames, and verdict and flicker over its time."""
    after: bytes | None
    """The composite, a small WebP."""


@dataclass(frozen=True)
class PreparedToSee(WhateverBecame):
    """The picture before."""

    file: str | None
    source_width: Int32 | None
    source_height: Int32 | None
    frames: Int32 | None


@dataclass(frozen=True)
class WordsToSee(WhateverBecame):
    """What the user asked for."""

    user_prompt: str | None


@dataclass(frozen=True)
class BackgroundToSee(WhateverBecame):
    """Who made the background."""

    generator: str | None
    degraded: str | None


@dataclass(frozen=True)
class MaskToSee(WhateverBecame):
    """The mask and its verdict."""

    file: str | None
    tier: str | None
    verdict: str | None
    reason: str | None
    degraded: str | None
    review: bool | None
    right: float | None
    edge_right: float | None
    frames_file: str | None
    flagged_frames: Int32 | None
    flicker: float | None


@dataclass(frozen=True)
class CompositeToSee(WhateverBecame):
    """The picture after; of a clip also the frame that stands for it."""

    file: str | None
    still_file: str | None
    leakage: float | None
    broken_rules: Sequence[str] | None


class Review(EachPicture[Reviewed]):
    """A row of small pictures each, and a page of them all."""

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        super().__init__(stage, shard, leases)
        # Which of the rows are asked about is the page's affair.
        self.settings = shard.settings.review.model_dump(mode="json", exclude={"review_share"})
        self._share = shard.settings.review.review_share
        self._page = f"review/{shard.name}.html"

    def make(self, row: RowInput) -> Reviewed:
        prepared, words, background = row.read(PreparedToSee), row.read(WordsToSee), row.read(BackgroundToSee)
        mask, composite = row.read(MaskToSee), row.read(CompositeToSee)
        stages: dict[str, WhateverBecame] = {reads.stage.name: row.read(reads.kind) for reads in self.stage.reads}
        limit = self.shard.settings.review.high_leakage
        judged = judge_look(stages, mask, background, composite, high_leakage=limit)
        is_plainly_fine = judged.rank == FINE and (mask.right is None or mask.right >= _SURE)
        longest = LONGEST_TO_SEE if is_plainly_fine else LONGEST_TO_JUDGE
        return Reviewed(
            outcome=judged.outcome,
            rank=judged.rank,
            why=judged.why,
            tier=mask.tier,
            verdict=mask.verdict,
            reason=mask.reason,
            leakage=composite.leakage,
            generator=background.generator,
            prompt=words.user_prompt,
            composite=composite.file,
            source_width=prepared.source_width,
            source_height=prepared.source_height,
            right=mask.right,
            edge_right=mask.edge_right,
            frames=prepared.frames,
            flagged_frames=mask.flagged_frames,
            flicker=mask.flicker,
            before=self._small(prepared.file, longest),
            mask=thumbnail(self._levels(mask.file), longest) if mask.file else None,
            edges=self._edges(prepared.file, mask, longest),
            after=self._small(composite.still_file or composite.file, longest),
        )

    def show(self, picture: str, made: Reviewed) -> Pictures:  # noqa: ARG002
        if not (made.after and made.before and made.mask):
            return ()
        return [decode(file, longest=112).rgb for file in (made.before, made.mask, made.after)]

    def is_up_to_date(self, pictures: Sequence[Mapping[str, Any]]) -> bool:
        shown = rows_digest(self._current(), self._share)
        return super().is_up_to_date(pictures) and self._written_with() == shown

    def report(self, outcome: Outcome) -> Mapping[str, Any]:
        """The page, which is written anew when one of its rows changed."""
        rows, store = outcome.with_status(OK), self.shard.store
        target = store.path(self._page)
        shown = rows
        while self._written_with() != rows_digest(shown, self._share):
            store.write(self._page, review_page(self.shard.name, shown, self._share))
            # While this run stood still another one may have written its table, and its page.
            shown = self._current()
        return {
            "page": target,
            "page MB": round(target.stat().st_size / 1e6, 1),
            "needs review": sum(row["rank"] != FINE for row in shared_out(rows, self._share)),
        }

    def _current(self) -> list[dict[str, Any]]:
        """The rows that the page is to show."""
        rows = read_rows(self.shard.store, self.stage, self.shard.name).values()
        return [row for row in rows if row["status"] == OK]

    def _small(self, file: str | None, longest: int) -> bytes | None:
        if not file:
            return None
        return thumbnail(self._picture(file, longest), longest)

    def _picture(self, file: str, longest: int) -> RGB8:
        max_pixels = self.shard.max_pixels
        return self.stored(file, lambda data: opaque(decode(data, longest=longest, max_pixels=max_pixels)))

    def _edges(self, file: str | None, mask: MaskToSee, longest: int) -> bytes | None:
        """Where the edge of a mask that was estimated is unsure; of a clip the sheet."""
        if mask.frames_file:
            with opened_pack(self.shard.store, mask.frames_file) as masks:
                sheet = masks_sheet(masks)
            return thumbnail(sheet, max(sheet.shape[:2]))
        if not file or not mask.file or mask.right is None:
            return None
        picture = self._picture(file, LONGEST_TO_JUDGE)
        alpha = fit_alpha(self.stored(mask.file, decode_mask), *picture.shape[:2])
        return thumbnail(edge_map(picture, alpha, longest), longest)

    def _levels(self, file: str) -> np.ndarray:
        levels: np.ndarray = np.rint(self.stored(file, decode_mask) * 255).astype(np.uint8)
        return levels

    def _written_with(self) -> str | None:
        """The digest of the rows that the page shows; None where there is no page."""
        store = self.shard.store
        if not store.exists(self._page):
            return None
        with store.path(self._page).open("rb") as page:
            return page_digest(page.read(400))
