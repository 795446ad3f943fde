"""The review page of a shard: one HTML file that needs no server and loads nothing.

The page's script, style and data are inline, and its content security policy names the first two by their digests:
nothing in a picture's name or an error message can run.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from vivid_assets.catalogue.source import OVERRIDES
from vivid_assets.review.share import shared_out
from vivid_assets.rows.stage import name_of

OF_CLIPS = ("frames", "flagged_frames", "flicker")
"""Columns that only clips have."""
_PICTURES = ("before", "mask", "edges", "after")
_DIGEST = re.compile(rb'<meta name="vivid-rows" content="([0-9a-f]+)">')
_DIGEST_WITHIN = 300  # bytes of a page's beginning that hold its digest


def review_page(shard: str, rows: Sequence[Mapping[str, Any]], share: float | None = None) -> bytes:
    """The page for a shard's review rows (columns of the ``review`` stage), what needs review first.

    ``share`` of the pictures need review, or those that the verdicts name: see ``shared_out``.
    """
    return filled(shard, [_entry(row) for row in shared_out(rows, share)], rows_digest(rows, share))


def filled(
    title: str, entries: Sequence[Mapping[str, Any]], digest: str, *, panel: str = "", script: str = "", from_: str = ""
) -> bytes:
    """The page with these entries; for the desk with its ``panel``, its ``script``, and the source that it may use."""
    # "<" as an escape, so that no text can end the data's script element.
    data = json.dumps([*entries]).replace("<", "\\u003c")
    style, own = _part("page.css"), _part("page.js")
    parts = {
        "shard": html.escape(title),
        "digest": digest,
        "style": style,
        "style_hash": _source_hash(style),
        "before": script,
        "script": own,
        "script_hash": f"{_source_hash(script)} {_source_hash(own)}" if script else _source_hash(own),
        "from": f"{from_} " if from_ else "",
        "connect": f" connect-src {from_};" if from_ else "",
        "panel": panel,
        "rows": data,
    }
    # One pass, so that what is filled in is not filled in again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html")).encode()


def rows_digest(rows: Sequence[Mapping[str, Any]], share: float | None = None) -> str:
    """The digest of all that a page of ``rows`` shows: theirs, the template's, and the share to review."""
    seen = hashlib.blake2b(f"{share}".encode(), digest_size=16)
    for name in ("page.html", "page.css", "page.js"):
        seen.update(_part(name).encode())
    for row in rows:
        seen.update(json.dumps([name_of(row), row["key"]]).encode())
    return seen.hexdigest()


def page_digest(page: bytes) -> str | None:
    """The ``rows_digest`` that a page was made with, from its first few hundred bytes or all of it."""
    found = _DIGEST.search(page[:_DIGEST_WITHIN])
    return found[1].decode() if found else None


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the page's script sees it."""
    plain = ("rank", "key", "outcome", "why", "tier", "verdict", "reason", "leakage", "generator", "prompt")
    entry = {name: row[name] for name in (*plain, "right", "edge_right", *OF_CLIPS)} | {
        "name": name_of(row),
        "picture": row["picture"],
    }
    for name in _PICTURES:
        entry[name] = f"data:image/webp;base64,{base64.b64encode(row[name]).decode()}" if row[name] else None
    # From where the page lies, beside the folder of the composites.
    entry["href"] = f"../{quote(row['composite'])}" if row["composite"] else None
    entry["size"] = f"{row['source_width']} × {row['source_height']}" if row["source_width"] else None
    entry["override"] = None if row["frames"] else f"{OVERRIDES}/{row['picture']}.png"
    return entry


@cache
def _part(name: str) -> str:
    return files("vivid_assets.review").joinpath(name).read_text(encoding="utf-8")


def _source_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
