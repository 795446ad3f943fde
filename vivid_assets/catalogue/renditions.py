"""Several pictures of one product: what manifest and catalogue.toml ask for each rendition of a picture.

The ledger has a row a picture, and in its column ``renditions`` where each of them differs from the picture's own
request, as JSON: ``[{"rendition": "beach", "prompt": "a pebble beach"}, …]``; empty where none is declared.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from resources.spelling import did_you_mean, plain
from vivid_assets.catalogue.requests import scene_seed
from vivid_assets.settings import Rendition

_WORDS = ("prompt", "negative_prompt", "seed", "scene", "background")
"""What a manifest's line may say of one rendition."""
_OF_PICTURE = ("tier", "box", "digest")
"""What it says of the picture, whichever line it stands in."""


def each_rendition(pictures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per picture and rendition of the ledger's rows, with ``rendition``: empty where none is declared.

    >>> each_rendition([{"picture": "a.jpg", "prompt": "sand", "renditions": '[{"rendition": "white", "prompt": ""}]'}])
    [{'picture': 'a.jpg', 'prompt': '', 'rendition': 'white'}]
    """
    rows = []
    for picture in pictures:
        own = {name: value for name, value in picture.items() if name != "renditions"}
        if not picture.get("renditions"):
            rows.append({**own, "rendition": ""})
            continue
        rows += [{**own, **one} for one in json.loads(picture["renditions"])]
    return rows


def assert_apart(pictures: Iterable[str], declared: Mapping[str, Rendition]) -> None:
    """Raises ValueError where a rendition has the name of a folder of pictures: composites of both could have one path.

    Both are looked for without regard to case and Unicode form, which other systems do not tell apart.
    """
    folders = {plain(folder): folder for folder, slash, _ in (name.partition("/") for name in pictures) if slash}
    for name in declared:
        if folder := folders.get(name):
            raise ValueError(
                f"catalogue.toml declares a rendition {name!r}, and {folder!r} is a folder of pictures: their "
                "composites could have the same paths. Give one of them another name. Nothing was changed."
            )


def one_line_each(manifest: pa.Table, declared: Mapping[str, Rendition]) -> tuple[pa.Table, list[str]]:
    """The manifest with a line a picture: what it says of its renditions as JSON in the column ``renditions``.

    A line without a rendition is the picture's, for all of them. A picture that has only lines with one has these
    renditions and no others.

    Args:
        manifest: with the column ``rendition``.
        declared: the catalogue's renditions, by name.

    Returns:
        The table, and a message for each line that is left out.
    """
    if not any(manifest["rendition"].to_pylist()):
        renditions = pa.array([""] * len(manifest), pa.string())
        return manifest.drop_columns("rendition").append_column("renditions", renditions), []
    notes = []
    pictures: dict[str, dict[str, Any]] = {}
    for line in manifest.to_pylist():
        name = line.pop("rendition")
        if name and name not in declared:
            meant = did_you_mean(name, declared) or "."
            there = f" There are {', '.join(declared)}." if declared else " catalogue.toml declares none."
            notes.append(f"The manifest's line for {line['image']!r} names a rendition {name!r}{meant}{there}")
            continue
        picture = pictures.setdefault(
            line["image"], {**dict.fromkeys(line, ""), "image": line["image"], "own": {}, "is_for_all": False}
        )
        if name:
            picture["own"][name] = {word: line[word] for word in _WORDS if line[word]}
            picture |= {column: picture[column] or line[column] for column in _OF_PICTURE}
        else:
            picture |= {**line, **{column: line[column] or picture[column] for column in _OF_PICTURE}}
            picture["is_for_all"] = True
    for picture in pictures.values():
        own, is_for_all = picture.pop("own"), picture.pop("is_for_all")
        picture["renditions"] = json.dumps([own, is_for_all]) if own else ""
    names = [*(name for name in manifest.column_names if name != "rendition"), "renditions"]
    columns = {name: pa.array([picture[name] for picture in pictures.values()], pa.string()) for name in names}
    return pa.table(columns), notes


def fill_renditions(
    said: pa.ChunkedArray, requests: Mapping[str, pa.ChunkedArray], declared: Mapping[str, Rendition]
) -> list[list[dict[str, Any]]]:
    """For each picture what its renditions ask for, where that is not what the picture asks for.

    The nearest that names a background decides: the manifest's line for the rendition, then the rendition in
    catalogue.toml, then the picture. The same for each other word.

    Args:
        said: the column ``renditions`` of ``one_line_each``.
        requests: the pictures' own requests by column: prompt, negative_prompt, seed and background.
        declared: the catalogue's renditions, by name.
    """
    if not declared:
        return [[]] * len(said)
    entries = {name: rendition.entries for name, rendition in declared.items()}
    asked = pa.table({name: requests[name] for name in ("prompt", "negative_prompt", "seed", "background")}).to_pylist()
    return [[*_of_picture(words, one, entries)] for words, one in zip(said.to_pylist(), asked, strict=True)]


def as_column(
    renditions: Sequence[Sequence[Mapping[str, Any]]], contents: Mapping[str, str], *, declares: bool
) -> pa.Array:
    """The ledger's column: with the ``contents`` of backgrounds that are files, by their names."""

    def noted(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "background_content": contents.get(one["background"], "")} if "background" in one else {**one}

    return pa.array(
        [json.dumps([noted(one) for one in each], ensure_ascii=False) if declares else "" for each in renditions],
        pa.string(),
    )


def _of_picture(
    said: str, request: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    own, is_for_all = json.loads(said) if said else ({}, True)
    for name, entries in declared.items():
        if name not in own and not is_for_all:
            continue
        words = own.get(name, {})
        wanted = {"prompt": request["prompt"], "background": request["background"]}
        for level in (entries, words):
            if level.get("prompt") or level.get("background"):
                wanted = {"prompt": level.get("prompt") or "", "background": level.get("background") or ""}
        wanted["negative_prompt"] = (
            words.get("negative_prompt") or entries.get("negative_prompt") or request["negative_prompt"]
        )
        seed = entries.get("seed")
        wanted["seed"] = request["seed"] if seed is None else seed
        if words.get("scene"):
            wanted["seed"] = scene_seed(words["scene"])
        if words.get("seed"):
            wanted["seed"] = int(words["seed"])
        yield {"rendition": name, **{word: value for word, value in wanted.items() if value != request[word]}}
