"""The request for each picture: the manifest's line, completed from the catalogue's defaults."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivid_assets.catalogue.source import CatalogueFile


def fill_requests(manifest: pa.Table, defaults: CatalogueFile) -> dict[str, pa.ChunkedArray]:
    """The columns ``prompt``, ``negative_prompt``, ``seed``, ``tier`` and ``box`` for the manifest's lines.

    A line without a seed takes its scene's, which is drawn from the scene's name, or else the catalogue's.
    """
    has_scene = pc.not_equal(manifest["scene"], "")
    scenes = pc.unique(manifest["scene"])
    scene_seeds = pa.array([scene_seed(scene) for scene in scenes.to_pylist()], pa.int64())
    default_seed = pc.if_else(has_scene, scene_seeds.take(pc.index_in(manifest["scene"], scenes)), defaults.seed)
    has_seed = pc.not_equal(manifest["seed"], "")
    own_seed = pc.if_else(has_seed, manifest["seed"], "0").cast(pa.int64())
    return {
        "prompt": _or(manifest["prompt"], defaults.prompt),
        "negative_prompt": _or(manifest["negative_prompt"], defaults.negative_prompt),
        "seed": pc.if_else(has_seed, own_seed, default_seed),
        "tier": manifest["tier"],
        "box": manifest["box"],
    }


def choose_backgrounds(manifest: pa.Table, available: list[str], default: str = "") -> pa.ChunkedArray:
    """A background for every line: its own, else the ``default``, else one of ``available``, else empty.

    The choice is rendezvous hashing (Thaler & Ravishankar 1998) over the scene or the picture's name: it never
    changes by itself, and a background that comes or goes moves only the pictures that it gains or loses.
    """
    own = _or(manifest["background"], default)
    if not available:
        return own
    subject = pc.if_else(pc.equal(manifest["scene"], ""), manifest["image"], manifest["scene"])
    subjects = np.array([_hash(name) for name in subject.to_pylist()], np.uint64)
    best = np.zeros(len(subjects), np.int64)
    highest = np.zeros(len(subjects), np.uint64)
    for index, name in enumerate(available):
        weight = _mix(subjects ^ np.uint64(_hash(name)))
        best = np.where(weight > highest, index, best)
        highest = np.maximum(weight, highest)
    return pc.if_else(pc.equal(own, ""), pa.array(available).take(pa.array(best)), own)


def _or(column: pa.ChunkedArray, default: str) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), default, column)


def scene_seed(scene: str) -> int:
    """The seed of all pictures of a scene."""
    return _hash(scene) % 2**31


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
