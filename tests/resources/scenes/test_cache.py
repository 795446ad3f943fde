"""A scene is made once, whoever asks: in a list, over runs, and by runs at the same time."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resources.errors import MachineFault
from resources.runtime.batches import PictureError
from resources.scenes.cache import SceneCache
from resources.scenes.request import Scene, SceneRequest
from resources.store.locks import Claims
from resources.store.store import Store
from tests.support.waiting import until
from vivid_assets.imaging.io.codec import decode

BEACH = SceneRequest("a beach", "people", 1, 600, 800)


def key(request: SceneRequest) -> str:
    return request.key("model-1")


class Painter:
    """Paints a flat colour from the seed, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[SceneRequest] = []

    def __call__(self, requests):
        self.asked += requests
        return [Scene(np.full((4, 6, 3), request.seed, np.uint8), {"seconds": 0.5}) for request in requests]


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return Store(root=str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}")


@pytest.fixture
def cache(store):
    return SceneCache(store, poll_s=0.01)


def test_equal_requests_are_made_once_and_again_never(store, cache):
    painter = Painter()
    first = cache.get([BEACH, replace(BEACH, seed=2), BEACH], key, painter)
    assert len(painter.asked) == 2
    assert [scene.made for scene in first] == [True, True, True]
    assert first[0] == first[2]
    again = cache.get([BEACH], key, painter)
    assert len(painter.asked) == 2
    assert not again[0].made
    assert again[0].path == first[0].path
    kept = decode(store.read(again[0].path)).rgb
    assert kept.shape == (4, 6, 3)
    assert (kept == 1).all()


def test_pictures_of_one_shape_share_a_scene_whatever_their_size():
    assert key(BEACH) == key(replace(BEACH, height=1200, width=1600))
    assert key(BEACH) != key(replace(BEACH, height=800, width=600))


@pytest.mark.parametrize("change", [{"prompt": "a lake"}, {"negative_prompt": ""}, {"seed": 2}])
def test_whatever_changes_the_scene_changes_its_key(change):
    assert key(BEACH) != key(replace(BEACH, **change))
    assert BEACH.key("model-1") != BEACH.key("model-2")


def test_an_estimate_counts_what_is_missing_and_makes_nothing(cache):
    cache.get([BEACH], key, Painter())
    keys = [key(BEACH), key(replace(BEACH, seed=2)), key(replace(BEACH, seed=2))]
    estimate = cache.estimate(keys)
    assert (estimate.wanted, estimate.distinct, estimate.cached, estimate.to_make) == (3, 2, 1, 1)


def test_a_failed_scene_is_that_request_and_is_tried_again(cache):
    def refuses(requests):
        return [PictureError("black") for _ in requests]

    assert isinstance(cache.get([BEACH], key, refuses)[0], PictureError)
    assert cache.get([BEACH], key, Painter())[0].made


def test_a_machine_fault_keeps_what_was_made_and_leaves_no_claim(store):
    cache = SceneCache(store, chunk=1, poll_s=0.01)
    painter = Painter()

    def second_fails(requests):
        if painter.asked:
            raise MachineFault("the GPU is gone")
        return painter(requests)

    requests = [BEACH, replace(BEACH, seed=2)]
    with pytest.raises(MachineFault):
        cache.get(requests, key, second_fails)
    assert cache.estimate(map(key, requests)).cached == 1
    assert [scene.made for scene in cache.get(requests, key, Painter())].count(True) == 1


def test_of_two_threads_one_makes_it_and_the_other_waits(cache):
    painter, both_ask = Painter(), threading.Event()

    def slow(requests):
        both_ask.wait()
        return painter(requests)

    results: list = []

    def run(generate) -> None:
        results.extend(cache.get([BEACH], key, generate))

    first = threading.Thread(target=run, args=(slow,))
    first.start()
    second = threading.Thread(target=run, args=(slow,))
    second.start()
    both_ask.set()
    first.join()
    second.join()
    assert len(painter.asked) == 1
    assert sorted(scene.made for scene in results) == [False, True]


RUN = """
import json, sys, time
import numpy as np
from resources.scenes.cache import SceneCache
from resources.scenes.request import Scene, SceneRequest
from resources.store.store import Store

made = []
def paint(requests):
    made.extend(request.seed for request in requests)
    time.sleep(0.05)
    return [Scene(np.full((4, 4, 3), request.seed, np.uint8), {}) for request in requests]

requests = [SceneRequest("a beach", "", seed, 64, 64) for seed in range(12)]
print("ready", flush=True)
sys.stdin.readline()
SceneCache(Store(root=sys.argv[1]), chunk=2, poll_s=0.01).get(requests, lambda r: r.key("m"), paint)
print(json.dumps(made))
"""


@pytest.mark.slow
def test_two_processes_that_want_the_same_scenes_make_each_once(tmp_path):
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    made = [json.loads(run.communicate()[0]) for run in runs]
    assert sorted(made[0] + made[1]) == list(range(12))
    assert not list(tmp_path.rglob("*.claim"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_dead_runs_claim_is_taken_over_by_one_alone(store):
    clock = Clock()
    claims = Claims(store, "claims", stale_after_s=60, clock=clock)
    assert Claims(store, "claims").take("scene") is not None
    assert claims.take("scene") is None, "how long it has not been refreshed is not known yet"
    clock.now += 59
    assert claims.take("scene") is None
    clock.now += 2
    heir = claims.take("scene")
    assert heir is not None
    assert claims.take("scene") is None
    claims.release(heir)
    assert store.names("claims") == []
    assert claims.take("scene") is not None


@pytest.mark.slow
def test_a_claim_is_kept_fresh_while_its_work_lasts(store):
    clock = Clock()
    claims = Claims(store, "claims", stale_after_s=0.2, clock=clock)
    mine = claims.take("scene")
    with claims.kept_fresh([mine]):
        for _ in range(10):
            before = store.read(mine.path)
            until(lambda before=before: store.read(mine.path) != before)
            clock.now += 0.15
            assert claims.take("scene") is None
    claims.release(mine)
