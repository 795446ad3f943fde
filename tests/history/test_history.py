"""Any history of a catalogue over the real engine, the real look and a real Dagster instance.

Pictures come, change, go, return and are renamed; folders are away, manifests half-written or ahead of their files;
wishes change and change back; a mask tier is away, broken and back; runs are killed in the middle of a write, or two
are at work at once; what is requested is run, late or not at all. Then the nights go on, and everything is as if
nothing had ever been in the way.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path

import cv2
import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resources.errors import ModelUnavailable
from resources.store import local_files
from resources.store import locks as claims
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.export import EXPORTED, publish, publish_catalogue
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.identity import fits
from vivid_assets.catalogue.ledger import live_pictures, shards_of
from vivid_assets.catalogue.progress import state_of
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import find, register
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.export.purge import delete_rubbish, find_rubbish
from vivid_assets.export.tidy import tidy
from vivid_assets.imaging.io.codec import read_provenance
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import Tier
from vivid_assets.rows.keys import degraded_key
from vivid_assets.rows.stage import OK
from vivid_assets.rows.tables import read_rows
from vivid_assets.scheduling import lost_runs
from vivid_assets.scheduling.ticks import plan_tick
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.deployment import wanted_revision
from vivid_assets.stages.stage import Shard, all_stages
from vivid_assets.wiring import pipeline_assets

STEPS = int(os.environ.get("VIVID_HISTORY_STEPS", "18"))
"""How many steps of histories are taken; a history has at most nine."""
A_HISTORY = 9

STAGE_NAMES = [stage.name for stage in all_stages()]
NAMES = [f"{letter}.png" for letter in "abcd"] + ["sub/e.png", "sub/f.png"]
LISTS = ["none", "manifest", "digests"]
"""Whether there is a manifest, and whether it has digests: then no file is looked at."""
PROMPTS = ["red paper", "sage green paper"]
LOG = logging.getLogger("history")
LOG.setLevel(logging.CRITICAL)
JOB = defs.resolve_job_def("vivid_catalogue")


class Killed(BaseException):
    """A SIGKILL, as near as it can be had within a process: from here on nothing of the run reaches the store."""


class Machine:
    """The machine that runs shards: processes that may be killed, and a mask tier that may be away or broken."""

    def __init__(self) -> None:
        self.process, self.dead = 0, set()
        self.writes_left: int | None = None
        self.meanwhile: tuple[int, Callable[[], None]] | None = None
        self.tier = "here"

    def end_process(self) -> None:
        self.dead.add(f"process-{self.process}")
        self.process += 1

    def is_gone(self, process: str) -> bool:
        return process in self.dead

    def writes(self) -> None:
        """Before each write."""
        if self.meanwhile:
            left, happens = self.meanwhile
            self.meanwhile = (left - 1, happens) if left else None
            if not left:
                happens()
        if self.writes_left is not None:
            if self.writes_left <= 0:
                raise Killed
            self.writes_left -= 1

    def tiers(self, *_: object) -> list[Tier]:
        missing = "bright is not on this machine" if self.tier == "away" else None

        def load() -> "Bright":
            if self.tier == "broken":
                raise ModelUnavailable("bright could not be loaded")
            return Bright()

        return [Tier("u2net", load, "none" if missing else "1", missing=missing), gradient_tier()]

    @contextmanager
    def patched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module in (claims, local_files):
                patch.setattr(module, "this_process", lambda: f"process-{self.process}")
            for module in (claims, local_files, lost_runs):
                patch.setattr(module, "is_gone", self.is_gone)
            patch.setattr("vivid_assets.stages.masks.make_tiers", self.tiers)
            patch.setattr(claims.Claims, "held", partialmethod(claims.Claims.held, poll_s=0.02))
            for name in ("write", "create", "remove", "link"):
                patch.setattr(Store, name, self._counted(getattr(Store, name)))
            yield

    def _counted(self, method):
        def counted(store, *arguments, **options):
            self.writes()
            return method(store, *arguments, **options)

        return counted


class Bright:
    """A network in its place: the product is darker than its wall."""

    name, revision = "u2net", "1"

    def probabilities(self, images):
        return [(image.mean(axis=2) < 150).astype(np.float32) for image in images]


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="vivid-history-"))
        self.folder = self.root / "pictures"
        self.folder.mkdir()
        self.store = Store(root=str(self.root / "store"))
        self.settings = self.root / "vivid.toml"
        self.settings.write_text('[backgrounds]\ngenerator = "backdrop"\n')
        self.machine = Machine()
        self.instance = dg.DagsterInstance.ephemeral()
        self.now = datetime.now(UTC)
        self.contents = 0
        self.nights = 0
        self.computed = dict.fromkeys(STAGE_NAMES, 0)
        self.attic: dict[str, bytes] = {}
        self.tuned = False
        self.whole: set[tuple[str, str]] = set()
        """Pictures and keys of masks of theirs by the better tier."""
        self.patch = self.machine.patched()
        self.patch.__enter__()
        register(self.store, "spring", str(self.folder))
        # A tier that is installed for the first time is no look's business: the next run of a shard notices it.
        wanted_revision(self.store, "tier u2net", "1")

    def teardown(self) -> None:
        try:
            self.machine.tier = "here"
            self.settle()
        finally:
            self.patch.__exit__(None, None, None)
            self.instance.dispose()
            shutil.rmtree(self.root)

    # What people do

    @initialize(names=st.sets(st.sampled_from(NAMES), min_size=2), lists=st.sampled_from(LISTS))
    def begin(self, names, lists):
        self.lists = lists
        self.say(PROMPTS[0])
        for name in sorted(names):
            self.put(name)

    @rule(name=st.sampled_from(NAMES))
    def put(self, name):
        """Add a picture, or replace it."""
        self.contents += 1
        wall = np.full((32, 32, 3), (205, 200, 190), np.uint8)
        cv2.circle(wall, (16, 16), 10, (self.contents % 140, 30 + self.contents % 90, 120), -1)
        self.write(name, cv2.imencode(".png", wall)[1].tobytes())
        self.list_all()

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name):
        if (self.folder / name).exists() and len(self.files()) > 1:
            self.attic[name] = (self.folder / name).read_bytes()
            (self.folder / name).unlink()
            self.list_all()

    @rule(name=st.sampled_from(NAMES))
    def bring_back(self, name):
        if name in self.attic:
            self.write(name, self.attic.pop(name))
            self.list_all()

    @rule(name=st.sampled_from(NAMES), other=st.sampled_from(NAMES))
    def rename(self, name, other):
        if (self.folder / name).exists() and not (self.folder / other).exists():
            self.write(other, (self.folder / name).read_bytes())
            (self.folder / name).unlink()
            self.list_all()

    @precondition(lambda self: self.lists != "none")
    @rule()
    def half_a_manifest(self):
        """It is looked at while it is being written."""
        lines = (self.folder / "manifest.csv").read_text().splitlines()
        (self.folder / "manifest.csv").write_text("\n".join(lines[: 1 + len(lines) // 2]))
        self.day(None)
        self.list_all()

    @precondition(lambda self: self.lists == "digests")
    @rule(name=st.sampled_from(NAMES))
    def a_manifest_that_is_ahead(self, name):
        """It has the digest of a file that comes later."""
        before = self.files()
        self.put(name)
        coming, manifest = self.files()[name], self.manifest()
        if name in before:
            self.write(name, before[name])
        else:
            (self.folder / name).unlink()
        (self.folder / "manifest.csv").write_text(manifest)
        self.day(None)
        self.write(name, coming)

    @precondition(lambda self: self.lists == "digests")
    @rule()
    def a_line_without_its_digest(self):
        text = (self.folder / "manifest.csv").read_text()
        (self.folder / "manifest.csv").write_text(text.rpartition(",")[0] + ",")
        self.day(None)
        self.list_all()

    @rule(prompt=st.sampled_from(PROMPTS), size=st.sampled_from([2, 8]))
    def say(self, prompt, size=2):
        """Small shards are a quarter of what large ones hold: these are merged."""
        (self.folder / "catalogue.toml").write_text(f'prompt = "{prompt}"\nshard_size = {size}\n')

    @rule(strength=st.sampled_from([0.5, 0.85]))
    def tune(self, strength):
        """A setting that no look notices: what it puts out of date is made anew by whichever run comes next."""
        self.tuned = True
        self.settings.write_text(f'[backgrounds]\ngenerator = "backdrop"\n[composites]\nspill_strength = {strength}\n')

    # What machines do

    @rule(tier=st.sampled_from(["here", "away", "broken"]))
    def tier_is(self, tier):
        self.machine.tier = tier

    @rule()
    def look_without_running(self):
        """A tick that scans and dies, or whose runs never start."""
        self.look()

    @rule(replaced=st.none() | st.sampled_from(NAMES))
    def day(self, replaced):
        """A tick, and the runs that it requests; a picture may be replaced between the two."""
        requests = self.look()
        if replaced and (self.folder / replaced).exists():
            self.put(replaced)
        for request in requests:
            self.run(request)

    @rule(after=st.integers(0, 60))
    def run_that_is_killed(self, after):
        for request in self.look()[:1]:
            self.machine.writes_left = after
            try:
                self.run(request)
            finally:
                self.machine.writes_left = None
                self.machine.end_process()

    @rule(
        after=st.integers(0, 60), name=st.sampled_from(NAMES), change=st.sampled_from(["put", "remove", "bring_back"])
    )
    def scan_in_the_middle_of_a_run(self, after, name, change):
        def happens():
            getattr(self, change)(name)
            with suppress(ValueError):  # all or most of it is gone: nothing is taken for removed
                scan(self.store, find(self.store, "spring"))

        for request in self.look()[:1]:
            self.machine.meanwhile = after, happens
            self.run(request)
            self.machine.meanwhile = None

    @precondition(lambda self: shards_of(self.store, "spring"))
    @rule(data=st.data())
    def command_that_is_killed(self, data):
        """Dagster's record of its run stays as it was: STARTED."""
        shard = data.draw(st.sampled_from(shards_of(self.store, "spring")))
        self.instance.create_run_for_job(
            JOB,
            status=dg.DagsterRunStatus.STARTED,
            tags={lost_runs.PROCESS: f"process-{self.machine.process}", "dagster/partition": shard} | PIPELINE.tags,
        )
        self.machine.end_process()

    @rule(is_settled=st.booleans())
    def purge(self, is_settled):
        """Somebody has all deleted that is kept of what is gone; and shards merged or forgotten, where none is due."""
        if is_settled:
            self.settle()
        delete_rubbish(self.store, find_rubbish(self.store, "spring", all_stages()), REVIEW)
        publish_catalogue(self.store, "spring")
        tidy(self.store, find(self.store, "spring"), all_stages(), EXPORTED, change=True)

    @precondition(lambda self: shards_of(self.store, "spring"))
    @rule(data=st.data(), stages=st.sampled_from([["composites"], ["masks", "composites"], None]))
    def run_by_hand(self, data, stages):
        """Somebody materialises a shard, or a part of it, in the UI."""
        shard = data.draw(st.sampled_from(shards_of(self.store, "spring")))
        self.materialize(shard, {}, selection=stages and [PIPELINE.key(stage) for stage in stages])

    @precondition(lambda self: shards_of(self.store, "spring"))
    @rule(data=st.data())
    def two_runs_at_once(self, data):
        """On one shard, or on two: in Dagster, and by somebody's own script beside it."""
        shards = shards_of(self.store, "spring")
        one, other = (data.draw(st.sampled_from(shards)) for _ in range(2))
        with ThreadPoolExecutor(1) as pool:
            beside = pool.submit(self.run_by_a_script, other)
            self.materialize(one, {})
            beside.result()

    @rule()
    def folder_is_away(self):
        self.folder.rename(self.root / "away")
        requests = self.look()
        for request in requests:
            self.run(request)
        (self.root / "away").rename(self.folder)

    @rule()
    def settle(self):
        """Nights go by until nothing is requested, which is soon; then all is as it must be."""
        # Somebody says that it is meant, should most of it be gone.
        scan(self.store, find(self.store, "spring"), accept_removals=True)
        for _ in range(5):
            requests = self.look(night=True)
            if not requests:
                break
            for request in requests:
                self.run(request)
        else:
            if self.machine.tier == "here":
                raise AssertionError(f"still requested after five nights: {requests}")
        if self.machine.tier == "here":
            self.assert_settled()

    # How it is done

    def files(self) -> dict[str, bytes]:
        """The pictures in the folder."""
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in self.folder.rglob("*.png")}

    def manifest(self) -> str:
        """The manifest that lists them, with or without digests."""
        lines = ["image,digest"] if self.lists == "digests" else ["image"]
        for name, data in sorted(self.files().items()):
            lines.append(f"{name},{hashlib.sha256(data).hexdigest()}" if self.lists == "digests" else name)
        return "\n".join(lines)

    def list_all(self) -> None:
        if self.lists != "none":
            (self.folder / "manifest.csv").write_text(self.manifest())

    def run_by_a_script(self, shard: str) -> None:
        settings_file = SettingsFile(path=str(self.settings))
        holds = settings_file.read(catalogue_settings(self.store, "spring"))
        for stage in all_stages():
            with stage.at_work(Shard(shard, self.store, holds, LOG)) as work:
                work.run(live_pictures(self.store, shard))
        publish(self.store, shard)

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        fresh = self.root / "fresh"
        fresh.write_bytes(data)
        fresh.replace(path)

    def look(self, *, night: bool = False) -> list[dg.RunRequest]:
        self.now += timedelta(hours=1)
        self.nights += night
        name = f"night {self.nights}" if night else None
        settings_file = SettingsFile(path=str(self.settings))
        found = plan_tick(PIPELINE, self.instance, self.store, settings_file, night=name, now=self.now, log=LOG)
        self.instance.add_dynamic_partitions("vivid_shards", found.new_partitions)
        return found.requests

    def run(self, request: dg.RunRequest) -> None:
        selection = request.asset_selection and [*request.asset_selection]
        self.materialize(request.partition_key, request.tags, selection)

    def materialize(self, shard: str, tags: dict[str, str], selection: list[dg.AssetKey] | None = None) -> None:
        options = {"instance": self.instance, "partition_key": shard, "tags": tags, "raise_on_error": False}
        resources = {
            **(defs.resources or {}),
            **PIPELINE.resources(store=self.store, settings=SettingsFile(path=str(self.settings))),
        }
        try:
            if selection:
                result = dg.materialize(pipeline_assets(PIPELINE), selection=selection, resources=resources, **options)
            else:
                result = JOB.execute_in_process(resources=resources, **options)
        except Killed:
            return
        for event in result.get_asset_materialization_events():
            counted = event.materialization.metadata.get("computed")
            if counted is not None:
                self.computed[event.asset_key.path[-1]] += counted.value

    def rows(self) -> dict[str, dict[str, dict]]:
        """The stages' rows by picture, of what lives."""
        found: dict[str, dict[str, dict]] = {}
        for shard in shards_of(self.store, "spring"):
            live = {one["picture"] for one in live_pictures(self.store, shard)}
            for stage in all_stages():
                rows = read_rows(self.store, stage, shard)
                for picture in live & rows.keys():
                    assert stage.name not in found.setdefault(picture, {}), f"{picture} is in two shards"
                    found[picture][stage.name] = rows[picture]
        return found

    @invariant()
    def nothing_poorer_replaces_something_better(self):
        for picture, row in ((name, rows.get(MASKS.name)) for name, rows in self.rows().items()):
            if row and row["status"] == OK:
                # By what was asked for: a scan may have found another picture since the row was made.
                better = {degraded_key(key, row["degraded"]) for of, key in self.whole if of == picture}
                assert row["tier"] == "u2net" or row["key"] not in better, f"{picture} had a better mask"
                if row["tier"] == "u2net":
                    self.whole.add((picture, row["key"]))

    @invariant()
    def what_people_see_is_whole(self):
        for path in self.store.path("composites/spring").rglob("*.png"):
            assert read_provenance(Path(path.path).read_bytes())["provenance"], path

    def assert_settled(self) -> None:
        there, rows = self.files(), self.rows()
        state = state_of(self.store, "spring", STAGE_NAMES, [stage.name for stage in EXPORTED])
        assert (state.stale, state.unpublished) == ([], [])
        assert rows.keys() == there.keys()
        assert {name: row[COMPOSITES.name]["status"] for name, row in rows.items()} == dict.fromkeys(there, OK)
        assert {row[MASKS.name]["tier"] for row in rows.values()} == {"u2net"}
        assert [row[MASKS.name]["degraded"] for row in rows.values()] == [None] * len(rows)

        # People see the live ledger's pictures, no other, and each as its row says.
        seen = self.seen()
        assert seen == {name: row[COMPOSITES.name]["key"] for name, row in rows.items()}
        exported = self.exported()
        assert exported.keys() == there.keys()
        assert all(fits(row["source_digest"], [there[name]]) for name, row in exported.items())
        assert {name: row["provenance"] for name, row in exported.items()} == seen
        assert {name: row["composite"] for name, row in exported.items()} == {
            name: f"../../composites/spring/{name}" for name in there
        }
        assert {name: row["review"]["outcome"] for name, row in rows.items()} == dict.fromkeys(there, OK)

        # What did not change computes nothing; a setting that was tuned is met by the first run that comes.
        if self.tuned:
            self.run_all()
            self.tuned = False
        before = dict(self.computed)
        self.run_all()
        assert self.computed == before

    def run_all(self) -> None:
        for shard in shards_of(self.store, "spring"):
            self.materialize(shard, {})

    def seen(self) -> dict[str, str]:
        root = Path(self.store.path("composites/spring").path)
        return {
            path.relative_to(root).as_posix(): read_provenance(path.read_bytes())["provenance"]
            for path in root.rglob("*")
            if path.is_file()
        }

    def exported(self) -> dict[str, dict]:
        rows: dict[str, dict] = {}
        for part in Path(self.store.path("export/spring/data").path).glob("*.parquet"):
            for row in pq.read_table(part).to_pylist():
                assert row["picture"] not in rows, f"{row['picture']} is in two parts"
                rows[row["picture"]] = row
        return rows


@pytest.mark.slow
@pytest.mark.parametrize("steps", [STEPS, pytest.param(2000, marks=pytest.mark.soak)])
def test_any_history_ends_as_if_nothing_had_been_in_the_way(steps):
    options = settings(
        max_examples=max(1, steps // A_HISTORY),
        stateful_step_count=A_HISTORY,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        derandomize=steps <= 18,
        database=None,
        print_blob=True,
    )
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(History, settings=options)
