"""The files that are there: names, sizes and stamps in one pass, digests only where something may have changed."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from upath import UPath

from vivid_assets.catalogue.names import collisions, why_refused

PICTURE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

LISTING = pa.schema([("picture", pa.string()), ("size", pa.int64()), ("stamp", pa.string())])


def list_pictures(root: UPath, *, besides: Iterable[str] = ()) -> tuple[pa.Table, list[str]]:
    """Every picture file below ``root`` (schema LISTING, by name), and a sentence for each that is refused.

    Names are POSIX paths below ``root``. Hidden files and the folders ``besides`` are left out. Links that lead out of
    ``root`` are refused, and so are linked folders, pipes and devices, names that cannot be kept everywhere, and all
    but one of the names whose results would overwrite each other.
    """
    fs, base = root.fs, root.path.rstrip("/")
    skipped = tuple(f"{folder.strip('/')}/" for folder in besides if folder.strip("/"))
    resolved = os.path.realpath(base)
    names, sizes, stamps, refused = [], [], [], []
    for path, info in fs.find(base, detail=True).items():
        name = path[len(base) :].lstrip("/")
        if os.path.splitext(name)[1].lower() not in PICTURE_SUFFIXES or name.startswith(skipped):  # noqa: PTH122
            continue
        if name.startswith(".") or "/." in name:
            continue
        if why := why_refused(name):
            refused.append(f"{name!r} {why}: rename it.")
            continue
        if info.get("islink") and not os.path.realpath(path).startswith(resolved + os.sep):
            refused.append(f"{name!r} is a link that leads out of the catalogue's folder.")
            continue
        if info.get("type") != "file":
            # Not opened to see: a pipe would be waited for without end.
            if not os.path.isfile(path):  # noqa: PTH113 - for a million names
                refused.append(f"{name!r} is a link to nothing, a linked folder, a pipe or a device, and no file.")
                continue
            # A link's own stamp says nothing of the file that it leads to.
            info |= {"mtime": os.stat(path).st_mtime, "created": os.stat(path).st_ctime}  # noqa: PTH116
        names.append(name)
        sizes.append(info.get("size") or 0)
        stamps.append(_stamp(info))
    table = pa.table([names, sizes, stamps], schema=LISTING).sort_by("picture")
    names = table["picture"].to_pylist()
    twins = collisions(names, PICTURE_SUFFIXES)
    refused += [
        f"{name!r} and {other!r} would overwrite each other's results: rename one." for name, other in twins.items()
    ]
    if twins:
        table = table.filter(pa.array([name not in twins for name in names]))
    return table, refused


def content_digests(root: UPath, names: list[str], stamps: list[str]) -> list[str]:
    """What tells the files' contents apart: the store's entity tag where it has one, else a digest of the bytes.

    The digest is a 128-bit BLAKE2b in hexadecimal. A file that cannot be read is ``unreadable:`` and its stamp,
    so that it is looked at again once it changes.
    """

    def content(name: str, stamp: str) -> str:
        if stamp.startswith("etag:"):
            return stamp
        try:
            with (root / name).open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))  # type: ignore[arg-type]
                return digest.hexdigest()
        except OSError:
            return f"unreadable:{stamp}"

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(content, names, stamps))


def _stamp(info: dict) -> str:
    """Changes whenever the file does: entity tag or checksum of an object store, else the modification time."""
    for name in ("ETag", "etag", "md5Hash", "content_md5"):
        if info.get(name):
            return f"etag:{info[name]}"
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        if info.get(name):
            return str(info[name])
    return ""
