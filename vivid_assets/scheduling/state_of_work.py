"""The state of work in Dagster's UI.

Changed settings are observed, and the checks of the asset `catalogues` say what is stale, failed, degraded or left out.

Dagster itself cannot show this: asked for a partitioned asset it always says that it is up to date.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.errors import MachineFault
from resources.models import own_models
from resources.resource import Resource
from resources.spelling import counted
from resources.store.store import Store
from vivid_assets.assets.export import EXPORTED
from vivid_assets.catalogue.outcomes import read_outcome
from vivid_assets.catalogue.progress import state_of, summary_of
from vivid_assets.catalogue.scan import changed_since
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.catalogue.source import Catalogue, each_registered
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import CATALOGUES, Pipeline
from vivid_assets.rows.keys import digest
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.out_of_date import KINDS, Standing, counts_by_stage, each_standing, sentence

_LEAST_SECONDS = 30
_SHARE = 0.05
"""Of the time, the most that goes into looking, however many shards there are."""
_HAS_PICTURES, _SCANNED, _PUBLISHED = "has_pictures", "nothing_left_out", "published"

_DESCRIPTION = """The folders of pictures that the pipeline works on: where everything begins.

**To begin**: launch the job `{add}` with a name and a folder (**Jobs → {add} → Launchpad**). It scans the folder and
has its shards run. Afterwards the job `{scan}` looks for what arrived, or turn on the sensor `{arrivals}` or
the schedule `{nightly}`.

