"""Claims: of several runs that want the same file made, one makes it and the others wait for it.

A claim is a small file beside the place of the result, created only if it is not there yet. Its holder
refreshes it while it works; one that is not refreshed any more is stale, and the next number may be claimed.
Numbering, rather than replacing, lets exactly one of several waiters take over.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from resources.store import Store


@dataclass(frozen=True)
class Claims:
    """Claims on results in a store."""

    store: Store
    folder: str
    """Where the claims lie, below the store's root."""
    stale_after_s: float = 120.0
    """A claim that has not been refreshed for so long is a dead run's. Clocks may differ by far less than this."""
    clock: Callable[[], float] = time.time

    def take(self, key: str) -> "Claim | None":
        """Claim ``key``, or None while another run works on it."""
        number = 0
        while True:
            path = f"{self.folder}/{key}.{number}.claim"
            claim = Claim(key, path, uuid.uuid4().hex)
            if self.store.create(path, self._stamp(claim)):
                return claim
            if not self._is_stale(path):
                return None
            number += 1

    def release(self, claim: "Claim") -> None:
        """Give the claim back, with those of dead runs before it."""
        number = int(claim.path.rsplit(".", 2)[1])
        # The highest last: as long as it is there, a waiter that counts up from 0 finds it.
        self.store.remove(f"{self.folder}/{claim.key}.{n}.claim" for n in range(number + 1))

    @contextmanager
    def kept_fresh(self, claims: Iterable["Claim"]) -> Iterator[None]:
        """Refresh the claims in a thread while the block runs, however long the work takes."""
        done = threading.Event()
        held = list(claims)

        def refresh() -> None:
            while not done.wait(self.stale_after_s / 4):
                for claim in held:
                    self.store.write(claim.path, self._stamp(claim))

        thread = threading.Thread(target=refresh, name="claims", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _stamp(self, claim: "Claim") -> bytes:
        return json.dumps({"holder": claim.holder, "at": self.clock()}).encode()

    def _is_stale(self, path: str) -> bool:
        try:
            stamp = json.loads(self.store.read(path))
        except FileNotFoundError:
            return False  # given back this moment: the caller tries again from the start
        return self.clock() - float(stamp["at"]) > self.stale_after_s


@dataclass(frozen=True)
class Claim:
    """The right to make one result."""

    key: str
    path: str
    holder: str
