"""What all stages' assets share: how they are declared, and what they report about a shard."""

import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from partitions.definition import SHARDS
from partitions.shards import catalogue_of, is_shard, no_shard
from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_of, shard_rows
from vivid_assets.catalogue.progress import asked_by_shard, note_progress
from vivid_assets.catalogue.scan import catalogue_settings, changed_since
from vivid_assets.catalogue.settings_versions import settings_key
from vivid_assets.catalogue.source import find
from vivid_assets.checks import check_specs, judge_shard
from vivid_assets.review.contact_sheet import as_markdown, contact_sheet
from vivid_assets.rows.engine import Outcome, materialize_rows
from vivid_assets.rows.stage import FAILED, OK, SKIPPED, Stage
from vivid_assets.rows.tables import table_path
from vivid_assets.rows.work import Work
from vivid_assets.settings import READ_BY, ChecksSettings, Settings, SettingsFile
from vivid_assets.stages.faults import retried_where_it_helps

_SHOWN_FAILURES = 50
_SHOWN_PICTURES = 12

Groups = Iterator[Sequence[Any]]


class ShardConfig(dg.Config):
    """What may be asked of one run."""

    retry_failed: bool = Field(False, description="Try rows again that failed for good, such as corrupt files.")


def shard_asset(
    stage: Stage, *, kinds: set[str], pool: str | None = None, priority: int = 0
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """An asset over shards for ``stage``; its docstring is its description in the UI.

    Of the steps of a run that could be next, one of a higher ``priority`` is.
    """
    own_settings = [settings_key(stage.name)] if stage.name in READ_BY else []

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        @functools.wraps(function)
        def step(context: dg.AssetExecutionContext, **arguments: Any) -> dg.MaterializeResult:
            with retried_where_it_helps(context):
                check_shard(context, arguments["store"])
                return function(context, **arguments)

        return dg.asset(
            name=stage.name,
            description=inspect.getdoc(function),
            partitions_def=SHARDS,
            deps=[*(reads.stage.name for reads in stage.reads), *own_settings],
            group_name="catalogue",
            kinds=kinds,
            pool=pool,
            op_tags={"dagster/priority": str(priority)},
            code_version=stage.version,
            check_specs=check_specs(stage),
        )(step)

    return declare


def settings_of(context: dg.AssetExecutionContext, store: Store, settings: SettingsFile) -> Settings:
    """The settings that hold for the catalogue of the run's shard."""
    name = catalogue_of(context.partition_key)
    if changed := changed_since(store, find(store, name)):
        context.log.warning("%s", changed)
    return settings.read(catalogue_settings(store, name))


def check_shard(context: dg.AssetExecutionContext, store: Store) -> None:
    """Raise ValueError unless the run's partition is a shard of the store.

    One that cannot be a shard's, which somebody typed into the launch dialog, is taken off the list again: it would
    stay there, failed, for ever.
    """
    shard = context.partition_key
    if not is_shard(shard):
        context.instance.delete_dynamic_partition(str(SHARDS.name), shard)
    elif len(shard_rows(store, shard)):
        return
    raise ValueError(no_shard(shard))


def materialize_shard(
    context: dg.AssetExecutionContext,
    stage: Stage,
    work: Callable[[], Work[Any, Any]],
    *,
    store: Store,
    config: ShardConfig,
    limits: ChecksSettings,
    settings: Mapping[str, Any] | None = None,
    revision: Mapping[str, str] | None = None,
    lacking: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    pictures: Callable[[Sequence[Mapping[str, Any]]], Groups] | None = None,
    count: str | None = None,
    report: Callable[[Outcome], Mapping[str, Any]] | None = None,
) -> dg.MaterializeResult:
    """Bring the run's shard up to date and report on it.

    ``lacking`` is what this machine lacks of what is wanted, ``decoding`` limits that only failed rows depend on.
    ``limits`` is what the checks tolerate; ``pictures`` yields, for the finished rows it is given, groups of arrays for
    the contact sheet; ``count`` names a column whose values are counted; ``report`` makes what the asset leaves besides
    its rows, and gives its metadata.
    """
    shard = context.partition_key
    ledger = shard_rows(store, shard)
    if not len(ledger):
        # Looked at when the step began, too. No ledger is no order to empty the tables.
        raise MachineFault(f"The ledger of {catalogue_of(shard)} has gone while {shard} was run.")
    outcome = materialize_rows(
        stage,
        shard,
        live_of(ledger),
        work,
        store=store,
        settings=settings or {},
        revision=revision,
        retry_failed=config.retry_failed,
        lacking=lacking,
        limits=decoding,
        log=context.log,
    )
    metadata: dict[str, Any] = {}
    done = outcome.with_status(OK)
    if pictures and (groups := _shown(context, pictures, done)):
        sheet = contact_sheet(groups)
        metadata["contact sheet"] = dg.MetadataValue.md(as_markdown(sheet, f"{stage.name} {shard}"))
    if count:
        metadata[count] = histogram(outcome, count)
    if report:
        metadata |= report(outcome)
    metadata |= _figures(stage, shard, outcome, store)
    check_results, figures = judge_shard(stage, shard, outcome, store, limits)
    asked, transient = asked_by_shard(ledger).get(shard), sum(row["transient"] for row in outcome.rows)
    counts = Counter(outcome.table["status"].to_pylist())
    entry = {"asked": asked, "version": outcome.data_version, "counts": counts, "transient": transient, **figures}
    note_progress(store, shard, stage.name, entry)
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(outcome.data_version),
        check_results=check_results,
    )


def _shown(
    context: dg.AssetExecutionContext,
    pictures: Callable[[Sequence[Mapping[str, Any]]], Groups],
    done: Sequence[Mapping[str, Any]],
) -> list[Sequence[Any]]:
    """Groups for the contact sheet; none if a file cannot be read, which is no reason to stop what is done."""
    try:
        return list(pictures(done[:_SHOWN_PICTURES]))
    except (OSError, ValueError) as error:
        context.log.warning("There is no contact sheet: %s", error)
        return []


def _figures(stage: Stage, shard: str, outcome: Outcome, store: Store) -> dict[str, Any]:
    failed = outcome.with_status(FAILED)
    metadata: dict[str, Any] = {
        "dagster/row_count": len(outcome.table),
        "computed": outcome.computed,
        "taken over": outcome.taken_over,
        "failed": len(failed),
        "skipped": len(outcome.with_status(SKIPPED)),
        "seconds": round(outcome.seconds, 2),
        "table": dg.MetadataValue.path(str(store.path(table_path(stage, shard)))),
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name=field.name, type=str(field.type)) for field in stage.schema]
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
                dg.TableRecord({"picture": row["picture"], "error": row["error"]}) for row in failed[:_SHOWN_FAILURES]
            ]
        )
    return metadata


def histogram(outcome: Outcome, column: str) -> dg.MarkdownMetadataValue:
    """How often each value of ``column`` occurs, as a table for the UI."""
    counts = Counter(str(row[column]) for row in outcome.with_status(OK))
    lines = [f"| {_cell(value)} | {number} |" for value, number in counts.most_common()]
    return dg.MetadataValue.md("\n".join([f"| {column} | pictures |", "|---|---|", *lines]))


def _cell(text: str) -> str:
    """``text`` as Markdown shows it as it is, in one cell of a table."""
    return re.sub(r"([^\w ])", r"\\\1", " ".join(text.split()))
