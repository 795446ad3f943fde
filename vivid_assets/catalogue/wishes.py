"""What people asked for single pictures at the review desk: another tier, a mask, a prompt, a background.

It is in the store, ``desk/<catalogue>/``, so the catalogue's folder is never written to. A scan puts it on top of what
the manifest says; from then on it is a request like any other.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa

from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.rows.failures import PictureFailure

AT_DESK = "desk:"
"""How the name of a mask begins that was given at the desk; no file's can, since a colon is refused."""
MASK_CONTENT = "desk "
"""How its content begins in the ledger: then comes the digest of the file."""


@dataclass(frozen=True)
class Wish:
    """What is asked for one picture; an empty entry asks for nothing."""

    tier: str = ""
    prompt: str = ""
    background: str = ""
    mask: str = ""
    """Digest of the mask's file."""


@dataclass(frozen=True)
class Judged:
    """What somebody said of a picture as it was."""

    key: str
    """Of its review row: made anew, the picture is judged anew."""
    is_right: bool


@contextmanager
def one_at_a_time(store: Store, catalogue: str) -> Iterator[None]:
    """Held by whoever reads what was said of a catalogue's pictures and changes it: nobody's word is written over."""
    with Claims(store, "claims/desk").held(catalogue, poll_s=0.05):
        yield


def read_wishes(store: Store, catalogue: str) -> dict[str, Wish]:
    """By picture: what is asked for it."""
    names = {field.name for field in fields(Wish)}
    return {
        picture: Wish(**{name: value for name, value in wish.items() if name in names})
        for picture, wish in _read(store, catalogue, "wishes").items()
    }


def keep_wish(store: Store, catalogue: str, picture: str, wish: Wish) -> None:
    """Ask for it in place of what was asked before; an empty wish takes it back. Within ``one_at_a_time``."""
    _change(store, catalogue, "wishes", picture, {name: value for name, value in asdict(wish).items() if value})


def keep_mask(store: Store, catalogue: str, data: bytes) -> str:
    """Keep a mask's file; the digest by which it is asked for. Within ``one_at_a_time``, until a wish names it."""
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    store.write(_mask_path(catalogue, digest), data, durable=True)
    return digest


def read_kept_mask(store: Store, catalogue: str, content: str) -> bytes:
    """The mask's file, by its content in the ledger. Raises PictureFailure when it is not there, or another."""
    digest = content.removeprefix(MASK_CONTENT)
    try:
        data = store.read(_mask_path(catalogue, digest))
    except FileNotFoundError:
        data = b""
    if hashlib.blake2b(data, digest_size=16).hexdigest() != digest:
        raise PictureFailure("Its mask from the desk is gone from the store, or damaged: give it again.")
    return data


def read_judged(store: Store, catalogue: str) -> dict[str, Judged]:
    """By picture: what was said last."""
    return {picture: Judged(**one) for picture, one in _read(store, catalogue, "judged").items()}


def keep_judged(store: Store, catalogue: str, picture: str, judged: Judged | None) -> None:
    """Record what somebody said of a picture; None takes it back. Within ``one_at_a_time``."""
    _change(store, catalogue, "judged", picture, asdict(judged) if judged else {})


def forget_pictures(store: Store, catalogue: str, live: Collection[str], only: Collection[str] = ()) -> None:
    """Delete what was said of pictures that are not ``live``, of those of them named in ``only``; masks with it."""
    with one_at_a_time(store, catalogue):
        wishes = read_wishes(store, catalogue)
        gone = {name for name in wishes if name not in live and (not only or name in only)}
        for name in gone:
            keep_wish(store, catalogue, name, Wish())
        used = {wish.mask for name, wish in wishes.items() if name not in gone}
        kept = store.names(f"desk/{catalogue}/masks")
        store.remove(_mask_path(catalogue, one) for name in kept if (one := name.removesuffix(".png")) not in used)
        for name in read_judged(store, catalogue):
            # Of a picture, or of a rendition in brackets behind its name.
            names = {name, name.rpartition(" (")[0]}
            if not names & {*live} and (not only or names & {*only}):
                keep_judged(store, catalogue, name, None)


def with_wishes(manifest: pa.Table, wishes: Mapping[str, Wish]) -> pa.Table:
    """The manifest's table with what is asked at the desk in place of what it says."""
    asked = [(index, wish) for index, name in enumerate(manifest["image"].to_pylist()) if (wish := wishes.get(name))]
    if not asked:
        return manifest
    for column in ("tier", "prompt", "background"):
        values = manifest[column].to_pylist()
        for index, wish in asked:
            values[index] = getattr(wish, column) or values[index]
        manifest = manifest.set_column(manifest.schema.get_field_index(column), column, pa.array(values, pa.string()))
    return manifest


def _change(store: Store, catalogue: str, what: str, picture: str, value: Mapping[str, Any]) -> None:
    known = _read(store, catalogue, what)
    known = {name: one for name, one in known.items() if name != picture} | ({picture: value} if value else {})
    text = json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False)
    store.write(f"desk/{catalogue}/{what}.json", text.encode(), durable=True)


def _read(store: Store, catalogue: str, what: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(store.read(f"desk/{catalogue}/{what}.json"))
    except FileNotFoundError:
        return {}
    return found


def _mask_path(catalogue: str, digest: str) -> str:
    return f"desk/{catalogue}/masks/{digest}.png"
