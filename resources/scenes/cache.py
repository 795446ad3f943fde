"""The scene cache: a scene is generated once, whichever pictures, shards, catalogues or runs ask for it."""

import io
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from resources.scenes.request import Scene, SceneRequest, bucket
from resources.spelling import counted
from resources.store.locks import Claim, Claims
from resources.store.store import Store

Generate = Callable[[Sequence[SceneRequest]], Sequence[Scene | Exception]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedScene:
    """A scene in the cache."""

    key: str
    path: str
    """PNG, relative to the cache's store."""
    made: bool
    """Whether this call generated it; False where it was there already or another run made it."""
    figures: Mapping[str, float]
    """Those of the generation (see ``Scene``); empty where it was there already. The PNG carries them too."""


@dataclass(frozen=True)
class Estimate:
    """What a list of requests will cost."""

    wanted: int
    distinct: int
    cached: int
    to_make: int


class SceneCache:
    """Scenes by key in a folder of a store.

    Args:
        store: where; a local folder or an object store with conditional creation (S3, GCS).
        folder: below the store's root.
        chunk: scenes that are claimed and generated at a time. Large enough for full batches, small enough
            that two runs over the same scenes share the work.
        stale_after_s: a claim that a run has not refreshed for so long is taken over.
        poll_s: seconds between two looks at what another run is making.
    """

    def __init__(
        self,
        store: Store,
        folder: str = "scenes",
        *,
        chunk: int = 16,
        stale_after_s: float = 120.0,
        poll_s: float = 1.0,
    ) -> None:
        self._store = store
        self._folder = folder
        self._chunk = chunk
        self._poll_s = poll_s
        self._claims = Claims(store, f"{folder}/claims", stale_after_s)

    def path(self, key: str) -> str:
        """Where the scene of a key lies, relative to the store."""
        return f"{self._folder}/{key[:2]}/{key}.png"

    def estimate(self, keys: Iterable[str]) -> Estimate:
        """How many scenes would have to be made for requests with these keys; makes none."""
        wanted = list(keys)
        distinct = set(wanted)
        there = self._store.present(self.path(key) for key in distinct)
        return Estimate(len(wanted), len(distinct), len(there), len(distinct) - len(there))

    def get(
        self,
        requests: Sequence[SceneRequest],
        key: Callable[[SceneRequest], str],
        generate: Generate,
        alike: Callable[[SceneRequest], Any] = lambda request: bucket(request.height, request.width),
    ) -> list[CachedScene | Exception]:
        """The scenes of the requests, in order; made where nobody has made them.

        Args:
            requests: what is wanted; equal keys are made once.
            key: everything that a scene depends on, e.g. ``SDXL.key``.
            generate: makes scenes; called with at most ``chunk`` requests, and not at all if none is missing.
            alike: what requests must have in common to be made in one batch; those of a call do. Comparable.

        Returns:
            An entry per request; an exception as an entry is that scene's failure. Failures are not kept: the
            next run tries again.

        Raises:
            MachineFault: as ``generate`` and the store raise it. Scenes finished before stay in the cache.
        """
        keys = [key(request) for request in requests]
        wanted = dict(zip(keys, requests, strict=True))
        found: dict[str, CachedScene | Exception] = {}
        self._look(wanted, found)
        waited = False
        with ThreadPoolExecutor(8) as pool:
            writing: _Writing | None = None
            try:
                while missing := [name for name in wanted if name not in found and not (writing and name in writing)]:
                    groups = {name: alike(wanted[name]) for name in missing}
                    missing.sort(key=lambda name: (groups[name], name))
                    claims = self._take(missing, groups)
                    last, writing = writing, self._made(claims, wanted, found, generate, pool)
                    # While the model made these, the last were encoded and written.
                    self._written(last, found)
                    if not claims:
                        if not waited:
                            _log.info("Waiting for %s that another run is making", counted(len(missing), "scene"))
                            waited = True
                        time.sleep(self._poll_s)
                        self._look(missing, found)
            finally:
                self._written(writing, found)
        return [found[name] for name in keys]

    def _take(self, missing: list[str], groups: Mapping[str, Any]) -> list[Claim]:
        """Claims on scenes of one group, the first that has any left."""
        claims: list[Claim] = []
        for name in missing:
            if len(claims) == self._chunk or (claims and groups[name] != groups[claims[0].key]):
                break
            if claim := self._claims.take(name):
                claims.append(claim)
        return claims

    def _look(self, keys: Iterable[str], found: dict[str, CachedScene | Exception]) -> None:
        paths = {self.path(key): key for key in keys}
        if not paths:
            return
        with ThreadPoolExecutor(min(32, len(paths))) as pool:
            whole = pool.map(lambda path: is_whole(self._store, path), paths)
        for (path, key), there in zip(paths.items(), whole, strict=True):
            if there:
                found[key] = CachedScene(key, path, False, {})

    def _made(
        self,
        claims: list[Claim],
        wanted: dict[str, SceneRequest],
        found: dict[str, CachedScene | Exception],
        generate: Generate,
        pool: ThreadPoolExecutor,
    ) -> "_Writing | None":
        """Make the claimed scenes; they are being written when this returns, and their claims are held."""
        if not claims:
            return None
        with ExitStack() as held:
            for claim in claims:
                held.callback(self._claims.release, claim)
            # Another run may have finished one between the look and the claim.
            self._look([claim.key for claim in claims], found)
            held.enter_context(self._claims.kept_fresh(claims))
            keys = [claim.key for claim in claims if claim.key not in found]
            requests = [wanted[key] for key in keys]
            scenes = generate(requests) if keys else []
            futures = {
                key: pool.submit(self._keep, key, scene, request)
                for key, scene, request in zip(keys, scenes, requests, strict=True)
            }
            return _Writing(futures, held.pop_all())

    @staticmethod
    def _written(writing: "_Writing | None", found: dict[str, CachedScene | Exception]) -> None:
        """Wait until scenes are written, and let go of their claims."""
        if writing is not None:
            with writing.held:
                found.update((key, future.result()) for key, future in writing.futures.items())

    def _keep(self, key: str, scene: Scene | Exception, request: SceneRequest) -> CachedScene | Exception:
        if isinstance(scene, Exception):
            return scene
        path = self.path(key)
        self._store.write(path, _png(scene, request))
        return CachedScene(key, path, True, dict(scene.figures))


@dataclass
class _Writing:
    """Scenes that are being written."""

    futures: dict[str, Future[CachedScene | Exception]]
    held: ExitStack
    """Their claims."""

    def __contains__(self, key: str) -> bool:
        return key in self.futures


def is_whole(store: Store, path: str) -> bool:
    """Whether a PNG or JPEG is there and ends as it must; one that was cut off does not."""
    ending = b"\xff\xd9" if path.endswith(".jpg") else b"IEND\xaeB`\x82"
    return store.tail(path, len(ending)) == ending


def _png(scene: Scene, request: SceneRequest) -> bytes:
    """The picture with its request and figures as text, so that a file found by itself says what it is."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    about.add_itxt("prompt", request.prompt)
    about.add_itxt("negative_prompt", request.negative_prompt)
    about.add_text("seed", str(request.seed))
    about.add_text("figures", json.dumps(dict(scene.figures)))
    buffer = io.BytesIO()
    # Level 1: a tenth of the time of the default for a few per cent more bytes.
    Image.fromarray(scene.image).save(buffer, "PNG", pnginfo=about, compress_level=1)
    return buffer.getvalue()
