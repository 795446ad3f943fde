"""Near misses: what somebody probably meant by a name that does not exist."""

import difflib
import unicodedata
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest of ``known`` names (paths by their last part too), or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that is nearest to ``name``, if any is near; case and Unicode form do not count."""
    wanted, last = plain(name), _last(plain(name))
    by_plain: dict[str, str] = {}
    by_last: dict[str, str] = {}
    for one in known:
        by_plain.setdefault(plain(one), one)
        by_last.setdefault(_last(plain(one)), one)
        by_last.setdefault(_last(plain(one)).rpartition(".")[0], one)
    if found := by_plain.get(wanted) or by_last.get(last) or by_last.get(last.rpartition(".")[0] or last):
        return found
    # A comparison with each costs milliseconds for a thousand names: of a million, those that begin alike will do.
    candidates = [*by_plain] if len(by_plain) <= _COMPARED else [one for one in by_plain if one[:3] == wanted[:3]]
    meant = difflib.get_close_matches(wanted, candidates[:_COMPARED], n=1, cutoff=0.75)
    return by_plain[meant[0]] if meant else None


def plain(name: str) -> str:
    """``name`` without what many systems do not tell apart: case and Unicode form."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()


_COMPARED = 5_000


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
