"""A store for trials: what is there is read, and nothing there is changed."""

from collections.abc import Iterable
from functools import cached_property

from pydantic import Field
from upath import UPath

from resources.store.store import Store


class TrialStore(Store):
    """The store at ``root``, seen through what a trial has written.

    Everything written lands under ``trials/<trial>/``; a file is read from there if the trial has written it, and
    else from the store itself. So a trial takes over every row that it leaves as it is, at no cost.
    """

    trial: str = Field(description="The trial's name.")

    @cached_property
    def own(self) -> Store:
        """Where the trial writes."""
        return Store(root=f"{self.root.rstrip('/')}/trials/{self.trial}")

    def path(self, relative: str) -> UPath:
        own = self.own.path(relative)
        return own if own.exists() else super().path(relative)

    def names(self, folder: str) -> list[str]:
        return self.own.names(folder) or Store(root=self.root).names(folder)

    def write(self, relative: str, data: bytes, *, durable: bool = False) -> None:
        self.own.write(relative, data, durable=durable)

    def create(self, relative: str, data: bytes) -> bool:
        return self.own.create(relative, data)

    def remove(self, relatives: Iterable[str]) -> None:
        self.own.remove(relatives)

    def sweep(self) -> None:
        self.own.sweep()
