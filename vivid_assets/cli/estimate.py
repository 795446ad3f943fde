"""``vivid catalogue estimate``: how many scenes a catalogue will cost, before it runs."""

import os
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vivid_assets.cli.console import console
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store

if TYPE_CHECKING:
    from resources.scenes.generator import SceneGenerator
    from resources.store.store import Store


@dataclass
class Demand:
    """What a catalogue's pictures ask of the scene generator."""

    pictures: int = 0
    own: int = 0
    """Pictures with the user's own background."""
    keys: list[str] = field(default_factory=list)
    """Scenes wanted by pictures whose prompts are finished."""
    unanalysed: list[tuple[str, str, int]] = field(default_factory=list)
    """The requests of the others: prompt, negative prompt, seed."""
    seconds: list[float] = field(default_factory=list)
    """What scenes have cost so far."""


def estimate_command(
    name: Annotated[str, typer.Argument(help="The catalogue's name.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Count the scenes that the model would have to make, without making any; the same scene is counted once.

    Exact for pictures whose prompts are finished. For the others the light and the subject may still add words, so
    that a range is given: run `enhanced_prompts`, which needs no generator, to narrow it.

    Example: `vivid catalogue estimate spring`
    """
    from resources.runtime.rate import duration
    from resources.scenes.cache import SceneCache
    from resources.scenes.generators import choose_generator
    from vivid_assets.catalogue.scan import catalogue_settings
    from vivid_assets.catalogue.source import find
    from vivid_assets.settings import SettingsFile, scene_generators

    opened = open_store(store)
    find(opened, name)
    settings = SettingsFile(path=os.environ.get("VIVID_SETTINGS", "")).read(catalogue_settings(opened, name))
    in_place = settings.backgrounds.place == "inpaint"
    models = scene_generators(settings)
    choice = choose_generator(settings.backgrounds.generator, models)
    # Where backdrops are drawn the estimate is of what the first model would have to make elsewhere.
    wished = choice.name if choice.model else next(iter(models))
    demand = demand_of(opened, name, wished, models[wished], in_place=in_place)
    known = SceneCache(opened).estimate(demand.keys)
    fewest, most = len(set(demand.unanalysed)), len(demand.unanalysed)

    table = Table(box=None, show_header=False)
    table.add_row("pictures", f"{demand.pictures}")
    table.add_row("with a background of their own", f"{demand.own}")
    table.add_row("scenes for finished prompts", f"{known.distinct}, of which {known.cached} are in the cache")
    if demand.unanalysed:
        table.add_row("scenes for prompts to come", f"{fewest} to {most}")
    least, at_most = known.to_make + fewest, known.to_make + most
    table.add_row("scenes to make", f"{least if least == at_most else f'{least} to {at_most}'}", style="bold")
    if demand.seconds:
        each = sum(demand.seconds) / len(demand.seconds)
        table.add_row("time on this kind of GPU", f"{duration(each * least)} to {duration(each * at_most)}")
    else:
        table.add_row("time", "unknown: no scene has been made in this store yet")
    console.print(table)
    where = "On this machine" if choice.model else "On this machine none of these is made"
    console.print(f"{where}. {choice.why}", markup=False, highlight=False)


def demand_of(store: "Store", name: str, generator: str, model: "SceneGenerator", *, in_place: bool = False) -> Demand:
    """What the catalogue's live pictures ask for.

    ``in_place`` each wants a scene of its own, whose key only its mask would tell: one that is there counts as made,
    whatever has changed since.
    """
    from resources.scenes.generators import around
    from resources.scenes.request import SceneRequest
    from vivid_assets.assets.backgrounds import BACKGROUNDS
    from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
    from vivid_assets.assets.prepared_images import PREPARED_IMAGES
    from vivid_assets.catalogue.ledger import live_pictures, shards_of
    from vivid_assets.rows.stage import OK, digest
    from vivid_assets.rows.tables import read_rows

    demand = Demand()
    generator = around(generator) if in_place else generator
    for shard in shards_of(store, name):
        prepared, prompts, made = (read_rows(store, s, shard) for s in (PREPARED_IMAGES, ENHANCED_PROMPTS, BACKGROUNDS))
        demand.seconds += [
            row["seconds"] for row in made.values() if row["generator"] == generator and not row["reused"]
        ]
        for picture in live_pictures(store, shard):
            demand.pictures += 1
            size, words = prepared.get(picture["picture"]), prompts.get(picture["picture"])
            if picture["background"]:
                demand.own += 1
            elif in_place and not (size and size["status"] != OK):
                scene_row = made.get(picture["picture"], {})
                there = scene_row.get("generator") == generator
                demand.keys.append(
                    PurePosixPath(scene_row["file"]).stem if there else digest([shard, picture["picture"]])
                )
            elif size and words and size["status"] == words["status"] == OK:
                scene = SceneRequest(
                    words["prompt"], words["negative_prompt"], picture["seed"], size["height"], size["width"]
                )
                demand.keys.append(model.key(scene))
            elif not (size and size["status"] != OK):
                demand.unanalysed.append((picture["prompt"], picture["negative_prompt"], picture["seed"]))
    return demand
