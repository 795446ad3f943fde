"""What one pipeline is called in Dagster, so that several, and other people's assets, share a deployment.

Everything that Dagster knows by name carries the pipeline's prefix: assets (``vivid/masks``), jobs, schedules, sensors,
resources (``vivid_store``) and the list of shards.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from partitions.definition import shards_of_pipeline
from partitions.shards import catalogue_of, is_shard

_PART = re.compile(r"[a-z][a-z0-9_]*")
CATALOGUES = "catalogues"
"""The asset that stands for the folders of pictures."""

_IMPLICIT_JOB = "__ASSET_JOB"

PIPELINE = "vivid/pipeline"
"""The tag of a pipeline's assets, and of the runs of its jobs, with its name."""


@dataclass(frozen=True)
class Pipeline:
    """One pipeline of a deployment.

    >>> vivid = Pipeline()
    >>> vivid.key("masks").to_user_string(), vivid.named("catalogue"), vivid.step("masks")
    ('vivid/masks', 'vivid_catalogue', 'vivid__masks')
    """

    key_prefix: str = "vivid"
    """The asset keys' first parts, with a slash between several."""
    group: str = ""
    """Of the assets; empty: the prefix."""
    owners: tuple[str, ...] = ()
    """Of the assets: e-mail addresses, or ``team:`` and a name."""
    gpu_pool: str = ""
    """The pool of the steps that ask a model, where models are on a GPU; empty: they are in none."""
    cpu_pool: str = ""
    """The pool of the other steps that compute pictures; empty: they are in none."""
    desk: str = ""
    """The address of the review desk on its store, which its partitions link to; empty: they link to none."""

    def __post_init__(self) -> None:
        if not all(_PART.fullmatch(part) and "__" not in part for part in self.prefix):
            raise ValueError(
                f"{self.key_prefix!r} cannot be a key prefix: use lower-case letters, digits and single '_', such as "
                "'vivid', with a '/' between several parts."
            )

    @property
    def prefix(self) -> tuple[str, ...]:
        return tuple(self.key_prefix.split("/"))

    @property
    def name(self) -> str:
        """What it is called where a slash cannot be."""
        return "_".join(self.prefix)

    @property
    def group_name(self) -> str:
        return self.group or self.name

    def pool(self, stage: str | None) -> str | None:
        """The pool in Dagster of a step that declares ``gpu`` or ``cpu``."""
        return {"gpu": self.gpu_pool, "cpu": self.cpu_pool}.get(stage or "") or None

    def key(self, asset: str) -> dg.AssetKey:
        """The key of one of its assets."""
        return dg.AssetKey([*self.prefix, asset])

    def desk_of(self, shard: str) -> dict[str, dg.UrlMetadataValue]:
        """The link to a shard's catalogue at the review desk, as a partition's metadata; none without a desk."""
        if not self.desk:
            return {}
        return {"review desk": dg.MetadataValue.url(f"{self.desk.rstrip('/')}/{catalogue_of(shard)}")}

    def named(self, what: str) -> str:
        """The name of one of its jobs, schedules, sensors or resources."""
        return f"{self.name}_{what}"

    def step(self, asset: str) -> str:
        """The step of a run, and the key of its config, that materialises an asset."""
        return "__".join([*self.prefix, asset])

    @property
    def tags(self) -> dict[str, str]:
        """Those of its assets, and of the runs of its jobs."""
        return {PIPELINE: self.name}

    @cached_property
    def shards(self) -> dg.DynamicPartitionsDefinition:
        """The partitions of its assets."""
        return shards_of_pipeline(self.name)

    @property
    def shards_name(self) -> str:
        return str(self.shards.name)

    def over_shards(self, asset: str, **declared: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
        """``dg.asset`` for one of its assets over shards."""
        # No backfill policy: one shard a run is Dagster's own way, since several lose failures, data version and checks
        # by partition. With a policy, of one partition too, runs are for a range: they have no tag dagster/partition,
        # by which the queue keeps two runs off one shard, and each of their events looks at all shards.
        decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
            key=self.key(asset), partitions_def=self.shards, owners=self.owners, tags=self.tags, **declared
        )
        return decorator

    def resources(self, **given: Any) -> dict[str, Any]:
        """Resources by the names that they have in Dagster, such as ``store=Store(…)``."""
        return {self.named(name): resource for name, resource in given.items()}

    def keys(self, *names: str) -> set[str]:
        """The names in Dagster of the resources that a step, a sensor or a schedule requires."""
        return {*map(self.named, names)}

    def resource(self, context: Any, name: str) -> Any:
        """One of its resources, of a step, a sensor or a schedule."""
        return getattr(context.resources, self.named(name))

    def models(self, context: Any, names: Iterable[str]) -> dict[str, Any]:
        """Several of them, by name, as a run is given them."""
        return {name: self.resource(context, name) for name in names}

    def forget_shards(self, instance: dg.DagsterInstance, catalogue: str) -> None:
        """Remove a catalogue's shards from the list of partitions."""
        shards = instance.get_dynamic_partitions(self.shards_name)
        self.forget(instance, [shard for shard in shards if is_shard(shard) and catalogue_of(shard) == catalogue])

    def forget(self, instance: dg.DagsterInstance, shards: Iterable[str]) -> None:
        """Remove shards from the list of partitions."""
        for shard in shards:
            instance.delete_dynamic_partition(self.shards_name, shard)

    def owns(self, run: dg.DagsterRun) -> bool:
        """Whether a run is of one of its jobs or assets, and not somebody else's in the same deployment."""
        if run.job_name.startswith(_IMPLICIT_JOB):
            selected = run.asset_selection
            return selected is None or any(tuple(key.path[:-1]) == self.prefix for key in selected)
        return run.tags.get(PIPELINE) == self.name


def stage_of_step(step_key: str) -> str:
    """The stage, or asset, that a step of a run is for."""
    return step_key.rpartition("__")[2]
