"""Parts of one kind by name: those of this package, and those that installed packages bring by an entry point.

A part is known by its name before anything of it is imported, so that help, a scan or Dagster's code server costs
nothing for parts that are not used. One that cannot be loaded takes no other down: who asks for it by name is told why.
"""

import logging
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from typing import Generic, TypeVar

from resources.errors import ModelUnavailable, first_line

Kind = TypeVar("Kind")

_log = logging.getLogger(__name__)


class BrokenPlugin(ModelUnavailable):
    """An installed package brings a part that cannot be loaded. The message names both."""


class Registry(Generic[Kind]):
    """The parts of one kind.

    Args:
        what: the kind in messages, such as ``mask tier``.
        base: what every part is a subclass of.
        own: of this package: by name, where each is, as ``module:attribute``.
        group: the group of entry points by which other packages bring theirs; empty where they cannot.
    """

    def __init__(self, what: str, base: type[Kind], own: Mapping[str, str], group: str = "") -> None:
        self.what = what
        self._base = base
        self._own = {name: metadata.EntryPoint(name, place, group) for name, place in own.items()}
        self._group = group

    @property
    def own(self) -> tuple[str, ...]:
        """The names of this package's parts, in their order."""
        return tuple(self._own)

    def names(self) -> tuple[str, ...]:
        """All names: this package's, then those of installed packages. Imports none of them."""
        return (*self._own, *self._installed())

    def load(self, name: str) -> type[Kind]:
        """The part of that name; of a name with a colon, what is before it.

        Raises:
            ValueError: there is none; the message lists what there is.
            BrokenPlugin: an installed package brings it, and it cannot be loaded.
        """
        name = family(name)
        if point := self._own.get(name):
            part: type[Kind] = point.load()
            return part
        point = self._installed().get(name)
        if point is None:
            raise ValueError(f"There is no {self.what} {name!r}; there are {', '.join(self.names())}.")
        try:
            found = point.load()
        except Exception as error:
            # Whatever it raises, it is that package's, and the others go on.
            raise BrokenPlugin(f"{self._named(point)} cannot be loaded: {_reason(error)}. {_REMEDY}") from error
        if not (isinstance(found, type) and issubclass(found, self._base)):
            wanted = f"{self._base.__module__}.{self._base.__qualname__}"
            raise BrokenPlugin(f"{self._named(point)} is no subclass of {wanted}: {point.value}. {_REMEDY}")
        return found

    def working(self) -> dict[str, type[Kind]]:
        """All parts by name, without those that cannot be loaded, each of which is logged once."""
        parts = {}
        for name in self.names():
            try:
                parts[name] = self.load(name)
            except BrokenPlugin as error:
                _warn_once(str(error))
        return parts

    def _installed(self) -> dict[str, metadata.EntryPoint]:
        points: dict[str, metadata.EntryPoint] = {}
        for point in _entry_points(self._group) if self._group else ():
            if point.name in self._own or point.name in points:
                _warn_once(f"{self._named(point)} is left out: its name is taken.")
            else:
                points[point.name] = point
        return points

    def _named(self, point: metadata.EntryPoint) -> str:
        package = f" of the package {point.dist.name} {point.dist.version}" if point.dist else ""
        return f"The {self.what} {point.name}{package}"


def family(name: str) -> str:
    """What is before the colon of a name such as ``rembg:silueta``; other names as they are."""
    return name.partition(":")[0]


_REMEDY = "Repair that package or uninstall it."


def _entry_points(group: str) -> tuple[metadata.EntryPoint, ...]:
    return _found(group, tuple(sys.path))


@lru_cache(maxsize=16)
def _found(group: str, _path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:
    """To look into every installed package takes a twentieth of a second."""
    return tuple(sorted(metadata.entry_points(group=group), key=lambda point: point.name))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}".rstrip(".")


@lru_cache(maxsize=256)
def _warn_once(sentence: str) -> None:
    _log.warning("%s", sentence)
