"""Running shards from the command line: in this process, recorded in the Dagster instance."""

import logging
import os
from collections.abc import Sequence

import dagster as dg
from rich.console import Console

from partitions.shards import SHARDS
from resources.store import Store
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.settings import SettingsFile


def register_shards(instance: dg.DagsterInstance, shards: Sequence[str]) -> None:
    """Make the shards known as partitions."""
    instance.add_dynamic_partitions(SHARDS.name or "shards", list(shards))


def run_shards(
    instance: dg.DagsterInstance, store: Store, shards: Sequence[str], console: Console, *, retry_failed: bool = False
) -> list[str]:
    """One run a shard through all stages; the shards whose run failed."""
    # Imported here: everything that the assets need takes seconds, which the other commands need not wait for.
    from vivid_assets.automation.jobs import RETRY_FAILED
    from vivid_assets.definitions import defs

    settings = SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""))
    # Before the runs, so that each is recorded with the settings that it ran with.
    for observation in observations(instance, store, settings):
        instance.report_runless_asset_event(observation)

    told = dg.Definitions.merge(defs, dg.Definitions(loggers={"vivid": _console_logger(console)}))
    job = told.resolve_job_def("retry_shard" if retry_failed else "catalogue")
    config = {**(RETRY_FAILED if retry_failed else {}), "loggers": {"vivid": {}}}
    failed = []
    computed = 0
    for number, shard in enumerate(shards, start=1):
        console.print(f"[bold]{shard}[/bold] ({number} of {len(shards)})")
        result = job.execute_in_process(
            instance=instance,
            partition_key=shard,
            raise_on_error=False,
            run_config=config,
            resources={**(defs.resources or {}), "store": store, "settings": settings},
        )
        computed += sum(_computed(event) for event in result.get_asset_materialization_events())
        if not result.success:
            failed.append(shard)
            for event in result.get_step_failure_events():
                error = event.step_failure_data.error
                if error:
                    console.print(f"  [red]{event.step_key}: {error.message.strip()}[/red]", highlight=False)
    rows = f"{computed} rows were computed." if computed else "Nothing was computed: every row is up to date."
    console.print(rows, highlight=False)
    return failed


def _computed(event: dg.DagsterEvent) -> int:
    """The rows that a stage worked on, as its metadata says."""
    value = event.step_materialization_data.materialization.metadata.get("computed")
    return value.value if isinstance(value, dg.IntMetadataValue) and value.value else 0


def _console_logger(console: Console) -> dg.LoggerDefinition:
    """What the stages say, without Dagster's own events and prefixes."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            if meta.get("dagster_event") is None:
                style = "yellow" if record.levelno >= logging.WARNING else "dim"
                console.print(f"  {meta.get('orig_message', record.getMessage())}", style=style, highlight=False)

    @dg.logger(config_schema={}, description="The stages' own words, for a terminal.")
    def console_logger(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("vivid", level=logging.INFO)
        logger.addHandler(Handler())
        return logger

    return console_logger
