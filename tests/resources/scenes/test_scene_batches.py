"""Batches of scenes are full: a shard's scenes are planned by shape and length of text, whatever order they come in."""

import random
from contextlib import contextmanager

import numpy as np
import pytest

from resources.scenes.cache import SceneCache
from resources.scenes.maker import SceneMaker, slots_for
from resources.scenes.request import Scene, SceneRequest, bucket
from resources.scenes.sdxl import SDXL
from resources.store.store import Store
from vivid_assets.rows.stage import RowInput
from vivid_assets.rows.work import Work, perform
from vivid_assets.stages.backgrounds import order_of_scene

SHAPES = [(1024, 1024), (800, 1200), (1200, 800), (900, 1600), (1600, 900), (700, 1000), (400, 1600)]
SHORT, LONG = "a bright room", " ".join(f"word{n}" for n in range(60))


class Counted:
    """In an SDXL's place: what it was asked for, by batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    @contextmanager
    def use(self):
        yield self

    def words(self, request: SceneRequest) -> int:
        return 3 if request.prompt.startswith(LONG) else 1

    def make(self, requests, sides):
        assert {bucket(request.height, request.width) for request in requests} == {sides}
        assert len({self.words(request) for request in requests}) == 1
        self.batches.append(len(requests))
        return [Scene(np.zeros((2, 2, 3), np.uint8), {}) for _ in requests]


def work_off(requests: list[SceneRequest], name: str, *, batch_size: int = 8, compiled: bool = True) -> list[int]:
    """The batches that a shard's scenes are made in by the stage's own parts."""
    sdxl, counted = SDXL(batch_size=batch_size), Counted()
    cache = SceneCache(Store(root=f"memory://{name}"), chunk=2 * batch_size, poll_s=0.01)
    maker = SceneMaker(counted, sdxl.size, batch_size, "SDXL", fill=compiled)
    of_row = {str(number): request for number, request in enumerate(requests)}

    def make(batch: list[RowInput]) -> list:
        wanted = [of_row[row.picture] for row in batch]
        return cache.get(wanted, sdxl.key, maker, lambda request: order_of_scene(request, sdxl.size)[:4])

    work = Work(
        load=lambda row: row,
        compute=make,
        save=lambda _, scene: {"scene": scene.key},
        batch_size=8 * batch_size,
        order=lambda row: order_of_scene(of_row[row.picture], sdxl.size),
        threads=2,
    )
    rows = [RowInput(name, name) for name in of_row]
    done = {one.row.picture: one.result for one in perform(rows, work)}
    assert {name: sdxl.key(request) for name, request in of_row.items()} == {
        name: result["scene"] for name, result in done.items()
    }
    return counted.batches


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shapes", "long", "most_slots", "least_mean"),
    [(1, 0.0, 1.0, 8.0), (3, 0.0, 1.04, 7.5), (7, 0.0, 1.06, 6.9), (7, 1 / 3, 1.1, 6.0)],
    ids=["one shape", "three shapes", "seven shapes", "seven shapes, a third of the prompts long"],
)
def test_of_a_shard_nearly_every_slot_is_a_scene(tmp_path, shapes, long, most_slots, least_mean):
    """512 pictures. By 64 rows in the order of the files it was 1.00, 1.20, 1.61 and 2.34 slots a picture."""
    chance = random.Random(0)
    requests = [
        SceneRequest(f"{LONG if chance.random() < long else SHORT} {n}", "people", n, *chance.choice(SHAPES[:shapes]))
        for n in range(512)
    ]
    slots = work_off(requests, f"{tmp_path.name}-compiled")
    assert sum(slots) / 512 <= most_slots
    assert set(slots) <= {1, 2, 4, 8}, "the batches that a compiled model is compiled for"
    batches = work_off(requests, f"{tmp_path.name}-plain", compiled=False)
    assert sum(batches) == 512
    assert 512 / len(batches) >= least_mean


def test_a_batch_size_is_used_whole_however_large(tmp_path):
    requests = [SceneRequest(SHORT, "", n, 64, 64) for n in range(96)]
    assert work_off(requests, tmp_path.name, batch_size=32) == [32, 32, 32]


def test_the_slots_of_a_compiled_batch():
    assert [slots_for(count, 8) for count in range(1, 9)] == [1, 2, 4, 4, 8, 8, 8, 8]
    assert [slots_for(count, 6) for count in range(1, 7)] == [1, 2, 4, 4, 6, 6]
