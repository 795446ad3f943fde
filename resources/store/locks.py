"""Claims: of several runs that want the same file made, one makes it and the others wait for it.

A claim is a small file beside the place of the result, created only if it is not there yet. Its holder
refreshes it while it works; one that is not refreshed any more is stale, and the next number may be claimed.
Numbering, rather than replacing, lets exactly one of several waiters take over. Who takes over puts its own mark on the
stale ones: their holder, should it wake, finds that it holds nothing any more. Nobody touches what is not its own.

Whether a claim is refreshed is watched by the waiter's own monotonic clock, so clocks that differ or jump do
not matter. The claim of a process of this machine that has died is stale at once, and so is one that this process left,
because the store failed when it was to be given back.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from resources.errors import MachineFault, TakenOver
from resources.store.processes import is_gone, this_process
from resources.store.store import Store

_log = logging.getLogger(__name__)
_OURS: set[str] = set()
"""The holders of this process that have not given their claims back."""


@dataclass(frozen=True)
class Claims:
    """Claims on results in a store."""

    store: Store
    folder: str
    """Where the claims lie, below the store's root."""
    stale_after_s: float = 120.0
    """A claim that has been seen unrefreshed for so long is a dead run's."""
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    """What others' claims looked like, and since when."""

    def take(self, key: str) -> "Claim | None":
        """Claim ``key``, or None while another run works on it."""
        number = 0
        below: dict[str, bytes] = {}
        while True:
            path = self._path(key, number)
            claim = Claim(key, path, uuid.uuid4().hex)
            if self._created(claim):
                # A stale claim below that changed since was given back and perhaps taken anew.
                if all(self._look(lower) == stamp for lower, stamp in below.items()):
                    for lower in below:
                        self.store.write(lower, self._stamp(claim))
                    return claim
                _OURS.discard(claim.holder)
                self.store.remove([path])
                return None
            stamp = self._look(path)
            if stamp is None or not self._is_stale(path, stamp):
                return None
            below[path] = stamp
            number += 1

    def _created(self, claim: "Claim") -> bool:
        # Noted first: another thread may look as soon as it is there.
        _OURS.add(claim.holder)
        created = False
        try:
            created = self.store.create(claim.path, self._stamp(claim))
        finally:
            if not created:
                _OURS.discard(claim.holder)
        return created

    def release(self, claim: "Claim") -> None:
        """Give the claim back, with those that it took over."""
        # The highest last: as long as it is there, a waiter that counts up from 0 finds it.
        paths = [self._path(claim.key, number) for number in range(claim.number + 1)]
        try:
            self.store.remove(path for path in paths if self._is_of(path, claim))
        finally:
            # Last: until then another thread of this process would take it for one that was left.
            _OURS.discard(claim.holder)

    def is_held(self, claim: "Claim") -> bool:
        """Whether the claim is still this holder's: one that slept too long may have been taken over."""
        return self._is_of(claim.path, claim) and self._look(self._path(claim.key, claim.number + 1)) is None

    def assert_held(self, claim: "Claim") -> None:
        """Raises TakenOver unless the claim is still this holder's. Asked before what others must not see undone."""
        if not self.is_held(claim):
            what = self.folder.rpartition("/")[2]
            raise TakenOver(f"Another run took over {what} {claim.key} while this one stood still.")

    @contextmanager
    def held(self, key: str, *, poll_s: float = 1.0) -> Iterator["Claim"]:
        """Hold ``key`` for the block, waiting for it as long as another run works on it."""
        waited = False
        while (claim := self.take(key)) is None:
            if not waited:
                _log.warning("Another run works on %s: waiting for it", key)
                waited = True
            time.sleep(poll_s)
        try:
            with self.kept_fresh([claim]):
                yield claim
        finally:
            with suppress(OSError, MachineFault):
                self.release(claim)

    @contextmanager
    def kept_fresh(self, claims: Iterable["Claim"]) -> Iterator[None]:
        """Refresh the claims in a thread while the block runs, however long the work takes."""
        done = threading.Event()
        held = list(claims)

        def refresh() -> None:
            while not done.wait(self.stale_after_s / 4):
                for claim in held:
                    try:
                        if self._is_of(claim.path, claim):
                            self.store.write(claim.path, self._stamp(claim))
                    except Exception as error:
                        # The store may be back before the claim is stale.
                        _log.warning("The claim on %s could not be refreshed: %s", claim.key, error)

        thread = threading.Thread(target=refresh, name="claims", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _path(self, key: str, number: int) -> str:
        return f"{self.folder}/{key}.{number}.claim"

    def _stamp(self, claim: "Claim") -> bytes:
        # The time is for people; a fresh number makes each refresh visible.
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        stamp = {"holder": claim.holder, "process": this_process(), "at": at, "fresh": uuid.uuid4().hex}
        return json.dumps(stamp).encode()

    def _is_of(self, path: str, claim: "Claim") -> bool:
        stamp = self._look(path)
        return stamp is not None and claim.holder.encode() in stamp

    def _look(self, path: str) -> bytes | None:
        try:
            return self.store.read(path)
        except FileNotFoundError:
            return None

    def _is_stale(self, path: str, stamp: bytes) -> bool:
        before, since = self._seen.get(path, (b"", 0.0))
        if before != stamp:
            self._seen[path] = (stamp, self.clock())
            return _is_left(stamp)
        return self.clock() - since > self.stale_after_s or _is_left(stamp)


@dataclass(frozen=True)
class Claim:
    """The right to make one result."""

    key: str
    path: str
    holder: str

    @property
    def number(self) -> int:
        return int(self.path.rsplit(".", 2)[1])


def _is_left(stamp: bytes) -> bool:
    """Whether it is of a process of this machine that has died, or of this one, which does not hold it any more."""
    try:
        found = json.loads(stamp)
        return is_gone(found["process"]) or (found["process"] == this_process() and found["holder"] not in _OURS)
    except (ValueError, KeyError, TypeError):
        return False
