"""A stage as Dagster's asset over shards: how it is declared, and what it reports about a shard."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import Field
from upath import UPath

from partitions.shards import catalogue_of, is_shard, no_shard
from resources.errors import MachineFault
from resources.models import own_models
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_of, shard_rows
from vivid_assets.catalogue.progress import asked_by_shard, note_progress, read_progress
from vivid_assets.catalogue.scan import catalogue_settings, changed_since
from vivid_assets.catalogue.settings_versions import settings_key
from vivid_assets.catalogue.source import each_registered, find
from vivid_assets.export.columns import all_columns
from vivid_assets.pipeline import CATALOGUES, Pipeline
from vivid_assets.review.contact_sheet import as_markdown, contact_sheet
from vivid_assets.rows.columns import from_columns, meanings_of
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import COMMON_MEANINGS, FAILED, OK, SKIPPED, Stage, name_of
from vivid_assets.rows.tables import newest_number, table_path
from vivid_assets.settings import Settings, SettingsFile, configured
from vivid_assets.stages.check_results import check_specs, judge_shard
from vivid_assets.stages.faults import retried_where_it_helps
from vivid_assets.stages.stage import Pictures, PipelineStage, Shard, StageWork, all_stages

_SHOWN_FAILURES = 50
_TILES = 12
"""Small pictures on a contact sheet. Dagster's records have it twice, and a row for every run."""


class ShardConfig(dg.Config):
    """What may be asked of one run. Settings are vivid.toml's and the catalogue's; others are tried in trials."""

    retry_failed: bool = Field(False, description="Also try rows again that failed for good, such as corrupt files.")


def pool_of(pipeline: Pipeline, stage: PipelineStage, settings: SettingsFile | None) -> str | None:
    """The pool of a stage's step: none where it asks one model alone, and that is not on this machine."""
    pool, own = pipeline.pool(stage.pool), own_models()
    named = [name for name in stage.uses if isinstance(name, str)]
    if (
        settings is None
        or not pool
        or len(named) < len(stage.uses)
        or not named
        or not all(name in own for name in named)
    ):
        return pool
    entries: Settings | None = None
    # What is wrong with the settings is for a run to say: a code location loads all the same.
    with suppress(ValueError, OSError, MachineFault):
        entries = settings.read()
    models = (configured(own[name](), entries.entries(name) if entries else {}) for name in named)
    return None if all(hasattr(model, "missing") and model.missing() for model in models) else pool


