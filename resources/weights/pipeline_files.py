"""Which files of a repository in diffusers' layout a pipeline needs, and which of them are not there."""

import json
import re
from collections.abc import Collection
from pathlib import Path

from resources.weights.licences import CARD

_TEXT = (".json", ".txt", ".model", ".jinja")
_WEIGHTS = ".safetensors"
# diffusion_pytorch_model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json
_VARIANT = re.compile(r"^[^.]+(?:\.safetensors\.index)?\.([A-Za-z]\w*?)(?:-\d{5}-of-\d{5})?\.(?:safetensors|json)$")


def needed(there: Collection[str], variant: str = "") -> tuple[str, ...]:
    """The files to fetch.

    Args:
        there: the names of all files of the repository.
        variant: ``fp16``, say: of a part that has such files those are taken, of others the ones without.

    A part is a folder that says what it is in JSON: what else lies in a repository, the same weights for another
    program among it, is left, but for the card, which names the licence.

    >>> needed(["model_index.json", "vae/config.json", "vae/model.safetensors", "all-in-one.safetensors"])
    ('model_index.json', 'vae/config.json', 'vae/model.safetensors')
    """
    parts = {name.split("/")[0] for name in there if name.count("/") == 1 and name.endswith(".json")}
    chosen = [name for name in (CARD, "model_index.json") if name in there]
    for part in sorted(parts):
        names = sorted(name for name in there if name.startswith(f"{part}/") and name.count("/") == 1)
        chosen += [name for name in names if name.endswith(_TEXT) and not _is_index(name)]
        kinds: dict[str, list[str]] = {}
        for name in names:
            if name.endswith(_WEIGHTS) or _is_index(name):
                kinds.setdefault(variant_of(name), []).append(name)
        chosen += kinds.get(variant) or kinds.get("", [])
    return tuple(chosen)


def variant_of(name: str) -> str:
    """The variant in a weight file's name; empty where there is none.

    >>> variant_of("unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors")
    'fp16'
    """
    file = name.rsplit("/", 1)[-1]
    found = _VARIANT.match(file)
    return "" if found is None or found[1] in ("safetensors", "index") else found[1]


def absent_parts(place: Path, variant: str = "") -> list[str]:
    """What the pipeline in ``place`` names and has not: folders, weights, files of weights that are in several.

    Raises:
        OSError, ValueError: its ``model_index.json`` cannot be read, or is none.
    """
    index = json.loads((place / "model_index.json").read_text())
    if not isinstance(index, dict) or "_class_name" not in index:
        raise ValueError("it names no pipeline")
    absent = []
    for part, kind in index.items():
        if part.startswith("_") or not isinstance(kind, list) or len(kind) != 2 or kind[0] is None:
            continue
        folder = place / part
        if not folder.is_dir():
            absent.append(f"{part}/")
            continue
        files = [path.name for path in folder.iterdir() if path.is_file()]
        listed = needed([f"{part}/{name}" for name in files], variant)
        weights = [name for name in listed if name.endswith(_WEIGHTS)]
        if "config.json" in files and not weights:
            absent.append(f"{part}/*{_WEIGHTS}")
        for one in (name for name in listed if _is_index(name)):
            named = json.loads((place / one).read_text())["weight_map"].values()
            absent += sorted({f"{part}/{name}" for name in named if name not in files})
    return absent


def _is_index(name: str) -> bool:
    return ".safetensors.index." in name
