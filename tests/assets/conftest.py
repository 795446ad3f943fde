"""A small catalogue on disk and a store, over which the whole graph runs: by its stages alone, or in Dagster."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import dagster as dg
import numpy as np
import pytest

from resources.store.store import Store
from tests.support.shards import run_shard
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import Catalogue, find, register
from vivid_assets.pipeline import Pipeline as Names
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import pipeline_assets, pipeline_resources

NAMES = Names()


def product(color, size=160):
    """A round product on a wall that is lit a little unevenly (uint8 size × size × 3, RGB)."""
    wall = np.full((size, size, 3), (205, 200, 190), np.float32) + np.linspace(-6, 6, size)[None, :, None]
    cv2.circle(wall, (size // 2, size // 2), size // 3, color, -1, cv2.LINE_AA)
    return np.clip(wall, 0, 255).astype(np.uint8)


class Pipeline:
    """A catalogue, its store and its instance.

    ``run`` brings a shard up to date and counts what was computed; ``materialize`` and ``run_in_dagster`` do so in
    Dagster, which takes longer than the work on a few small pictures. In a new folder, or in one that another
    ``Pipeline`` has left.
    """

    def __init__(self, root: Path, instance: dg.DagsterInstance | None = None):
        self.folder = root / "pictures"
        self.store = Store(root=str(root / "store"))
        self.settings_file = root / "vivid.toml"
        self.catalogue: Catalogue | None = None
        self._instance = instance
        self._shards: list[str] = []
        """Those that the instance is still to be told of."""
        if self.folder.exists():
            self.catalogue = find(self.store, "spring")
            self._shards += shards_of(self.store, "spring")
        else:
            self.folder.mkdir()
            self.say('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')

    @property
    def instance(self) -> dg.DagsterInstance:
        """It knows the shards; made when it is first asked for."""
        if self._instance is None:
            # In memory: records in files would take most of a run's time.
            self._instance = dg.DagsterInstance.ephemeral()
        self._instance.add_dynamic_partitions("vivid_shards", self._shards)
        self._shards.clear()
        return self._instance

    def close(self) -> None:
        if self._instance is not None:
            self._instance.dispose()

    def say(self, settings: str) -> None:
        self.settings_file.write_text(settings)

    def put(self, name: str, color=(180, 40, 30), **options) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.cvtColor(product(color, **options), cv2.COLOR_RGB2BGR))

    def scan(self):
        if self.catalogue is None:
            self.catalogue = register(self.store, "spring", str(self.folder))
        found = scan(self.store, self.catalogue)
        self._shards += found.assignment.new_shards
        return found

    def run(self, shard: str = "spring-00000", **options) -> dict[str, int]:
        """How many rows each stage computed; none may fail its checks. ``options`` as ``run_shard`` takes them."""
        return run_shard(self.store, shard, self.settings_file, **options)

    def run_in_dagster(self, shard: str = "spring-00000", **options) -> dict[str, int]:
        """As ``run``; every step must succeed."""
        result = self.materialize(shard, **options)
        assert result.success
        return {
            event.asset_key.path[-1]: event.materialization.metadata["computed"].value
            for event in result.get_asset_materialization_events()
            if "computed" in event.materialization.metadata  # the export only puts together
        }

    def materialize(self, shard: str, selection: Sequence[str] = (), **options):
        return dg.materialize(
            pipeline_assets(NAMES),
            selection=[one if isinstance(one, dg.AssetKey) else NAMES.key(one) for one in selection or ()] or None,
            partition_key=shard,
            instance=self.instance,
            raise_on_error=False,
            resources=self.resources(),
            **options,
        )

    def resources(self):
        """What a run needs."""
        settings = SettingsFile(path=str(self.settings_file))
        return pipeline_resources(NAMES, store=self.store, settings=settings)

    def published(self) -> set[str]:
        """What people find under the catalogue's name."""
        root = Path(self.store.path("composites/spring").path)
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    def rows(self, stage, shard: str = "spring-00000"):
        return read_rows(self.store, stage, shard)


@pytest.fixture
def pipeline(tmp_path):
    with closing(Pipeline(tmp_path)) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def left_by(tmp_path_factory):
    """``left_by(prepare)``: a folder as ``prepare(pipeline)`` left it, which is called once in a module."""
    copies: dict[Callable[[Pipeline], None], tuple[Path, Path]] = {}

    def restored(prepare: Callable[[Pipeline], None]) -> Path:
        if prepare not in copies:
            root, copy = tmp_path_factory.mktemp("prepared"), tmp_path_factory.mktemp("copy") / "root"
            with closing(Pipeline(root)) as pipeline:
                prepare(pipeline)
            shutil.copytree(root, copy)
            copies[prepare] = root, copy
        root, copy = copies[prepare]
        # In the same place each time, since the store says where the catalogue is.
        shutil.rmtree(root)
        shutil.copytree(copy, root)
        return root

    return restored


@pytest.fixture
def pipeline_after(left_by):
    """``pipeline_after(prepare)``: a pipeline that goes on from where ``prepare`` left one; see ``left_by``."""
    with ExitStack() as made:
        yield lambda prepare: made.enter_context(closing(Pipeline(left_by(prepare))))
