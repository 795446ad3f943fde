"""What a stage of the pipeline is: what its rows hold and read, and the work on one shard, without Dagster."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np

from partitions.shards import catalogue_of
from resources.errors import MachineFault
from resources.models import own_models
from resources.registry import Registry
from resources.resource import Model as NamedModel
from resources.resource import Resource
from resources.store.store import Store
from vivid_assets.catalogue.renditions import each_rendition
from vivid_assets.catalogue.source import Catalogue, find
from vivid_assets.checks.check import Check
from vivid_assets.export.columns import Exported
from vivid_assets.flow import STAGE_NAMES, stage_named
from vivid_assets.rows.engine import Outcome, ShardRun, is_up_to_date, materialize_rows
from vivid_assets.rows.keys import digest
from vivid_assets.rows.stage import RowInput, Stage, artefact
from vivid_assets.rows.work import Work
from vivid_assets.settings import Rendition, Settings, StageSettings, configured, find_model
from vivid_assets.stages.stored import read_stored

Loaded = TypeVar("Loaded")
Computed = TypeVar("Computed")
Made = TypeVar("Made")
Read = TypeVar("Read")
Model = TypeVar("Model", bound=Resource)
Named = TypeVar("Named", bound=NamedModel)
Own = TypeVar("Own", bound=StageSettings)

Pictures = Sequence[np.ndarray]
"""uint8 H×W or H×W×3 sRGB each."""


@dataclass(frozen=True)
class Shard:
    """A shard that a stage works on, and all that it may use."""

    name: str
    store: Store
    settings: Settings
    """Those that hold for its catalogue."""
    log: logging.Logger
    models: Mapping[str, Resource] = field(default_factory=dict)
    """Models as a run is given them, by name; others are as the settings have them."""

    @cached_property
    def source(self) -> Catalogue:
        """Where the pictures come from."""
        return find(self.store, catalogue_of(self.name))

    def rendition(self, name: str) -> Rendition:
        """The rendition of that name, as the settings have it; raises MachineFault where they do not."""
        declared = self.settings.renditions
        if name not in (declared or ("",)):
            raise MachineFault(f"Other renditions are declared than {name!r}, for which the last scan was.")
        return self.settings.rendition(name)

    @property
    def max_pixels(self) -> int:
        """The largest picture that is decoded."""
        return round(self.settings.prepared_images.max_megapixels * 1e6)

    def model(self, kind: type[Model], name: str) -> Model:
        """The model of that name and kind, as the run and the settings have it."""
        return configured(cast("Model", self.models.get(name) or kind()), self.settings.entries(name))

    def model_of(self, models: "Registry[Named]", name: str) -> Named:
        """The model of that name in a list of models, as the run and the settings have it. Raises as ``find_model``."""
        return find_model(models, name, self.settings, self.models)


class StageWork(Generic[Loaded, Computed, Made]):
    """A stage's work on one shard: load, compute in batches, save, show.

    Subclass it. ``load`` and ``save`` run in threads beside ``compute``, which keeps a model busy in batches.
    """

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        """Lease what models the work needs; ``leases`` are let go once it is done."""
        self.stage, self.shard, self.leases = stage, shard, leases
        self.batch_size = 1
        """Pictures at a time, for ``compute``."""
        self.order: Callable[[RowInput], Any] | None = None
        """What rows are sorted by, so that those that can be computed together come together."""
        self.alone: Callable[[RowInput], bool] | None = None
        """Which rows take long, and so are a batch of their own."""
        self.settings: Mapping[str, Any] = {}
        """The settings that the rows depend on; what is read of others must change no result."""
        self.revision: Mapping[str, str] = {}
        """That of the models that are wanted, whether or not this machine has them."""
        self.lacking: str | None = None
        """What this machine lacks of what is wanted, in a sentence."""
        self.limits: Mapping[str, Any] = {}
        """Settings that can only make a picture fail."""

    def made_with(self, uses: Collection[str] | None = None) -> str:
        """A digest of all that rows depend on besides pictures, requests and earlier stages.

        With ``uses`` (``Outcome.uses``) of the settings and revisions only those of these names.
        """
        columns = [f"{column.name} {column.type}" for column in self.stage.columns]
        both = (self.settings, self.revision)
        given = [{name: one for name, one in by.items() if uses is None or name in uses} for by in both]
        is_laid_out = "renditions" in cast("PipelineStage", self.stage).tables()
        renditions = self.shard.settings.renditions if is_laid_out else {}
        return digest([self.stage.version, columns, *given, {name: one.entries for name, one in renditions.items()}])

    def run(self, pictures: Sequence[Mapping[str, Any]], *, retry_failed: bool = False) -> Outcome:
        """Bring the shard's rows up to date.

        Args:
            pictures: the shard's live rows of the ledger.
            retry_failed: whether rows that failed for good are tried again.
        """
        run = self._over(pictures, retry_failed=retry_failed)
        return materialize_rows(
            run, lambda: Work(self.load, self.compute, self.save, self.batch_size, self.order, self.alone)
        )

    def is_up_to_date(self, pictures: Sequence[Mapping[str, Any]]) -> bool:
        """Whether ``run`` would find nothing to do."""
        return is_up_to_date(self._over(pictures))

    def _over(self, pictures: Sequence[Mapping[str, Any]], *, retry_failed: bool = False) -> ShardRun:
        asked = each_rendition(pictures) if self.stage.per_rendition else pictures
        return ShardRun(
            self.stage,
            self.shard.name,
            asked,
            self.shard.store,
            self.shard.log,
            settings=self.settings,
            revision=self.revision,
            retry_failed=retry_failed,
            lacking=self.lacking,
            limits=self.limits,
            settings_of=self.settings_of,
            revision_of=self.revision_of,
        )

    def settings_of(self, row: RowInput) -> Mapping[str, Any]:  # noqa: ARG002
        """Those of the settings that can change this row's result: a change of others does not make it stale.

        The row has no key yet.
        """
        return self.settings

    def revision_of(self, row: RowInput) -> Mapping[str, str]:  # noqa: ARG002
        """That of the models that this row wants."""
        return self.revision

    def load(self, row: RowInput) -> Loaded:
        """What ``compute`` needs of a picture. Raises PictureFailure, or ValueError, for a picture that is refused."""
        raise NotImplementedError

    def compute(self, batch: Sequence[Loaded]) -> Sequence[Computed | Exception]:
        """An entry per input, in order; an exception as an entry fails that picture alone."""
        raise NotImplementedError

    def save(self, row: RowInput, computed: Computed) -> Made:
        """Write the files and return the row."""
        raise NotImplementedError

    def show(self, picture: str, made: Made) -> Pictures:  # noqa: ARG002
        """The pictures of a row for the contact sheet, side by side; none for none."""
        return ()

    def report(self, outcome: Outcome) -> Mapping[str, Any]:  # noqa: ARG002
        """What the stage leaves besides its rows, and what the UI says of it; a path is shown as one."""
        return {}

    def own_settings(self, kind: type[Own]) -> Own:
        """The stage's own table of the settings."""
        return kind(**self.shard.settings.entries(self.stage.name))

    def stored(self, path: str, decode: Callable[[bytes], Read]) -> Read:
        """The decoded file at a path of the store. Raises PictureFailure when it is damaged."""
        return read_stored(self.shard.store, path, decode)

    def keep(self, key: str, suffix: str, data: bytes | Path) -> str:
        """Write a file of the row with that key, its bytes or a copy of one on this machine; its path in the store."""
        path = artefact(self.shard.source.name, self.stage, key, suffix)
        if isinstance(data, Path):
            self.shard.store.write_file(path, data)
        else:
            self.shard.store.write(path, data)
        return path


