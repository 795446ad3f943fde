"""A small catalogue whose stages run here, one after the other, without Dagster."""

import logging
from pathlib import Path

from PIL import Image

from resources.store.store import Store
from tests.support.plain import plain
from vivid_assets.assets.export import publish
from vivid_assets.catalogue.ledger import live_pictures, shards_of
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import register
from vivid_assets.rows.stage import FAILED, OK
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.stage import Shard, all_stages

_SETTINGS = {"masks": {"tiers": ["gradients"]}, "backgrounds": {"generator": "backdrop"}}


class SmallCatalogue:
    """A folder of pictures with its store, named ``spring``."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "pictures"
        self.folder.mkdir()
        self.store = Store(root=str(root / "store"))
        self.found = None
        self.outcomes = {}

    def put(self, name: str, *, size: int = 160, subject=(150, 40, 30), shadow: bool = False) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(plain(size=size, subject=subject, shadow=shadow).picture).save(path)

    def say(self, text: str) -> None:
        """Write ``catalogue.toml``."""
        (self.folder / "catalogue.toml").write_text(text)

    def manifest(self, text: str) -> None:
        (self.folder / "manifest.csv").write_text(text)

    def scan(self) -> None:
        self.found = scan(self.store, register(self.store, "spring", str(self.folder)))

    def run(self, *stages: str) -> dict[str, int]:
        """Scan, run the stages (all of them, if none is named) over every shard, and publish: the rows computed."""
        self.scan()
        settings = SettingsFile(trial=_SETTINGS).read(catalogue_settings(self.store, "spring"))
        computed = {}
        for name in shards_of(self.store, "spring"):
            shard = Shard(name, self.store, settings, logging.getLogger("small"))
            for stage in all_stages():
                if not stages or stage.name in stages:
                    with stage.at_work(shard) as work:
                        outcome = work.run(live_pictures(self.store, name))
                        work.report(outcome)
                    self.outcomes[stage.name] = outcome
                    computed[stage.name] = computed.get(stage.name, 0) + outcome.computed
            publish(self.store, name)
        return computed

    def rows(self, stage, shard: str = "spring-00000"):
        """The good rows of a stage; those that failed are an error."""
        rows = read_rows(self.store, stage, shard)
        assert not [row["error"] for row in rows.values() if row["status"] == FAILED]
        return {name: row for name, row in rows.items() if row["status"] == OK}

    def published(self) -> set[str]:
        root = Path(self.store.path("composites/spring").path)
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    def composite(self, name: str) -> Image.Image:
        return Image.open(self.store.path(f"composites/spring/{name}").path)
