"""Words in messages: how many of a thing, and what somebody probably meant by a name that does not exist."""

import difflib
import unicodedata
from collections.abc import Iterable


def counted(number: int, one: str, many: str = "") -> str:
    """How many of a thing, in words: ``1 shard``, ``1,200 shards``; ``many`` where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest of ``known`` names (paths by their last part too), or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that is nearest to ``name``, if any is near."""
    return Nearest(known).to(name)


class Nearest:
    """Names to compare others with.

    Case and Unicode form do not count. Of paths the whole, the last part and that without its suffix are compared.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        for one in known:
            spelt = plain(one)
            self._whole.setdefault(spelt, one)
            self._last.setdefault(_last(spelt), one)
            self._stems.setdefault(_stem(spelt), one)

    def to(self, name: str) -> str | None:
        """The nearest, if any is near."""
        wanted = plain(name)
        if found := self._whole.get(wanted) or self._last.get(_last(wanted)) or self._stems.get(_stem(wanted)):
            return found
        for names, spelt in ((self._whole, wanted), (self._stems, _stem(wanted))):
            # A comparison with each takes milliseconds for a thousand names: of many, those that begin alike will do.
            candidates = [*names] if len(names) <= _COMPARED else [one for one in names if one[:3] == spelt[:3]]
            cutoff = 0.75 if len(spelt) > _SHORT else 0.6
            if meant := difflib.get_close_matches(spelt, candidates[:_COMPARED], n=1, cutoff=cutoff):
                return names[meant[0]]
        return None


def plain(name: str) -> str:
    """``name`` without what many systems do not tell apart: case and Unicode form."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()


_COMPARED = 5_000
_SHORT = 4


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _stem(path: str) -> str:
    last = _last(path)
    return last.rpartition(".")[0] or last
