"""Asset checks: whether a shard's rows are good enough for what follows, and as good as its catalogue's always were."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

from partitions.shards import catalogue_of
from resources.masks.tiers import MASK_TIERS
from resources.scenes.generators import NOT_GENERATED
from resources.store.store import Store
from vivid_assets.catalogue.progress import read_progress, shards_noted
from vivid_assets.imaging.io.codec import decode
from vivid_assets.masking.mask import UNAVAILABLE
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import FAILED, OK, SKIPPED, Stage
from vivid_assets.settings import ChecksSettings

_NAMED = 10
_LEAST_HISTORY = 100
_AT_ONCE = 20
"""Shards whose notes are read at a time."""
_BLACK = 12


@dataclass(frozen=True)
class Judged:
    """What a check says of a shard, and the figures that later shards are compared with."""

    passed: bool
    sentence: str
    figures: Mapping[str, float]
    severity: Literal["warn", "error"] | None = None
    """None: as the settings say."""


@dataclass(frozen=True)
class Check:
    """A check of one stage's shards."""

    name: str
    description: str
    judge: Callable[[Outcome, "Context"], Judged]
    blocking: bool = False


@dataclass(frozen=True)
class Context:
    """What a check may look at besides the rows."""

    store: Store
    stage: Stage
    shard: str
    limits: ChecksSettings

    def noted(self) -> dict[str, Any]:
        """What was noted of this stage and shard the last time."""
        return read_progress(self.store, [self.shard])[self.shard].get(self.stage.name, {})

    def earlier(self) -> list[dict[str, Any]]:
        """What was noted of this stage in the catalogue's shards before this one, back to ``history`` pictures."""
        shards = [shard for shard in shards_noted(self.store, catalogue_of(self.shard)) if shard < self.shard]
        found: list[dict[str, Any]] = []
        while shards and sum(entry["pictures"] for entry in found) < self.limits.history:
            shards, latest = shards[:-_AT_ONCE], shards[-_AT_ONCE:]
            progress = read_progress(self.store, latest).values()
            found += [stages[self.stage.name] for stages in progress if self.stage.name in stages]
        return found


def judge_completeness(outcome: Outcome, context: Context) -> Judged:
    """Whether enough pictures came through for the stages that follow."""
    limits = context.limits
    total, good, failed = len(outcome.table), len(outcome.with_status(OK)), outcome.with_status(FAILED)
    tolerated = max(limits.tolerated_pictures, limits.tolerated_share * total)
    # Whatever the shard's size: one corrupt picture that comes alone is no more than one among five hundred.
    # Where nothing came through since an earlier stage has not been run, nothing can follow.
    waiting = [row for row in outcome.with_status(SKIPPED) if row["transient"]]
    stopping = len(failed) > tolerated or bool(waiting and not good)
    return Judged(
        passed=not failed and not stopping,
        sentence=f"{good} of {total} pictures came through{_named('failed', failed)}",
        figures={"failed": len(failed), "tolerated": int(tolerated), "stopped": int(stopping)},
        severity="error" if stopping else "warn",
    )


def judge_whole(outcome: Outcome, context: Context) -> Judged:
    """Whether every row was made with all that was wanted."""
    column = context.stage.degraded or ""
    poor = [row for row in outcome.with_status(OK) if row[column]]
    why = f"; {poor[0][column]}" if poor else ""
    return Judged(
        passed=not poor,
        sentence=f"{len(poor)} pictures were made with less than was wanted{why}",
        figures={"degraded": len(poor)},
    )


def judge_tiers(outcome: Outcome, context: Context) -> Judged:
    """Whether the good tiers did most of the masks: of those that are installed, which is all that a shard can do."""
    rows = outcome.with_status(OK)
    plain = {name for name, tier in MASK_TIERS.working().items() if not tier.is_network}
    networks = {*MASK_TIERS.names()} - plain
    poor = [row for row in rows if row["degraded"] or (row["tier"] in plain and not _had_no_other(row, networks))]
    tiers = ", ".join(f"{tier} {number}" for tier, number in Counter(row["tier"] for row in rows).most_common())
    broken = next((row["degraded"] for row in poor if row["degraded"]), "")
    return Judged(
        passed=len(poor) <= context.limits.last_tier_share * len(rows),
        sentence=f"Masks by {tiers or 'no tier'}" + (f"; {broken}" if broken else ""),
        figures={"last_tier_share": _share(poor, rows)},
    )


def _had_no_other(row: dict[str, Any], networks: set[str]) -> bool:
    """Whether none of the ``networks`` could be asked for this mask."""
    asked = {tried["tier"] for tried in json.loads(row["tried"] or "[]") if tried["verdict"] != UNAVAILABLE}
    return bool(asked) and asked.isdisjoint(networks)


