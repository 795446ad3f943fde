"""``vivid catalogue estimate``: how many scenes a run would generate."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store, settings_file

if TYPE_CHECKING:
    from resources.scenes.cache import SceneCache
    from resources.scenes.generator import SceneGenerator
    from resources.store.store import Store
    from vivid_assets.settings import Settings


@dataclass
class Wanted:
    """The scenes that some composites need."""

    composites: int = 0
    own: int = 0
    """Composites that need no scene: on a picture of the user's, on a colour, on nothing, or on a backdrop."""
    keys: list[str] = field(default_factory=list)
    """Scene keys of pictures with finished prompts."""
    unanalysed: list[tuple[str, str, int, str]] = field(default_factory=list)
    """The requests of the others: prompt, negative prompt, seed, rendition."""

    def to_make(self, known: int) -> tuple[int, int]:
        """Count the scenes to generate, at least and at most: ``known`` for the keys, and the others."""
        return known + len(set(self.unanalysed)), known + len(self.unanalysed)


@dataclass
class Demand:
    """The scenes that a catalogue's pictures need."""

    pictures: int = 0
    renditions: dict[str, Wanted] = field(default_factory=dict)
    """By rendition; of a catalogue that declares none under an empty name."""
    seconds: list[float] = field(default_factory=list)
    """Seconds that scenes have taken so far."""

    @property
    def all(self) -> Wanted:
        """That of all renditions."""
        each = self.renditions.values()
        return Wanted(
            sum(one.composites for one in each),
            sum(one.own for one in each),
            [key for one in each for key in one.keys],
            [request for one in each for request in one.unanalysed],
        )


def estimate_command(
    name: Annotated[str, typer.Argument(help="The catalogue's name.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Count the scenes that a run would generate, without generating any. Equal scenes count once.

    The count is exact for pictures with finished prompts. Light and subject may still add words to the others, so the
    result is a range: run `enhanced_prompts`, which needs no generator, to narrow it.

    Example: `vivid catalogue estimate spring`
    """
    from resources.scenes.cache import SceneCache
    from resources.scenes.generators import choose_generator
    from vivid_assets.catalogue.scan import catalogue_settings
    from vivid_assets.catalogue.source import find
    from vivid_assets.settings import scene_generators

    opened = open_store(store)
    find(opened, name)
    settings = settings_file(opened).read(catalogue_settings(opened, name))
    in_place = settings.backgrounds.place == "inpaint"
    models = scene_generators(settings)
    choice = choose_generator(settings.backgrounds.generator, models)
    # Where backdrops are drawn the estimate is of what the first model would have to make elsewhere.
    wished = choice.name if choice.model else next(iter(models))
    demand = demand_of(opened, name, wished, models[wished], settings, in_place=in_place)
    if not demand.pictures:
        say(f"The last scan found no picture. Scan the folder first: vivid catalogue scan {name}")
        return
    cache = SceneCache(opened)
    if len(demand.renditions) > 1:
        console.print(_by_rendition(demand, cache))
    console.print(_in_all(demand, cache))
    where = "On this machine" if choice.model else "This machine would generate none of these"
    console.print(f"{where}. {choice.why}", markup=False, highlight=False)


def _by_rendition(demand: Demand, cache: "SceneCache") -> Table:
    table = Table("rendition", "composites", "without a scene", "scenes to generate", box=None, header_style="bold")
    for rendition, wanted in demand.renditions.items():
        made = _range(*wanted.to_make(cache.estimate(wanted.keys).to_make))
        table.add_row(rendition, f"{wanted.composites}", f"{wanted.own}", made)
    return table


def _in_all(demand: Demand, cache: "SceneCache") -> Table:
    from resources.runtime.rate import duration

    wanted = demand.all
    known = cache.estimate(wanted.keys)
    least, most = wanted.to_make(known.to_make)
    table = Table(box=None, show_header=False)
    table.add_row("pictures", f"{demand.pictures}")
    if wanted.composites != demand.pictures:
        table.add_row("renditions of them", f"{wanted.composites}")
    table.add_row("without a scene", f"{wanted.own} (own background, colour, none, backdrop)")
    table.add_row("scenes for finished prompts", f"{known.distinct}, of which {known.cached} are in the cache")
    if wanted.unanalysed:
        unknown = _range(len(set(wanted.unanalysed)), len(wanted.unanalysed))
        table.add_row("scenes for unfinished prompts", unknown)
    table.add_row("scenes to generate", _range(least, most), style="bold")
    if demand.seconds:
        each = sum(demand.seconds) / len(demand.seconds)
        table.add_row("time on this kind of GPU", f"{duration(each * least)} to {duration(each * most)}")
    else:
        table.add_row("time", "unknown: no scene has been generated in this store yet")
    return table


def _range(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def demand_of(
    store: "Store",
    name: str,
    generator: str,
    model: "SceneGenerator",
    settings: "Settings",
    *,
    in_place: bool = False,
) -> Demand:
    """The scenes that the catalogue's live pictures need, all renditions counted.

    With ``in_place`` each needs a scene of its own, whose key depends on its mask: an existing scene counts as made,
    whatever has changed since.
    """
    from resources.scenes.generators import BACKDROP, around
    from resources.scenes.request import SceneRequest
    from vivid_assets.assets.backgrounds import BACKGROUNDS
    from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
    from vivid_assets.assets.prepared_images import PREPARED_IMAGES
    from vivid_assets.catalogue.ledger import live_pictures, shards_of
    from vivid_assets.catalogue.renditions import each_rendition
    from vivid_assets.rows.keys import digest
    from vivid_assets.rows.stage import OK, name_of
    from vivid_assets.rows.tables import read_rows

    demand = Demand()
    generator = around(generator) if in_place else generator
    for shard in shards_of(store, name):
        prepared, prompts, made = (read_rows(store, s, shard) for s in (PREPARED_IMAGES, ENHANCED_PROMPTS, BACKGROUNDS))
        demand.seconds += [
            row["seconds"] for row in made.values() if row["generator"] == generator and not row["reused"]
        ]
        live = live_pictures(store, shard)
        demand.pictures += len(live)
        for picture in each_rendition(live):
            wanted = demand.renditions.setdefault(picture["rendition"], Wanted())
            wanted.composites += 1
            row = name_of(picture)
            rendition = settings.rendition(picture["rendition"])
            size, words = prepared.get(picture["picture"]), prompts.get(row)
            if picture["background"] or rendition.generator == BACKDROP:
                wanted.own += 1
            elif in_place and not (size and size["status"] != OK):
                scene_row = made.get(row, {})
                there = scene_row.get("generator") == generator
                wanted.keys.append(PurePosixPath(scene_row["file"]).stem if there else digest([shard, row]))
            elif size and words and size["status"] == words["status"] == OK:
                canvas = rendition.composites(settings.composites).placement.canvas
                width, height = canvas or (size["width"], size["height"])
                scale = model.scale(*reversed(canvas or (size["source_width"], size["source_height"])))
                scene = SceneRequest(
                    words["prompt"], words["negative_prompt"], picture["seed"], height, width, scale=scale
                )
                wanted.keys.append(model.key(scene))
            elif not (size and size["status"] != OK):
                wanted.unanalysed.append(
                    (picture["prompt"], picture["negative_prompt"], picture["seed"], picture["rendition"])
                )
    return demand