**Each morning**: the checks of this asset say, by stage and catalogue, how many pictures are stale, waiting, failed or
degraded, and what a scan left out. The job `{update}` runs just these; with `dry_run` it only says what it would run.
"""


@dataclass(frozen=True)
class Finding:
    """What one of the checks finds."""

    check: str
    passed: bool
    said: str
    metadata: Mapping[str, Any]


def catalogues_asset(pipeline: Pipeline) -> dg.AssetSpec:
    """The asset itself, which nothing materialises."""
    names = ("add_catalogue", "scan_catalogue", "arrivals", "nightly", "update")
    named = dict(zip(("add", "scan", "arrivals", "nightly", "update"), map(pipeline.named, names), strict=True))
    return dg.AssetSpec(
        pipeline.key(CATALOGUES),
        description=_DESCRIPTION.format(**named),
        group_name=pipeline.group_name,
        owners=pipeline.owners,
        tags=pipeline.tags,
        kinds={"image"},
        metadata={"review desk": dg.MetadataValue.url(pipeline.desk)} if pipeline.desk else {},
    )


def state_of_work_checks(pipeline: Pipeline) -> dg.AssetChecksDefinition:
    """The checks of the asset, which the sensor evaluates by itself and a person may execute."""

    @dg.multi_asset_check(
        name=pipeline.named("state_of_work"),
        specs=[
            dg.AssetCheckSpec(name, asset=pipeline.key(CATALOGUES), description=said) for name, said in _CHECKS.items()
        ],
        can_subset=True,
        required_resource_keys=_resources(pipeline),
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Any:
        wanted = {key.name for key in context.selected_asset_check_keys}
        for found in findings(*_given(pipeline, context)):
            if found.check in wanted:
                yield dg.AssetCheckResult(
                    check_name=found.check,
                    asset_key=pipeline.key(CATALOGUES),
                    passed=found.passed,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=found.said,
                    metadata=found.metadata,
                )

    return checks


def state_of_work_sensor(pipeline: Pipeline, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that observes settings and evaluates the checks, without any run."""

    @dg.sensor(
        name=pipeline.named("state_of_work"),
        minimum_interval_seconds=_LEAST_SECONDS,
        default_status=status,
        description="Observes the settings, and evaluates the checks of the asset catalogues, which say what is out of "
        "date. Starts no run.",
        required_resource_keys=_resources(pipeline),
    )
    def state_of_work(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store, settings, models = _given(pipeline, context)
        events: list[Any] = [*observations(pipeline, context.instance, store, settings)]
        seen = json.loads(context.cursor or "{}")
        started = time.time()
        if not events and started < seen.get("again", 0):
            return dg.SkipReason("The last look took long: the next one is due later.")
        found = findings(store, settings, models)
        state = digest([[one.check, one.passed, one.said] for one in found])
        again = time.time() + (time.time() - started) / _SHARE
        if state != seen.get("state"):
            events += [
                dg.AssetCheckEvaluation(
                    asset_key=pipeline.key(CATALOGUES),
                    check_name=one.check,
                    passed=one.passed,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=one.said,
                    metadata=dict(one.metadata),
                )
                for one in found
            ]
        cursor = json.dumps({"state": state, "again": again})
        return dg.SensorResult(
            asset_events=events, cursor=cursor, skip_reason=None if events else dg.SkipReason("Nothing has changed.")
        )

    return state_of_work


def findings(store: Store, settings: SettingsFile, models: Mapping[str, Resource] | None = None) -> list[Finding]:
    """What the checks find, all of them."""
    catalogues = dict(each_registered(store))
    if not catalogues:
        return [Finding(name, False, "There is no catalogue yet.", {}) for name in _CHECKS]
    found = dict(each_standing(store, settings, catalogues, models))
    standing = {name: one for name, one in found.items() if not isinstance(one, str)}
    faults = {name: one for name, one in found.items() if isinstance(one, str)}
    return [
        _pictures(store, standing, faults),
        _scanned(store, catalogues),
        *(_stage(stage, standing, faults) for stage in STAGE_NAMES),
        _published(store, standing),
    ]


def _pictures(store: Store, standing: Mapping[str, list[Standing]], faults: Mapping[str, str]) -> Finding:
    first = STAGE_NAMES[0]
    counts = {name: sum(one.pictures for one in found if one.stage == first) for name, found in standing.items()}
    said = [f"{name}: {why}" for name, why in faults.items()]
    said += [f"{name} has not been scanned." for name, count in counts.items() if not count]
    clips = sum(one.clips for name in standing for one in summary_of(store, name).values())
    total = f"{counted(sum(counts.values()), 'picture')} in {counted(len(counts), 'catalogue')}"
    total += f", {clips:,} of them clips" if clips else ""
    return Finding(_HAS_PICTURES, not said, " ".join(said) or total, {"pictures": _table(counts)})


def _scanned(store: Store, catalogues: Mapping[str, Any]) -> Finding:
    outcomes = {name: read_outcome(store, name) for name in catalogues}
    faults = [f"{name} could not be scanned: {one['fault']}" for name, one in outcomes.items() if one.get("fault")]
    left_out = {name: one.get("count", 0) for name, one in outcomes.items() if one.get("count")}
    said = [
        f"{name}: {counted(count, 'file or line', 'files or lines')} left out, or in need of attention."
        for name, count in left_out.items()
    ]
    said = [*faults, *said, *_changed(store, catalogues)]
    lines = [f"* {name}: {note}" for name, one in outcomes.items() for note in one.get("notes", [])[:20]]
    metadata = {"what": dg.MetadataValue.md("\n".join(lines))} if lines else {}
    return Finding(_SCANNED, not said, " ".join(said) or "Every file and manifest line was taken.", metadata)


def _changed(store: Store, catalogues: Mapping[str, Any]) -> list[str]:
    """A sentence for each catalogue whose own settings have changed since its last scan."""
    found = []
    for one in catalogues.values():
        with suppress(ValueError, MachineFault):
            if isinstance(one, Catalogue) and (changed := changed_since(store, one)):
                found.append(changed)
    return found


def _stage(stage: str, standing: Mapping[str, list[Standing]], faults: Mapping[str, str]) -> Finding:
    by_catalogue = {name: counts_by_stage(found)[stage] for name, found in standing.items()}
    total = {kind: sum(counts[kind] for counts in by_catalogue.values()) for kind in KINDS}
    wrong = [f"{name}: {sentence(counts)}" for name, counts in by_catalogue.items() if any(counts.values())]
    said = [*wrong, *(f"{name}: unknown" for name in faults)]
    return Finding(
        _up_to_date(stage), not said, "; ".join(said) or "All is up to date.", {"counts": _table(by_catalogue), **total}
    )


def _published(store: Store, standing: Mapping[str, list[Standing]]) -> Finding:
    exported = [stage.name for stage in EXPORTED]
    waiting = {name: len(state_of(store, name, STAGE_NAMES, exported).unpublished) for name in standing}
    said = [f"{name}: {counted(count, 'shard')} not published as made last" for name, count in waiting.items() if count]
    return Finding(_PUBLISHED, not said, "; ".join(said) or "All is published.", {"shards": _table(waiting)})


def _table(values: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """By catalogue: a number, or the pictures of each kind."""
    columns = KINDS if any(isinstance(value, dict) for value in values.values()) else ("number",)
    lines = [f"| catalogue | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, value in values.items():
        cells = [value[column] for column in columns] if isinstance(value, dict) else [value]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return dg.MetadataValue.md("\n".join(lines))


def _up_to_date(stage: str) -> str:
    return f"{stage}_up_to_date"


_COUNTED = """Pictures whose rows of {} are stale (made with other settings, requests or pictures), waiting (not made
yet), failed, or degraded (made without a model that the deployment has). Counted by shard: within a stale shard only
its run knows which pictures change."""

_CHECKS = {
    _HAS_PICTURES: "There are catalogues, and each has been scanned.",
    _SCANNED: "The last scan of each catalogue took every file and every line of its manifest, and the settings of its "
    "catalogue.toml are those of that scan.",
    **{_up_to_date(stage): " ".join(_COUNTED.format(stage).split()) for stage in STAGE_NAMES},
    _PUBLISHED: "What is published is what the stages made last.",
}


def _resources(pipeline: Pipeline) -> set[str]:
    return pipeline.keys("store", "settings", *own_models())


def _given(pipeline: Pipeline, context: Any) -> tuple[Store, SettingsFile, dict[str, Resource]]:
    models = pipeline.models(context, own_models())
    return pipeline.resource(context, "store"), pipeline.resource(context, "settings"), models