def judge_verdicts(outcome: Outcome, context: Context) -> Judged:
    """Whether doubtful masks are as rare as they always were in this catalogue.

    The expected share is that of the earlier shards with one success and one failure added (Laplace's rule), so that a
    spotless history does not make the first doubtful mask an alarm.
    """
    rows = outcome.with_status(OK)
    doubtful = [row for row in rows if row["review"]]
    earlier = context.earlier()
    pictures = sum(entry["pictures"] for entry in earlier)
    figures = {"pictures": len(rows), "doubtful": len(doubtful)}
    if pictures < _LEAST_HISTORY or not rows:
        return Judged(True, f"{len(doubtful)} of {len(rows)} masks are in doubt; no history to compare with", figures)
    expected, most = _by_history(sum(entry["doubtful"] for entry in earlier), pictures, len(rows), context)
    return Judged(
        passed=_share(doubtful, rows) <= most,
        sentence=(
            f"{_share(doubtful, rows):.1%} of the masks are in doubt; {expected:.1%} in the {len(earlier)} shards "
            f"before (at most {most:.1%} would be chance){_named('in doubt', doubtful)}"
        ),
        figures=figures,
    )


def judge_estimates(outcome: Outcome, context: Context) -> Judged:
    """Whether as few masks are expected to be wrong, by their estimates, as always were in this catalogue."""
    rows = [row for row in outcome.with_status(OK) if row["right"] is not None]
    wrong = round(sum(1 - row["right"] for row in rows), 2)
    earlier = [entry for entry in context.earlier() if "estimated" in entry]
    masks = sum(entry["estimated"] for entry in earlier)
    figures = {"estimated": len(rows), "expected_wrong": wrong}
    if masks < _LEAST_HISTORY or not rows:
        sentence = f"{wrong:.1f} of {len(rows)} estimated masks are expected to be wrong; no history to compare with"
        return Judged(True, sentence, figures)
    # A sum of probabilities varies less than a count of as many would: this allows more than chance.
    expected, most = _by_history(sum(entry["expected_wrong"] for entry in earlier), masks, len(rows), context)
    least = sorted(rows, key=lambda row: row["right"])
    return Judged(
        passed=wrong / len(rows) <= most,
        sentence=(
            f"{wrong / len(rows):.1%} of the masks are expected to be wrong; {expected:.1%} in the {len(earlier)} "
            f"shards before (at most {most:.1%} would be chance){_named('least sure', least)}"
        ),
        figures=figures,
    )


def _by_history(count: float, pictures: int, now: int, context: Context) -> tuple[float, float]:
    """The share expected by ``count`` of the ``pictures`` before, and the most that is chance among ``now``."""
    expected = (count + 1) / (pictures + 2)
    spread = sqrt(expected * (1 - expected) * (1 / now + 1 / pictures))
    return expected, expected + context.limits.verdict_sigmas * spread


def judge_halo(outcome: Outcome, context: Context) -> Judged:
    """Whether the old wall's colour is gone from the edges."""
    limits, rows = context.limits, outcome.with_status(OK)
    visible = [row for row in rows if row["leakage"] is not None and row["leakage"] > limits.leakage]
    such = _named("such as", visible)
    return Judged(
        passed=len(visible) <= limits.halo_share * len(rows),
        sentence=(
            f"{len(visible)} of {len(rows)} composites show the old wall in their edges "
            f"(leakage over {limits.leakage:g}){such}"
        ),
        figures={"halo_share": _share(visible, rows)},
    )


def judge_black(outcome: Outcome, context: Context) -> Judged:
    """Whether the diffusion model gave pictures: a safety filter, or a half-precision overflow, gives black ones."""
    generated = [row for row in outcome.with_status(OK) if row["generator"] not in NOT_GENERATED]
    noted = context.noted()
    if outcome.computed == 0 and "black" in noted:
        number, examples = int(noted["black"]), []
    else:
        files = list({row["file"]: None for row in generated})
        with ThreadPoolExecutor(8) as pool:
            shown = pool.map(lambda file: decode(context.store.read(file), longest=64).rgb.max(), files)
            black = {file for file, brightest in zip(files, shown, strict=True) if brightest < _BLACK}
        examples = [row for row in generated if row["file"] in black]
        number = len(examples)
    return Judged(
        passed=number <= context.limits.black_share * len(generated),
        sentence=f"{number} of {len(generated)} generated backgrounds are black{_named('such as', examples)}",
        figures={"black": number},
    )


COMPLETE = Check(
    "complete",
    "Warns when pictures failed in this stage; an error, which stops the run, above the tolerated number.",
    judge_completeness,
    blocking=True,
)
"""That every stage has."""
WHOLE = Check("whole", "Every row was made with the models that are wanted.", judge_whole)
TIERS = Check("tiers", "Masks by the last tier where others were asked, or with a broken tier, are few.", judge_tiers)
VERDICTS = Check("verdicts", "Doubtful masks are as rare as in the catalogue's earlier shards.", judge_verdicts)
ESTIMATES = Check("estimates", "Masks are as probably right as in the catalogue's earlier shards.", judge_estimates)
BLACK = Check("black", "No generated background is black.", judge_black)
HALO = Check("halo", "The old background's colour is gone from the edges.", judge_halo)


def _share(some: list[Any], rows: list[Any]) -> float:
    return round(len(some) / len(rows), 4) if rows else 0.0


def _named(label: str, rows: list[dict[str, Any]]) -> str:
    names = ", ".join(row["picture"] for row in rows[:_NAMED])
    return f"; {label}: {names}" + (" …" if len(rows) > _NAMED else "") if rows else ""
