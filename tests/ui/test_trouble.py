"""Trouble on a live Dagster: a killed worker, and catalogues that are broken.

A run worker is killed while it holds the GPU pool: the slot is freed and the shard tried again. Of one broken, one
empty and one good folder the good one's night goes through, and the others are named; what each of them does to a scan
is in tests/catalogue/test_listing.py and tests/assets/operations/test_nights.py.
"""

import os
import re
import signal

import dagster as dg
import pytest

from tests.support.operator import put
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.cli.runs import register_shards
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=8)]

PICTURES = 20 * (os.cpu_count() or 1)
"""So many that their masks take a few seconds: the first are noted after two."""
SWITCHES = ("vivid_nightly", "vivid_arrivals")
FOLDERS = ("broken", "empty", "good", "away")


@pytest.fixture
def many(operator, tmp_path):
    """A catalogue that has been scanned and not run, with the switches off; then forgotten."""
    for switch in SWITCHES:
        operator.turn_off(switch)
    for number in range(1, PICTURES + 1):
        # Each another one (by its name's length): of equal pictures the mask of one is taken for all.
        put(tmp_path / f"{'a' * number}.png", side=600)
    (tmp_path / "catalogue.toml").write_text('prompt = "teal paper"\n')
    found = scan(operator.store, register(operator.store, "killed", str(tmp_path)))
    with dg.DagsterInstance.from_config(operator.home) as instance:
        register_shards(instance, found.assignment.new_shards)
    yield
    operator.forget("killed")


@pytest.fixture
def folders(operator, tmp_path):
    """A broken, an empty, a good and a vanished catalogue; then forgotten."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        operator.register(name, tmp_path / name)
    for name in ("broken", "good"):
        put(tmp_path / name / "a.png")
    (tmp_path / "good" / "b.psd").write_bytes(b"8BPS")
    (tmp_path / "broken" / "catalogue.toml").write_text("[birefnet]\ntrust_remote_code = true\n")
    (tmp_path / "away").rmdir()
    yield
    operator.forget(*FOLDERS)


def test_the_slot_of_a_killed_worker_is_freed_and_the_shard_is_tried_again(operator, many):
    dagster, store = operator.dagster, operator.store
    first = operator.launch("__ASSET_JOB", ["prepared_images", "masks"], **{"dagster/partition": "killed-00000"})
    with dg.DagsterInstance.from_config(operator.home) as instance:
        pool = instance.event_log_storage

        def holds_the_pool():
            steps = {slot.step_key for slot in pool.get_concurrency_info("gpu").claimed_slots if slot.run_id == first}
            return "vivid__masks" in steps and store.names("tables/masks/killed-00000.journal")

        dagster.wait(holds_the_pool, every=0.1)
        os.kill(worker_of(instance, first), signal.SIGKILL)
        noted = len(store.names("tables/masks/killed-00000.journal"))

        def ended_again():
            runs = instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": first}))
            return runs[0] if runs and runs[0].is_finished else None

        second = dagster.wait(ended_again)
        assert instance.get_run_by_id(first).status == dg.DagsterRunStatus.FAILURE
        assert second.status == dg.DagsterRunStatus.SUCCESS
        assert noted, "the killed run had finished some masks"
        assert dagster.wait(lambda: not pool.get_concurrency_info("gpu").claimed_slots)
        materialised = (
            instance.fetch_materializations(dg.AssetKey(["vivid", "masks"]), limit=1).records[0].asset_materialization
        )
    rows = read_rows(store, MASKS, "killed-00000")
    assert [row["status"] for row in rows.values()] == ["ok"] * PICTURES
    assert materialised.metadata["computed"].value < PICTURES, "masks that were noted are not made twice"


def worker_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """The process that the run said it works in."""
    for entry in instance.all_logs(run_id):
        if found := re.search(r"\(pid: (\d+)\)", entry.user_message or ""):
            return int(found.group(1))
    raise AssertionError("the run has not said its process")


def test_the_good_ones_night_goes_through_and_the_others_are_named_once(operator, folders):
    for switch in SWITCHES:
        operator.turn_on(switch)

    def done():
        return [run for run in operator.runs_of("good-00000") if run["status"] in ("SUCCESS", "FAILURE")]

    (run,) = operator.dagster.wait(done)
    assert (run["jobName"], run["status"]) == ("vivid_catalogue", "SUCCESS")
    assert operator.store.exists("composites/good/a.png")
    assert "Not scanned: broken:" in operator.night()["skipReason"]

    def rested():
        newest = operator.ticks("vivid_arrivals")[:2]
        return all(tick["status"] == "SKIPPED" and "Not scanned: broken:" in tick["skipReason"] for tick in newest)

    operator.dagster.wait(rested)
    for switch in SWITCHES:
        assert all(tick["status"] != "FAILURE" for tick in operator.ticks(switch)), operator.ticks(switch)
    told = [alert for alert in operator.webhook.told if alert["title"].split()[1] in FOLDERS]
    alerts = {alert["title"]: alert["text"] for alert in told}
    assert "birefnet.trust_remote_code is not a catalogue's to set" in alerts["Catalogue broken could not be scanned"]
    assert "has no picture" in alerts["Catalogue empty could not be scanned"]
    assert "cannot be listed" in alerts["Catalogue away could not be scanned"]
    assert "1 .psd, such as 'b.psd'" in alerts["Catalogue good needs attention"]
    assert len(told) == len(alerts), "each once, and not at every tick"
