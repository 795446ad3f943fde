"""Names and dataset are the live ledger's, whatever runs finish in which order, or do not finish."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest

from resources.store import locks
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.export import EXPORTED, publish, publish_catalogue
from vivid_assets.catalogue.ledger import shard_rows
from vivid_assets.catalogue.progress import state_of
from vivid_assets.imaging.io.codec import decode
from vivid_assets.stages.stage import all_stages


@pytest.fixture
def done(pipeline):
    """Two pictures in a shard each."""
    pipeline.put("a.png", size=32)
    pipeline.put("b.png", (20, 90, 40), size=36)
    (pipeline.folder / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 1\n')
    for shard in pipeline.scan().shards_to_run:
        pipeline.run(shard)
    return pipeline


def size_of(pipeline, name):
    return decode(pipeline.store.read(f"composites/spring/{name}")).size


def unpublished(pipeline):
    stages, exported = ([stage.name for stage in some] for some in (all_stages(), EXPORTED))
    return state_of(pipeline.store, "spring", stages, exported).unpublished


@pytest.mark.slow
def test_of_two_shards_the_one_where_the_picture_lives_has_its_name(done, monkeypatch):
    """The old shard's run, begun before the picture was replaced, ends after the new one's."""
    before = shard_rows(done.store, "spring-00000")
    done.put("a.png", (200, 30, 30), size=40)
    assert done.scan().shards_to_run == ["spring-00002"]
    done.run("spring-00002")
    assert size_of(done, "a.png") == (40, 40)
    with monkeypatch.context() as patch:
        patch.setattr("vivid_assets.stages.shard_asset.shard_rows", lambda *_: before)
        done.run("spring-00000", selection=["composites"])
    assert [*done.rows(COMPOSITES)] == ["a.png"], "it saw the ledger as it was"
    done.run("spring-00000", selection=["export"])
    publish_catalogue(done.store, "spring")
    assert size_of(done, "a.png") == (40, 40)
    assert done.published() == {"a.png", "b.png"}


@pytest.mark.slow
def test_a_replaced_picture_keeps_its_composite_until_the_new_one_is_there(done):
    done.put("a.png", (200, 30, 30), size=40)
    done.scan()
    publish_catalogue(done.store, "spring")
    assert size_of(done, "a.png") == (32, 32)
    done.run("spring-00002")
    assert size_of(done, "a.png") == (40, 40)


@pytest.mark.slow
def test_a_picture_that_fails_for_good_has_no_name_and_one_that_fails_for_now_keeps_it(done):
    (done.folder / "a.png").write_bytes(b"no picture")
    done.scan()
    done.run("spring-00002")
    assert done.published() == {"b.png"}
    (done.folder / "catalogue.toml").write_text('prompt = "grey paper"\nshard_size = 1\n')
    done.scan()
    (done.folder / "b.png").rename(done.folder / "away")
    done.materialize("spring-00001")
    assert done.rows(COMPOSITES, "spring-00001")["b.png"]["transient"]
    assert done.published() == {"b.png"}


@pytest.mark.slow
def test_another_format_gives_other_names_and_takes_the_old_ones_away(done):
    (done.folder / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 1\n[composites]\nformat = "webp"\n')
    done.scan()
    for shard in ("spring-00000", "spring-00001"):
        done.run(shard)
    assert done.published() == {"a.png.webp", "b.png.webp"}


@pytest.mark.slow
def test_a_name_that_a_killed_run_gave_goes_with_its_picture(done, monkeypatch):
    class Killed(BaseException):
        pass

    link = Store.link

    def die_after(self, source, target):
        link(self, source, target)
        raise Killed

    done.put("c.png", (90, 90, 20), size=44)
    assert done.scan().shards_to_run == ["spring-00002"]
    with monkeypatch.context() as patch:
        patch.setattr(Store, "link", die_after)
        assert not done.materialize("spring-00002").success
    assert done.published() == {"a.png", "b.png", "c.png"}
    (done.folder / "c.png").unlink()
    done.scan()
    assert unpublished(done) == ["spring-00002"]
    publish_catalogue(done.store, "spring")
    assert done.published() == {"a.png", "b.png"}
    assert unpublished(done) == []


@contextmanager
def who_stands_still(patch, method, name):
    """Within it, ``begun`` is set once the thread of the block's pool is about to ``method`` that name, and waits.

    For all others it counts as a dead process until it goes on: its claims are taken over.
    """
    begun, goes_on = threading.Event(), threading.Event()
    plain = getattr(Store, method)

    def late(self, *arguments, **options):
        if not begun.is_set() and name in str(arguments[-1]):
            begun.set()
            assert goes_on.wait(60)
        return plain(self, *arguments, **options)

    def process():
        return f"process of {threading.current_thread().name}"

    patch.setattr(locks, "this_process", process)
    patch.setattr(locks, "is_gone", lambda one: "late" in one and not goes_on.is_set())
    patch.setattr(Store, method, late)
    with ThreadPoolExecutor(1, thread_name_prefix="late") as pool:
        yield pool, begun, goes_on


@pytest.mark.slow
@pytest.mark.parametrize("then", ["replaced", "removed"])
def test_who_gives_a_name_too_late_sees_that_it_is_as_the_other_run_published_it(done, monkeypatch, then):
    done.store.remove(["composites/spring/a.png"])
    with (
        monkeypatch.context() as patch,
        who_stands_still(patch, "link", "composites/spring/a.png") as (pool, begun, goes_on),
    ):
        slow = pool.submit(publish, done.store, "spring-00000")
        assert begun.wait(60)
        if then == "replaced":
            done.put("a.png", (200, 30, 30), size=40)
        else:
            (done.folder / "a.png").unlink()
        for shard in done.scan().shards_to_run:
            done.run(shard)
        publish_catalogue(done.store, "spring")
        assert unpublished(done) == []
        goes_on.set()
        slow.result()
    assert unpublished(done) == []
    assert done.published() == ({"a.png", "b.png"} if then == "replaced" else {"b.png"})
    assert then == "removed" or size_of(done, "a.png") == (40, 40)


@pytest.mark.slow
def test_who_takes_a_name_away_too_late_gives_it_back(done, monkeypatch):
    source = (done.folder / "a.png").read_bytes()
    (done.folder / "a.png").unlink()
    done.scan()
    with (
        monkeypatch.context() as patch,
        who_stands_still(patch, "remove", "composites/spring/a.png") as (pool, begun, goes_on),
    ):
        slow = pool.submit(publish, done.store, "spring-00000")
        assert begun.wait(60)
        (done.folder / "a.png").write_bytes(source)
        for shard in done.scan().shards_to_run:
            done.run(shard)
        assert done.published() == {"a.png", "b.png"}
        goes_on.set()
        slow.result()
    assert done.published() == {"a.png", "b.png"}
    assert unpublished(done) == []


@pytest.mark.slow
def test_a_page_that_is_written_too_late_shows_the_rows_that_there_are(done, monkeypatch):
    def stated():
        return done.store.read("review/spring-00000.html")

    done.store.remove(["review/spring-00000.html"])
    with monkeypatch.context() as patch, who_stands_still(patch, "write", "<!doctype html>") as (pool, begun, goes_on):
        slow = pool.submit(done.run, "spring-00000", selection=["review"])
        assert begun.wait(60)
        done.say(
            '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n[review]\nhigh_leakage = 9.0\n'
        )
        done.run("spring-00000", selection=["review"])
        newest = stated()
        goes_on.set()
        slow.result()
    assert stated() == newest


@pytest.mark.slow
def test_a_file_that_is_lost_takes_no_name_away(done):
    done.store.remove([done.rows(COMPOSITES)["a.png"]["file"]])
    done.run("spring-00000", selection=["export"])
    assert done.published() == {"a.png", "b.png"}
    assert done.run("spring-00000")["composites"] == 1
    assert set(done.run("spring-00000").values()) == {0}


@pytest.mark.slow
def test_a_name_that_the_disk_does_not_take_is_that_picture_s_failure(done, monkeypatch):
    """A source's disk may take what the store's does not."""
    link = Store.link

    def short_names_only(self, source, target):
        if "long" in target:
            raise ValueError("'long.png' cannot be a file in the store (File name too long): rename it.")
        link(self, source, target)

    (done.folder / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 2\n')
    done.put("long.png", (60, 60, 160), size=44)
    assert done.scan().shards_to_run == ["spring-00001"]
    monkeypatch.setattr(Store, "link", short_names_only)
    done.run("spring-00001")
    part = pq.read_table(done.store.path("export/spring/data/spring-00001.parquet").path).to_pylist()
    assert [(row["picture"], row["status"], row["composite"] is None) for row in part] == [
        ("b.png", "ok", False),
        ("long.png", "failed", True),
    ]
    assert "rename it" in part[1]["error"]


def test_composites_alone_leave_something_to_publish(done):
    assert unpublished(done) == []
    done.say(done.settings_file.read_text() + "[composites]\nspill_strength = 0.5\n")
    done.run("spring-00000", selection=["composites"])
    assert unpublished(done) == ["spring-00000"]
    publish_catalogue(done.store, "spring")
    assert unpublished(done) == []
