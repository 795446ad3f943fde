"""The jobs that add and scan a catalogue, so that nobody needs a shell for it."""

import dagster as dg
from pydantic import Field

from resources.models import own_models
from resources.store.store import Store
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import Catalogue, find, register
from vivid_assets.pipeline import Pipeline
from vivid_assets.scheduling.jobs import one_step
from vivid_assets.scheduling.updates import summary
from vivid_assets.stages.out_of_date import STALE, WAITING, ask_for, standings, updates

_SHOWN_NOTES = 50


class AddConfig(dg.Config):
    """A folder of pictures, and what it is to be called."""

    name: str = Field(
        description="A name of your choice: lower-case letters, digits, '-' and '_', such as spring-2027."
    )
    folder: str = Field(description="Folder or URL (s3://…) of the pictures, as the machine of the runs sees it.")
    run: bool = Field(True, description="Have its shards run at once; otherwise the night, or the job update, does.")


class ScanConfig(dg.Config):
    """Which catalogue to scan."""

    name: str = Field(description="The catalogue's name.")
    accept_removals: bool = Field(
        False, description="Confirm that all or most pictures were removed on purpose; a scan stops there otherwise."
    )
    run: bool = Field(True, description="Have what is new or changed run at once.")


def catalogue_jobs(pipeline: Pipeline) -> list[dg.JobDefinition]:
    """The jobs that add and scan a catalogue."""
    keys = pipeline.keys("store", "settings", *own_models())

    @dg.op(name=pipeline.named("add_folder"), required_resource_keys=keys)
    def add_folder(context: dg.OpExecutionContext, config: AddConfig) -> None:
        catalogue = register(pipeline.resource(context, "store"), config.name, config.folder)
        context.log.info("Catalogue %s is %s.", catalogue.name, catalogue.url)
        _scan(pipeline, context, catalogue, accept_removals=False, run=config.run)

    @dg.op(name=pipeline.named("scan_folder"), required_resource_keys=keys)
    def scan_folder(context: dg.OpExecutionContext, config: ScanConfig) -> None:
        catalogue = find(pipeline.resource(context, "store"), config.name)
        _scan(pipeline, context, catalogue, accept_removals=config.accept_removals, run=config.run)

    return [
        one_step(
            pipeline,
            "add_catalogue",
            add_folder,
            "Begin here: gives a folder of pictures a name, scans it, and has its shards run. Nothing is written "
            "to the folder.",
        ),
        one_step(
            pipeline, "scan_catalogue", scan_folder, "Looks for new, changed and removed pictures of a catalogue now."
        ),
    ]


def _scan(
    pipeline: Pipeline, context: dg.OpExecutionContext, catalogue: Catalogue, *, accept_removals: bool, run: bool
) -> None:
    """Scan the catalogue, make its shards known, and have what is stale run."""
    store: Store = pipeline.resource(context, "store")
    found = scan(store, catalogue, accept_removals=accept_removals)
    context.log.info("%s", found)
    for note in found.refused[:_SHOWN_NOTES]:
        context.log.warning("%s", note)
    models = pipeline.models(context, own_models())
    wanted = updates(standings(store, catalogue.name, pipeline.resource(context, "settings"), models), (STALE, WAITING))
    shards = sorted({*found.assignment.new_shards, *(one.shard for one in wanted)})
    context.instance.add_dynamic_partitions(pipeline.shards_name, shards)
    context.add_output_metadata(
        {
            "found": str(found),
            "left out": dg.MetadataValue.md(
                "\n".join(f"* {note}" for note in found.refused[:_SHOWN_NOTES]) or "nothing"
            ),
            "runs": summary(wanted, dry_run=not run),
        }
    )
    if wanted and run:
        ask_for(store, context.run_id, wanted)
