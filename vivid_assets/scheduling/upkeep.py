"""Catalogues are moved, renamed, pruned and removed: what the commands do, and the jobs that do it in Dagster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from partitions.shards import check_catalogue_name
from resources.spelling import counted
from resources.store.store import Store
from vivid_assets.assets.export import EXPORTED, publish_catalogue
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.source import find, move_to, registered, take_off
from vivid_assets.export.outputs import KEPT_TRIALS, old_trials, outputs_of, unused_scenes
from vivid_assets.export.purge import delete_rubbish, find_rubbish
from vivid_assets.export.rename import rename
from vivid_assets.export.tidy import Tidied, tidy
from vivid_assets.pipeline import Pipeline
from vivid_assets.scheduling.jobs import one_step
from vivid_assets.stages.stage import all_stages


@dataclass(frozen=True)
class Unneeded:
    """What may be deleted of one catalogue, or of the scenes."""

    of: str
    sentence: str
    files: Mapping[str, int]
    """Their sizes in bytes, by their paths in the store."""
    forgotten: Sequence[str] = ()
    """Shards that are no more, or would not be."""


def prune(store: Store, catalogue: str = "", *, delete: bool) -> Iterator[Unneeded]:
    """What nothing needs of a catalogue, or of all of them, of scenes and trials: each is deleted before it is said.

    Shards of which little is left are merged, and those that are empty forgotten (``export.tidy``).

    Args:
        store: where.
        catalogue: its name; empty: all.
        delete: whether to delete it; otherwise it is only looked for.

    Raises:
        ValueError: there is no such catalogue.

    """
    freed: set[str] = set()
    for one in [find(store, catalogue)] if catalogue else registered(store):
        found = find_rubbish(store, one.name, all_stages())
        freed |= found.files.keys() | found.orphans.keys()
        if delete:
            delete_rubbish(store, found, REVIEW)
            publish_catalogue(store, one.name)
        tidied = tidy(store, one, all_stages(), EXPORTED, change=delete)
        yield Unneeded(
            one.name,
            f"{counted(len(found.files), 'file')} of {counted(len(found.pictures), 'picture')} in "
            f"{counted(len(found.tables), 'table')}, {megabytes(found.files)}; "
            f"{counted(len(found.orphans), 'file')} that killed runs left or nothing uses any more, "
            f"{megabytes(found.orphans)}; {_said(tidied)}",
            found.files | found.orphans | tidied.files,
            tidied.forgotten,
        )
    # After the rows that named them: these may be what kept a scene.
    unused = unused_scenes(store, all_stages(), now=datetime.now(UTC))
    scenes = {path: size for path, size in unused.items() if path not in freed}
    if delete:
        store.remove(scenes)
    yield Unneeded("scenes", f"{len(scenes)} that no catalogue uses, {megabytes(scenes)}", scenes)
    trials = old_trials(store, now=datetime.now(UTC))
    if delete:
        store.remove(trials)
    days = KEPT_TRIALS.days
    yield Unneeded(
        "trials", f"{counted(len(trials), 'file')} of those untouched for {days} days, {megabytes(trials)}", trials
    )


def _said(tidied: Tidied) -> str:
    """What tidying came to, in words."""
    if tidied.why_not:
        return tidied.why_not
    said = f"{counted(len(tidied.merged), 'shard')}, a quarter full or less, to merge" if tidied.merged else ""
    return said or f"{counted(len(tidied.forgotten), 'empty shard')} and {counted(tidied.retired, 'row')} of the ledger"


def rename_catalogue(store: Store, old: str, new: str) -> list[str]:
    """Have a catalogue under another name, with all that was made and published of it; its shards' names then.

    Raises:
        ValueError: there is no such catalogue, or the new name cannot be one or is taken.

    """
    rename(store, old, check_catalogue_name(new), all_stages(), REVIEW)
    publish_catalogue(store, new)
    return shards_of(store, new)


def megabytes(files: Mapping[str, int]) -> str:
    """What files take, as people read it."""
    return f"{sum(files.values()) / 1e6:.1f} MB"


class MoveConfig(dg.Config):
    """Where a catalogue's folder is now."""

    name: str = Field(description="The catalogue's name.")
    folder: str = Field(description="Folder or URL of the pictures now, as the machine of the runs sees it.")


