"""The identity of a file's content, and whether a file has the promised content.

A content is one of four kinds: a digest of the bytes as a scan makes it, an object store's entity tag (``etag:``), what
a manifest says (``manifest:``), or the word for a file that is missing or cannot be read. Those of the same kind are
compared as texts. Across kinds, and when a file is read, the bytes decide.

A file that is declared as a clip has one of these after ``clip:``, and a folder of frames the digest of them all after
``frames:``: the same file is another thing once it is, or is no longer, a clip.
"""

import hashlib
import re
from collections.abc import Iterable

from partitions.assignment import NO_FILE

UNREADABLE = "unreadable:"
ETAG = "etag:"
MANIFEST = "manifest:"
CLIP = "clip:"
FRAMES = "frames:"
IS_CLIP = f"^({CLIP}|{FRAMES})"
"""A regular expression for the contents of clips."""

_BY_LENGTH = {32: ("blake2b", "md5"), 40: ("sha1",), 64: ("sha256",), 128: ("sha512",)}
"""Which checksums a text of so many hexadecimal digits can be."""
_NAMED = re.compile(r"(md5|sha1|sha256|sha512):([0-9a-f]+)")
_HEXADECIMAL = re.compile(r"[0-9a-f]+")


def is_clip(content: str) -> bool:
    """Whether what has this content is a clip: a video's file, or a folder of frames."""
    return content.startswith((CLIP, FRAMES))


def kind_of_content(content: str) -> str:
    """The kind of a content: its prefix; empty for a digest as scans make it."""
    if content == NO_FILE:
        return NO_FILE
    if content.startswith(FRAMES):
        return FRAMES
    if content.startswith(CLIP):
        return CLIP + kind_of_content(content.removeprefix(CLIP))
    return next((kind for kind in (UNREADABLE, ETAG, MANIFEST) if content.startswith(kind)), "")


def fits(content: str, chunks: Iterable[bytes], stamp: str = "") -> bool | None:
    """Whether a file of these bytes has that ``content``; None if that cannot be decided.

    ``stamp`` is the file's in the store where it lies, which may be an entity tag. What a manifest says is a checksum
    where it has the length and the digits of one, or names its kind (``sha256:…``); anything else is believed.
    """
    content = content.removeprefix(CLIP)
    kind = kind_of_content(content)
    if kind in (NO_FILE, UNREADABLE):
        return None
    said = content.removeprefix(kind).strip('"').lower()
    if stamp.startswith(ETAG) and stamp.removeprefix(ETAG).strip('"').lower() == said:
        return True
    names: tuple[str, ...]
    if named := _NAMED.fullmatch(said):
        names, said = (named[1],), named[2]
    else:
        names = _BY_LENGTH.get(len(said), ()) if _HEXADECIMAL.fullmatch(said) else ()
    if not names:
        return False if kind == ETAG and stamp.startswith(ETAG) else None
    digests = [_new(name) for name in names]
    for chunk in chunks:
        for digest in digests:
            digest.update(chunk)
    if any(digest.hexdigest() == said for digest in digests):
        return True
    # An entity tag may be an MD5 and need not be one.
    return None if kind == ETAG and not stamp.startswith(ETAG) else False


def _new(name: str) -> "hashlib._Hash":
    if name == "blake2b":
        return hashlib.blake2b(digest_size=16)  # type: ignore[return-value]
    return hashlib.new(name, usedforsecurity=False)