class EachPicture(StageWork[Made, Made, Made]):
    """Work that needs no batches: ``make`` of each picture, in threads."""

    def make(self, row: RowInput) -> Made:
        """Write a picture's files and return its row."""
        raise NotImplementedError

    def load(self, row: RowInput) -> Made:
        return self.make(row)

    def compute(self, batch: Sequence[Made]) -> Sequence[Made | Exception]:
        return batch

    def save(self, row: RowInput, computed: Made) -> Made:  # noqa: ARG002
        return computed


@dataclass(frozen=True, kw_only=True)
class PipelineStage(Stage):
    """A stage with its work, and what the pipeline around it derives from it."""

    description: str
    """What a row means and what makes it stale, for the UI; mostly the module's docstring."""
    work: type[StageWork[Any, Any, Any]]
    uses: tuple[str | Registry[Any], ...] = ()
    """The models that it may ask: by name, or all of a list."""
    settings: type[StageSettings] | None = None
    """Its own table of the settings, if it has one."""
    kinds: frozenset[str] = frozenset()
    """What Dagster shows as the technology."""
    pool: str | None = None
    """``gpu`` where it asks a model, ``cpu`` where it computes much without."""
    priority: int = 0
    """Of the steps of a run that could be next, one of a higher priority is."""
    counts: Mapping[str, str] = field(default_factory=dict)
    """Columns whose values are counted for the UI, by what they are called there."""
    checks: tuple[Check, ...] = ()
    """Besides that of completeness, which every stage has."""
    exported: tuple[Exported, ...] = ()
    """Columns of the exported dataset, besides those of ``vivid_assets.export.columns``."""
    is_view: bool = False
    """Whether it only shows what others made: then no trial runs it, and nothing of it is exported."""

    @contextmanager
    def at_work(self, shard: Shard) -> Iterator[StageWork[Any, Any, Any]]:
        """The stage's work on a shard; the models that it leases are let go when the block ends.

        >>> with stage.at_work(shard) as work:  # doctest: +SKIP
        ...     work.run(live_pictures(store, shard.name))
        """
        with ExitStack() as leases:
            yield self.work(self, shard, leases)

    def resources(self) -> tuple[str, ...]:
        """The models of this package with settings that it uses, by name."""
        own = own_models()
        return tuple(name for name in self._uses(own_only=True) if name in own)

    def tables(self) -> tuple[str, ...]:
        """The tables of the settings that its rows may depend on."""
        own = own_models()
        models = [name for name in self._uses(own_only=False) if name in own or not self._is_own(name)]
        laid_out = self.per_rendition and self.settings and not self.is_view
        return (*([self.name] if self.settings else []), *(["renditions"] if laid_out else []), *models)

    def _uses(self, *, own_only: bool) -> list[str]:
        named: list[str] = []
        for one in self.uses:
            named += [one] if isinstance(one, str) else one.own if own_only else one.names()
        return named

    def _is_own(self, name: str) -> bool:
        return any(name == one if isinstance(one, str) else name in one.own for one in self.uses)


def all_stages() -> tuple[PipelineStage, ...]:
    """The stages in the order of the flow."""
    return tuple(stage_named(name) for name in STAGE_NAMES)


def last_of(stages: Sequence[PipelineStage]) -> tuple[PipelineStage, ...]:
    """Those of ``stages`` that no other of them reads: naming all would only tangle Dagster's graph."""
    read = {reads.stage.name for stage in stages for reads in stage.reads}
    return tuple(stage for stage in stages if stage.name not in read)