def shard_asset(pipeline: Pipeline, stage: PipelineStage, settings: SettingsFile | None = None) -> dg.AssetsDefinition:
    """The asset of a stage over shards; with ``settings`` in no pool for a model that is not there."""
    own_settings = [settings_key(pipeline, stage.name)] if stage.tables() else []
    earlier = [reads.stage.name for reads in stage.reads]
    models = stage.resources()

    @pipeline.over_shards(
        stage.name,
        description=stage.description.strip(),
        deps=[*map(pipeline.key, earlier or [CATALOGUES]), *own_settings],
        group_name=pipeline.group_name,
        kinds={*stage.kinds},
        pool=pool_of(pipeline, stage, settings),
        op_tags={"dagster/priority": str(stage.priority)},
        code_version=stage.version,
        check_specs=check_specs(pipeline, stage),
        metadata={"dagster/column_schema": column_schema(stage.schema, meanings(stage))},
        required_resource_keys=pipeline.keys("store", "settings", *models),
    )
    def step(context: dg.AssetExecutionContext, config: ShardConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        store: Store = pipeline.resource(context, "store")
        with retried_where_it_helps(context):
            check_shard(pipeline, context, store)
            given = pipeline.models(context, models)
            settings = settings_of(context, store, pipeline.resource(context, "settings"))
            shard = Shard(context.partition_key, store, settings, context.log, given)
            with stage.at_work(shard) as work:
                shows = stage.name == last_to_show(pipeline, context)
                return recorded_once(
                    context, materialize_shard(pipeline, stage, work, retry_failed=config.retry_failed, shows=shows)
                )

    return step


def recorded_once(context: dg.AssetExecutionContext, result: dg.MaterializeResult[None]) -> dg.MaterializeResult[None]:
    """``result`` whose metadata the event log gets with the materialization alone, and not with the step's output, too.

    The event log keeps both of every run, and the UI shows the same in either place.
    """
    context.add_asset_metadata(result.metadata or {})
    return result._replace(metadata=None)


def settings_of(context: dg.AssetExecutionContext, store: Store, settings: SettingsFile) -> Settings:
    """The settings that hold for the catalogue of the run's shard."""
    name = catalogue_of(context.partition_key)
    if changed := changed_since(store, find(store, name)):
        context.log.warning("%s", changed)
    return settings.read(catalogue_settings(store, name))


def check_shard(pipeline: Pipeline, context: dg.AssetExecutionContext, store: Store) -> None:
    """Raise ValueError unless the run's partition is a shard of the store.

    One that somebody typed into the launch dialog is taken off the list again: it would stay there, failed, for ever.
    """
    shard = context.partition_key
    if is_shard(shard) and len(shard_rows(store, shard)):
        return
    # A store without any catalogue may be one that is not mounted: it does not know what there is.
    if not is_shard(shard) or any(each_registered(store)):
        context.instance.delete_dynamic_partition(pipeline.shards_name, shard)
    raise ValueError(no_shard(shard))


def materialize_shard(
    pipeline: Pipeline,
    stage: PipelineStage,
    work: StageWork[Any, Any, Any],
    *,
    retry_failed: bool,
    shows: bool,
) -> dg.MaterializeResult[None]:
    """Bring the shard that ``work`` is for up to date and report on it; with a contact sheet if it ``shows`` one."""
    shard, store, limits = work.shard.name, work.shard.store, work.shard.settings.checks
    ledger = shard_rows(store, shard)
    if not len(ledger):
        # Looked at when the step began, too. No ledger is no order to empty the tables.
        raise MachineFault(f"The ledger of {catalogue_of(shard)} disappeared while {shard} was running.")
    outcome = work.run(live_of(ledger), retry_failed=retry_failed)
    metadata: dict[str, Any] = {}
    if shows and (groups := _shown(work, outcome.with_status(OK))):
        sheet = contact_sheet(groups)
        metadata["contact sheet"] = dg.MetadataValue.md(as_markdown(sheet, f"{stage.name} {shard}"))
    metadata |= {name: histogram(outcome, column) for name, column in stage.counts.items()}
    if any(row["rendition"] for row in outcome.rows):
        metadata["renditions"] = by_rendition(outcome)
    metadata |= {name: _as_metadata(value) for name, value in work.report(outcome).items()}
    metadata |= _figures(stage, shard, outcome, store)
    metadata |= pipeline.desk_of(shard)
    check_results, figures = judge_shard(pipeline, stage, shard, outcome, store, limits)
    asked, transient = asked_by_shard(ledger).get(shard), sum(row["transient"] for row in outcome.rows)
    counts = Counter(outcome.table["status"].to_pylist())
    entry = {"asked": asked, "version": outcome.data_version, "counts": counts, "transient": transient, **figures}
    note_progress(store, shard, stage.name, entry | _standing(store, shard, work, outcome))
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(outcome.data_version),
        check_results=check_results,
    )


def _standing(store: Store, shard: str, work: StageWork[Any, Any, Any], outcome: Outcome) -> dict[str, Any]:
    """What tells later whether the shard is out of date, and how long it took."""
    transient = [row["status"] for row in outcome.rows if row["transient"]]
    standing = {
        "made_with": work.made_with(outcome.uses),
        "uses": sorted(outcome.uses),
        "degraded": transient.count(OK),
        "waiting": transient.count(SKIPPED),
    }
    if outcome.computed:
        return standing | {"seconds_each": round(outcome.seconds / outcome.computed, 3)}
    before = read_progress(store, [shard])[shard].get(work.stage.name, {})
    return standing | ({"seconds_each": before["seconds_each"]} if "seconds_each" in before else {})


def last_to_show(pipeline: Pipeline, context: dg.AssetExecutionContext) -> str | None:
    """The last stage of the run that has pictures to show: one contact sheet a run, by whoever knows most."""
    selected = context.job_def.asset_layer.executable_asset_keys
    show = [stage.name for stage in all_stages() if stage.work.show is not StageWork.show]
    return next((name for name in reversed(show) if pipeline.key(name) in selected), None)


