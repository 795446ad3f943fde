"""Masks: what is subject and what is wall, by the first tier whose answer is good."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from partitions.shards import catalogue_of
from resources.errors import ModelUnavailable
from resources.masks.birefnet import BiRefNet
from resources.masks.tier import MaskModel
from resources.masks.tiers import MASK_TIERS
from resources.masks.vitmatte import VitMatte
from resources.store.store import Store
from vivid_assets.assets.deployment import wanted_revision
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.source import Catalogue, find
from vivid_assets.imaging.core.alpha import Alpha, fit_alpha
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.imaging.io.read_mask import read_mask
from vivid_assets.masking.ladder import Ladder, trouble
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import NO_ANSWER, Mask, MaskRequest
from vivid_assets.masking.matting import matted
from vivid_assets.masking.model import Tier
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.stage import Reads, Row, Stage, artefact, degraded_key
from vivid_assets.rows.work import Work
from vivid_assets.settings import SettingsFile, configured, find_model
from vivid_assets.stages.shard_asset import Groups, ShardConfig, materialize_shard, settings_of, shard_asset
from vivid_assets.stages.stored import read_stored

MASKS = Stage(
    name="masks",
    version="13",
    columns=pa.schema(
        [
            ("file", pa.string()),
            ("tier", pa.string()),
            ("verdict", pa.string()),
            ("reason", pa.string()),
            ("figures", pa.string()),
            ("tried", pa.string()),
            ("degraded", pa.string()),
            ("review", pa.bool_()),
            ("line_art", pa.bool_()),
            ("line_art_probability", pa.float64()),
            ("origin", pa.string()),
            ("notes", pa.list_(pa.string())),
        ]
    ),
    files=("file",),
    degraded="degraded",
    asks=("mask", "mask_content", "tier", "box"),
    reads=(Reads(PREPARED_IMAGES, ("file", "alpha_file", "source_width", "source_height")),),
)

_LEAST = 8
"""Pictures that are solved at a time, at least: a core each for the networks and filters of the CPU."""


# First, since backgrounds may be painted around the masks' subjects.
@shard_asset(MASKS, kinds={"onnx", "huggingface"}, pool="gpu", priority=1)
def masks(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
    birefnet: dg.ResourceParam[BiRefNet],
    vitmatte: dg.ResourceParam[VitMatte],
) -> dg.MaterializeResult:
    """A mask for each picture, and how good it is.

    A row names the tier that answered, its verdict and figures, and every tier tried before with the reason for
    going on; `degraded` says that a tier that is installed, or once was, could not be loaded or broke: such a row is
    made again by the next run. A tier that never was installed is noted once, when a run starts. A mask in the
    catalogue's `overrides` folder is used as it is; so is the source's own transparency, where it can be a cut-out.
    `origin` says which of these the alpha is (`person`, `own`), or a network's `probability` or `matte`, or a
    `drawing`; `notes` how a mask's file was read. With `matting` a network solves the edges of photographs' masks, and
    `tried` ends with what it did. Stale when the picture, the override, a threshold or a model changes.
    """
    source = find(store, catalogue_of(context.partition_key))
    wanted = settings_of(context, store, settings)

    def load(row: Row) -> tuple[np.ndarray, MaskRequest]:
        prepared = row.read["prepared_images"]
        image = read_stored(store, prepared["file"], decode).rgb
        override = None
        if row.asked["mask"]:
            override = persons_mask(source, row.asked, *image.shape[:2])
        elif prepared["alpha_file"]:
            override = Alpha(read_stored(store, prepared["alpha_file"], decode_mask), "own")
        box = _box_shares(row.asked["box"], prepared["source_width"], prepared["source_height"])
        request = MaskRequest(tier=row.asked["tier"] or None, box=box, override=override)
        return image, request

    def save(row: Row, mask: Mask) -> dict[str, Any]:
        if mask.verdict == NO_ANSWER:
            raise PictureFailure(mask.reason, transient=mask.degraded is not None)
        file = artefact(source.name, MASKS, degraded_key(row.key, mask.degraded), ".png")
        store.write(file, encode_mask(mask.alpha))
        return {"file": file, **_columns(mask)}

    def show(rows: Any) -> Groups:
        for row in rows:
            yield [np.rint(decode_mask(store.read(row["file"])) * 255).astype(np.uint8)]

    vitmatte = configured(vitmatte, wanted.entries("vitmatte"))
    matting = wanted.masks.matting == "vitmatte"
    with ExitStack() as leases, vitmatte.lease() if matting else nullcontext() as matter:
        tiers = make_tiers(
            wanted.masks.tiers, lambda name: find_model(MASK_TIERS, name, wanted, {"birefnet": birefnet}), leases
        )
        # The models cut it to their own sizes; a small one for a small GPU must not slow down what works on the CPU.
        at_once = max(_LEAST, *(tier.at_once for tier in tiers), vitmatte.batch_size if matting else 1)
        asked = [_wanted(store, tier) for tier in tiers]
        absent = [(tier, tier.missing) for tier, one in zip(tiers, asked, strict=True) if tier.missing != one.missing]
        ladder = Ladder(asked, ladder_settings(wanted.masks))
        if ladder.note:
            context.log.info("%s", ladder.note)

        def solve(batch: Sequence[tuple[np.ndarray, MaskRequest]]) -> Sequence[Mask | Exception]:
            images = [image for image, _ in batch]
            found = ladder.masks(images, [request for _, request in batch])
            return found if matter is None else matted(found, images, matter)

        result = materialize_shard(
            context,
            MASKS,
            lambda: Work(load=load, compute=solve, save=save, batch_size=at_once),
            store=store,
            config=config,
            limits=wanted.checks,
            # The revision has it, where it is asked for.
            settings=wanted.masks.model_dump(mode="json", exclude={"matting"}),
            revision={"ladder": ladder.revision} | ({"vitmatte": vitmatte.revision} if matting else {}),
            lacking="; ".join(trouble(tier.name, reason) for tier, reason in absent) or None,
            pictures=show,
            count="tier",
            report=lambda _: _of_tiers(ladder),
        )
        for tier, reason in ladder.unavailable.items():
            context.log.warning("The tier %s could not be loaded: %s", tier, reason)
        return result


def _wanted(store: Store, tier: Tier) -> Tier:
    """``tier`` as it is asked: one that is not installed here, but was or is elsewhere, is wanted and cannot load."""
    revision = wanted_revision(store, f"tier {tier.name}", None if tier.missing else tier.revision)
    if not tier.missing or revision is None:
        return tier
    reason = tier.missing

    def load() -> MaskModel:
        raise ModelUnavailable(reason)

    return replace(tier, load=load, revision=revision, missing=None)


def _of_tiers(ladder: Ladder) -> dict[str, Any]:
    """Metadata: which tiers are not installed, and which are but could not be loaded."""
    broken = "; ".join(f"{tier}: {reason}" for tier, reason in ladder.unavailable.items())
    found = {"tiers not installed": ladder.note, "tiers that could not be loaded": broken}
    return {name: said for name, said in found.items() if said}


def persons_mask(source: Catalogue, asked: Mapping[str, Any], height: int, width: int) -> Alpha:
    """The mask of the catalogue's ``overrides`` folder that is asked for, at a picture's size.

    Raises PictureFailure, which names it.
    """
    name = asked["mask"]
    try:
        found = read_mask(source.read(name, asked["mask_content"]))
        return replace(found, values=fit_alpha(found.values, height, width))
    except ValueError as error:
        raise PictureFailure(f"Its mask {name!r} cannot be used: {error}") from error


def _columns(mask: Mask) -> dict[str, Any]:
    return {
        "tier": mask.tier,
        "verdict": mask.verdict,
        "reason": mask.reason,
        "figures": json.dumps(dict(mask.figures)),
        "tried": json.dumps([record.as_dict() for record in mask.tried]),
        "degraded": mask.degraded,
        "review": mask.review,
        "line_art": mask.line_art,
        "line_art_probability": mask.line_art_probability,
        "origin": mask.origin,
        "notes": list(mask.notes),
    }


def _box_shares(box: str, width: int, height: int) -> tuple[float, float, float, float] | None:
    """A box in pixels of the source as shares of it, cut to the picture."""
    if not box:
        return None
    left, top, right, bottom = (int(side) for side in box.split(","))
    return left / width, top / height, min(1.0, right / width), min(1.0, bottom / height)
