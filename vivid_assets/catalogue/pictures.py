"""What counts as a picture: a file with a picture's suffix, or, if the suffix is unknown, with a picture's first bytes.

Catalogues and the commands for single pictures share this rule, and its messages on files that are left out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from resources.spelling import counted
from vivid_assets.imaging.io.formats import kind_of

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)

# Decided by the suffix: a raw file is a TIFF whose first picture is a thumbnail; a half-copied file is half a picture.
_RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf"}
    | {".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
_ASIDE = frozenset(
    {".bak", ".crdownload", ".download", ".filepart", ".old", ".orig", ".part", ".partial", ".temp", ".tmp"}
)
# Files that often lie beside pictures; not worth a message.
_TEXTS = frozenset(
    {".csv", ".db", ".html", ".ini", ".json", ".jsonl", ".log", ".md", ".parquet", ".rst", ".toml", ".tsv", ".txt"}
    | {".xml", ".xmp", ".yaml", ".yml"}
)

_DECISIVE = PICTURE_SUFFIXES | _RAW | _ASIDE | _TEXTS


def suffix_of(name: str) -> str:
    """The suffix in small letters, with its dot; empty where there is none."""
    stem, dot, suffix = name[name.rfind("/") + 1 :].rpartition(".")
    return dot + suffix.lower() if stem and suffix else ""


def needs_its_bytes(name: str) -> bool:
    """Whether the name leaves open what the file is."""
    return suffix_of(name) not in _DECISIVE and not name.endswith("~")


def why_no_picture(start: bytes) -> str:
    """Nothing when a file's first bytes are a picture's that can be read; else what they are, as far as it is known."""
    kind = kind_of(start)
    return "" if kind.format and kind.is_read else f"{kind.what}; {kind.advice}"


def sentence_on_others(names: Iterable[str], found: Mapping[str, str]) -> str:
    """A message such as "3 files are no pictures that can be read: 2 .heic, such as …; 1 .psd, such as …".

    ``found`` has what ``why_no_picture`` returned for the files whose first bytes were read.
    """
    names = [name for name in names if suffix_of(name) not in _TEXTS]
    if not names:
        return ""
    kinds = [(suffix_of(name) or "without a suffix", _hint(name, found)) for name in names]
    groups = Counter(kinds)
    first = dict(zip(reversed(kinds), reversed(names), strict=True))
    parts = [
        f"{number} {suffix}, such as {first[suffix, hint]!r}{f' ({hint})' if hint else ''}"
        for (suffix, hint), number in groups.most_common(12)
    ]
    more = f", and {len(groups) - len(parts)} more kinds" if len(groups) > len(parts) else ""
    many = counted(len(names), "file is no picture", "files are no pictures")
    return f"{many} that can be read: {'; '.join(parts)}{more}."


def _hint(name: str, found: Mapping[str, str]) -> str:
    """What a file is that is no picture; empty for texts and unknown files, whose suffix is enough."""
    if suffix_of(name) in _RAW:
        return "a camera's raw file; export it as TIFF or JPEG"
    if name not in found:
        return "half copied, or set aside"
    what = found[name]
    return "" if what.startswith(("text, not a picture", "none of the formats")) else what
