"""The rule of keys: what a row's result depends on, as a digest.

A row with the key that would be computed now is up to date.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vivid_assets.rows.stage import Stage


def degraded_key(key: str, lacks: str | None) -> str:
    """The key of a row that should have ``key`` and was made without what it ``lacks``; ``key`` if that is nothing."""
    return digest([key, lacks]) if lacks else key


def row_key(
    stage: Stage,
    asked: Mapping[str, Any],
    read: Mapping[str, Mapping[str, Any]],
    upstream_keys: Mapping[str, str],
    settings: Mapping[str, Any],
    revision: Mapping[str, str],
) -> str:
    """The digest (128-bit BLAKE2b, hexadecimal) of everything the row's result depends on.

    An earlier stage's plain values enter as they are, so a change upstream that leads to the same values ends
    there; its files enter by the key of the row that made them, and a shared one (``SharedFile``) by its path, which
    says what is in it. Where another file lies is not part of the key.
    """
    depends_on = {}
    for reads in stage.reads:
        by_key = {*reads.stage.files} - {*reads.stage.shared_files}
        values = {name: value for name, value in read[reads.stage.name].items() if name not in by_key}
        if len(values) < len(read[reads.stage.name]):
            values["key"] = upstream_keys.get(reads.stage.name)
        depends_on[reads.stage.name] = values
    # A column that is new would be null in rows that are taken over.
    columns = [f"{column.name} {column.type}" for column in stage.columns]
    return digest([stage.name, stage.version, columns, asked, depends_on, settings, revision])


def digest(value: Any) -> str:
    """The 128-bit BLAKE2b of ``value`` (plain lists, mappings, text, numbers) in canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a key")