def meanings(stage: PipelineStage) -> dict[str, str]:
    """What the columns of a stage's table mean, by name: as the dataset's card says it, or the row's own type."""
    exported = all_columns()
    # A view shows columns of other stages under their names.
    others = {column.column: column.meaning for column in exported} if stage.is_view else {}
    said = {column.column: column.meaning for column in exported if column.source == stage.name}
    return others | COMMON_MEANINGS | meanings_of(stage.row) | said


def column_schema(schema: pa.Schema, meanings: Mapping[str, str]) -> dg.TableSchema:
    """A table's columns as Dagster shows them, with what they mean by name."""
    columns = [dg.TableColumn(one.name, str(one.type), description=meanings.get(one.name)) for one in schema]
    return dg.TableSchema(columns)


def _shown(work: StageWork[Any, Any, Any], done: Sequence[Mapping[str, Any]]) -> list[Pictures]:
    """Groups for the contact sheet; none if a file cannot be read, which is no reason to stop what is done."""
    groups: list[Pictures] = []
    try:
        for row in done[:_TILES]:
            if sum(map(len, groups)) < _TILES and len(
                group := work.show(row["picture"], from_columns(work.stage.row, row))
            ):
                groups.append(group)
    except (OSError, ValueError) as error:
        work.shard.log.warning("There is no contact sheet: %s", error)
        return []
    return groups


def _as_metadata(value: Any) -> Any:
    return dg.MetadataValue.path(str(value)) if isinstance(value, (Path, UPath)) else value


def _figures(stage: Stage, shard: str, outcome: Outcome, store: Store) -> dict[str, Any]:
    failed = outcome.with_status(FAILED)
    metadata: dict[str, Any] = {
        "dagster/row_count": len(outcome.table),
        "computed": outcome.computed,
        "taken over": outcome.taken_over,
        "failed": len(failed),
        "skipped": len(outcome.with_status(SKIPPED)),
        "seconds": round(outcome.seconds, 2),
        "table": dg.MetadataValue.path(
            str(store.path(table_path(stage.name, shard, newest_number(store, stage.name, shard))))
        ),
    }
    if outcome.computed:
        metadata["pictures per second"] = round(outcome.computed / outcome.seconds, 2)
        if seconds := round(outcome.computing, 3):
            metadata["seconds computing"] = seconds
    if outcome.gpu:
        metadata["gpu"] = outcome.gpu.device
        metadata |= {name.replace("_", " "): value for name, value in outcome.gpu.figures().items()}
    if failed:
        metadata["failures"] = dg.MetadataValue.table(
            records=[
                dg.TableRecord({"picture": name_of(row), "error": row["error"]}) for row in failed[:_SHOWN_FAILURES]
            ]
        )
    return metadata


def histogram(outcome: Outcome, column: str) -> dg.MarkdownMetadataValue:
    """How often each value of ``column`` occurs, as a table for the UI."""
    counts = Counter(str(row[column]) for row in outcome.with_status(OK))
    lines = [f"| {_cell(value)} | {number} |" for value, number in counts.most_common()]
    return dg.MetadataValue.md("\n".join([f"| {column} | pictures |", "|---|---|", *lines]))


def by_rendition(outcome: Outcome) -> dg.MarkdownMetadataValue:
    """How many rows of each rendition came out how, as a table for the UI."""
    counts = Counter((row["rendition"], row["status"]) for row in outcome.rows)
    names = dict.fromkeys(row["rendition"] for row in outcome.rows)
    statuses = (OK, FAILED, SKIPPED)
    lines = [f"| {_cell(name)} | {' | '.join(str(counts[name, one]) for one in statuses)} |" for name in names]
    return dg.MetadataValue.md("\n".join([f"| rendition | {' | '.join(statuses)} |", "|---|---|---|---|", *lines]))


def _cell(text: str) -> str:
    """``text`` as Markdown shows it as it is, in one cell of a table."""
    return re.sub(r"([^\w ])", r"\\\1", " ".join(text.split()))