class RenameConfig(dg.Config):
    """A catalogue's name, and the one that it is to have."""

    name: str = Field(description="The catalogue's name now. Let its runs end first.")
    new_name: str = Field(description="Its new name: lower-case letters, digits, '-' and '_', such as spring-2027.")


class PruneConfig(dg.Config):
    """What to look through, and whether to delete."""

    name: str = Field("", description="A catalogue's name; empty: all catalogues.")
    dry_run: bool = Field(True, description="Only say what would be deleted, and its bytes. false: delete it.")


class RemoveConfig(dg.Config):
    """Which catalogue to remove."""

    name: str = Field(description="The catalogue's name. Its results stay in the store; added again, it continues.")
    files: bool = Field(False, description="Also delete all that was made of it: composites, masks, rows, the dataset.")


def upkeep_jobs(pipeline: Pipeline) -> list[dg.JobDefinition]:
    """The jobs that move, rename, prune and remove a catalogue."""
    only_store = pipeline.keys("store")

    @dg.op(name=pipeline.named("move_folder"), required_resource_keys=only_store)
    def move_folder(context: dg.OpExecutionContext, config: MoveConfig) -> None:
        catalogue = move_to(pipeline.resource(context, "store"), config.name, config.folder)
        context.log.info("Catalogue %s is %s now.", catalogue.name, catalogue.url)

    @dg.op(name=pipeline.named("rename"), required_resource_keys=only_store)
    def rename(context: dg.OpExecutionContext, config: RenameConfig) -> None:
        shards = rename_catalogue(pipeline.resource(context, "store"), config.name, config.new_name)
        pipeline.forget_shards(context.instance, config.name)
        context.instance.add_dynamic_partitions(pipeline.shards_name, shards)
        context.log.info("Catalogue %s is %s now.", config.name, config.new_name)

    @dg.op(name=pipeline.named("delete_unneeded"), required_resource_keys=only_store)
    def delete_unneeded(context: dg.OpExecutionContext, config: PruneConfig) -> None:
        _prune(pipeline, context, config)

    @dg.op(name=pipeline.named("remove_name"), required_resource_keys=only_store)
    def remove_name(context: dg.OpExecutionContext, config: RemoveConfig) -> None:
        store: Store = pipeline.resource(context, "store")
        catalogue = find(store, config.name)
        outputs = outputs_of(store, config.name, all_stages()) if config.files else {}
        pipeline.forget_shards(context.instance, config.name)
        take_off(store, config.name)
        store.remove(outputs)
        rest = f"{counted(len(outputs), 'file')}, {megabytes(outputs)}, deleted" if config.files else "its results stay"
        context.log.info("%s (%s) is no longer scanned; %s.", catalogue.name, catalogue.url, rest)

    return [
        one_step(
            pipeline,
            "move_catalogue",
            move_folder,
            "Notes that a catalogue's folder is elsewhere now. Nothing is computed again.",
        ),
        one_step(
            pipeline,
            "rename_catalogue",
            rename,
            "Gives a catalogue another name. Its results are taken along, and nothing is computed again.",
        ),
        one_step(
            pipeline,
            "prune",
            delete_unneeded,
            "Says what nothing needs any more, and its bytes: results of pictures and renditions that are gone, of "
            "earlier settings, unused scenes, old trials. Shards of which little is left are merged. It does so with "
            "dry_run: false.",
        ),
        one_step(
            pipeline,
            "remove_catalogue",
            remove_name,
            "Takes a catalogue off the list: it is no longer scanned, and its shards leave Dagster's list. No file is "
            "deleted, unless files: true asks for that.",
        ),
    ]


def _prune(pipeline: Pipeline, context: dg.OpExecutionContext, config: PruneConfig) -> None:
    """Say what nothing needs, delete it where that is asked for, and note the bytes."""
    found = []
    for one in prune(pipeline.resource(context, "store"), config.name, delete=not config.dry_run):
        context.log.info("%s: %s", one.of, one.sentence)
        found.append(one)
        if not config.dry_run:
            pipeline.forget(context.instance, one.forgotten)
    files = {path: size for one in found for path, size in one.files.items()}
    verb = "to delete" if config.dry_run else "deleted"
    context.add_output_metadata(
        {
            "what": f"{counted(len(files), 'file')}, {megabytes(files)}, {verb}.",
            "bytes": sum(files.values()),
            "of": dg.MetadataValue.md("\n".join(f"* {one.of}: {one.sentence}" for one in found)),
        }
    )
