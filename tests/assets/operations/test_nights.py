"""Nights on a real Dagster instance: what is requested, once, and what is requested again."""

import logging
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from resources.alerts import Alerts
from resources.store.processes import this_process
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.progress import note_progress, read_progress
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.masking.gradient_tier import Gradients
from vivid_assets.scheduling.lost_runs import PROCESS, command_locks
from vivid_assets.scheduling.ticks import ATTEMPT, plan_tick, send_alerts
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.out_of_date import KINDS, ask_for, standings, updates

NOW = datetime.now(UTC)
LOG = logging.getLogger("night")


@pytest.fixture
def night(pipeline):
    pipeline.put("a.png")
    pipeline.put("b.png")
    pipeline.catalogue = register(pipeline.store, "spring", str(pipeline.folder))
    return pipeline


def requested(pipeline, *, name=None, now=NOW, models=None):
    return plan_tick(
        PIPELINE,
        pipeline.instance,
        pipeline.store,
        SettingsFile(path=str(pipeline.settings_file)),
        night=name,
        now=now,
        log=LOG,
        models=models,
    )


def shards(found):
    return [request.partition_key for request in found.requests]


def submit(pipeline, found, *, status=dg.DagsterRunStatus.STARTED):
    """Record the requests' runs as the daemon does."""
    pipeline.instance.add_dynamic_partitions("vivid_shards", found.new_partitions)
    for request in found.requests:
        pipeline.instance.create_run_for_job(
            defs.resolve_job_def("vivid_catalogue"),
            status=status,
            tags={**request.tags, **PIPELINE.tags, "dagster/partition": request.partition_key},
        )


def test_new_pictures_are_requested_once(night):
    first = requested(night)
    assert (shards(first), first.new_partitions) == (["spring-00000"], ["spring-00000"])
    submit(night, first)
    assert shards(requested(night)) == [], "its run is at work"
    assert shards(requested(night, name="night 1")) == [], "also for the schedule"


def test_what_a_person_has_just_asked_for_is_not_requested_twice(night):
    scan(night.store, night.catalogue)
    found = standings(night.store, "spring", SettingsFile(path=str(night.settings_file)))
    ask_for(night.store, "a-run-of-update", updates(found, KINDS))
    assert shards(requested(night)) == []
    assert shards(requested(night, now=NOW + timedelta(hours=2))) == ["spring-00000"], "the sensor updates may be off"


def test_a_tick_that_died_after_its_scan_loses_nothing(night):
    requested(night)
    assert night.scan().shards_to_run == [], "the scan is committed"
    again = requested(night)
    assert (shards(again), again.new_partitions) == (["spring-00000"], ["spring-00000"])


@pytest.mark.slow
def test_nothing_new_after_the_run_requests_nothing(night):
    submit(night, requested(night), status=dg.DagsterRunStatus.SUCCESS)
    night.run()
    found = requested(night, name="night 1")
    assert (found.requests, found.new_partitions) == ([], [])


def test_a_failed_run_is_requested_again_the_next_night_and_not_the_same(night):
    submit(night, requested(night), status=dg.DagsterRunStatus.FAILURE)
    assert shards(requested(night)) == [], "by day not at every tick"
    first = requested(night, name="night 1")
    assert shards(first) == ["spring-00000"]
    submit(night, first, status=dg.DagsterRunStatus.FAILURE)
    assert shards(requested(night, name="night 1")) == []
    assert shards(requested(night, name="night 2")) == ["spring-00000"]
    assert shards(requested(night, now=NOW + timedelta(hours=21))) == ["spring-00000"]


@pytest.mark.slow
def test_a_changed_prompt_requests_the_shard_that_has_it(night):
    submit(night, requested(night), status=dg.DagsterRunStatus.SUCCESS)
    night.run()
    (night.folder / "catalogue.toml").write_text('prompt = "teal paper"')
    assert shards(requested(night)) == ["spring-00000"]
    # Running one stage alone does not settle it.
    night.materialize("spring-00000", selection=["composites"])
    assert shards(requested(night)) == ["spring-00000"]
    night.run()
    assert shards(requested(night, name="night 1")) == []


@pytest.mark.slow
def test_a_request_that_is_taken_back_within_the_day_is_met_at_once(night):
    for prompt in ("teal paper", "red paper", "teal paper"):
        (night.folder / "catalogue.toml").write_text(f'prompt = "{prompt}"')
        found = requested(night)
        assert shards(found) == ["spring-00000"], prompt
        submit(night, found, status=dg.DagsterRunStatus.SUCCESS)
        night.run()
        assert shards(requested(night)) == []


def test_a_failed_attempt_is_not_repeated_by_day_however_often_its_wish_returns(night):
    for prompt, wanted in (("teal paper", 1), ("red paper", 1), ("teal paper", 0), ("red paper", 0)):
        (night.folder / "catalogue.toml").write_text(f'prompt = "{prompt}"')
        found = requested(night)
        assert len(found.requests) == wanted
        submit(night, found, status=dg.DagsterRunStatus.FAILURE)


@pytest.fixture
def killed_command(night):
    """``killed_command(process)``: the record of a run that a command executed in its own process."""

    def record(process):
        night.scan()
        night.instance.add_dynamic_partitions("vivid_shards", ["spring-00000"])
        return night.instance.create_run_for_job(
            defs.resolve_job_def("vivid_catalogue"),
            status=dg.DagsterRunStatus.STARTED,
            tags={PROCESS: process, "dagster/partition": "spring-00000"} | PIPELINE.tags,
        ).run_id

    return record


def test_a_command_that_was_killed_here_does_not_keep_its_shard(night, killed_command):
    place = this_process().rpartition("-")[0]
    run = killed_command(f"{place}-{2**22 - 1}")
    assert shards(requested(night)) == ["spring-00000"]
    assert night.instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE


def test_a_command_elsewhere_is_taken_for_dead_when_it_shows_no_sign_of_life(night, killed_command):
    run = killed_command("elsewhere-1")
    claims = command_locks(night.store)
    claim = claims.take(run)
    for minutes in (0, 10, 20):
        night.store.write(claim.path, claims._stamp(claim))
        assert shards(requested(night, now=NOW + timedelta(minutes=minutes))) == []
    assert shards(requested(night, now=NOW + timedelta(minutes=30))) == []
    # Nobody looked for hours, as if the machine had slept: the command may have, too.
    assert shards(requested(night, now=NOW + timedelta(hours=9))) == []
    assert shards(requested(night, now=NOW + timedelta(hours=9, minutes=16))) == ["spring-00000"]
    assert night.instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE
    assert night.store.names("claims/commands") == []


def test_a_command_that_works_keeps_its_shard(night, killed_command):
    run = killed_command(this_process())
    command_locks(night.store).take(run)
    assert shards(requested(night)) == []


@pytest.mark.slow
def test_a_changed_picture_requests_its_new_shard_alone(night):
    requested(night)
    night.scan()
    night.instance.add_dynamic_partitions("vivid_shards", ["spring-00000"])
    night.run()
    (night.folder / "catalogue.toml").write_text("shard_size = 1")
    night.put("b.png", (10, 120, 40))
    assert shards(requested(night)) == ["spring-00001"]


@pytest.mark.slow
def test_a_removed_picture_requests_one_run_that_publishes_and_computes_nothing(night):
    (night.folder / "catalogue.toml").write_text("shard_size = 1")
    for name in ("c.png", "d.png"):
        night.put(name)
    for shard in night.scan().shards_to_run:
        night.run(shard)
    for name in ("b.png", "c.png"):
        (night.folder / name).unlink()
    found = requested(night)
    assert shards(found) == ["spring-00001"]
    assert night.published() == {"a.png", "b.png", "c.png", "d.png"}
    (request,) = found.requests
    assert night.run_in_dagster("spring-00001", tags=request.tags, selection=request.asset_selection) == {}
    assert night.published() == {"a.png", "d.png"}
    assert requested(night, name="night 1").requests == []


@pytest.mark.slow
def test_what_a_run_finishes_during_a_look_is_not_requested_again(night, monkeypatch):
    """Its composites were there and not yet published when the shard was looked at."""
    found = requested(night)
    night.run()
    entry = read_progress(night.store, ["spring-00000"])["spring-00000"]["composites"]
    note_progress(night.store, "spring-00000", "composites", entry | {"version": "another"})
    submit(night, found)

    def and_then_it_is_done(*_):
        (run,) = night.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        done = dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name=run.job_name)
        night.instance.report_dagster_event(done, run_id=run.run_id)

    with monkeypatch.context() as patch:
        patch.setattr("vivid_assets.scheduling.ticks.close_lost_runs", and_then_it_is_done)
        assert requested(night).requests == []
    assert shards(requested(night)) == ["spring-00000"], "what is still not published"


@pytest.mark.slow
def test_a_row_of_a_removed_picture_is_tidied_by_night_and_nothing_is_computed(night):
    night.scan()
    night.run()
    (night.folder / "b.png").unlink()
    (publishing,) = requested(night).requests
    night.run_in_dagster("spring-00000", tags=publishing.tags, selection=publishing.asset_selection)
    assert requested(night).requests == []
    assert shards(requested(night, name="night 1")) == ["spring-00000"]
    assert set(night.run().values()) == {0}
    assert {*night.rows(MASKS)} == {"a.png"}
    assert requested(night, name="night 2").requests == []


def test_a_cancelled_shard_is_asked_for_again_the_same_night(night):
    submit(night, requested(night, name="night 1"), status=dg.DagsterRunStatus.CANCELED)
    assert shards(requested(night)) == ["spring-00000"], "by day it was not asked for"
    submit(night, requested(night), status=dg.DagsterRunStatus.CANCELED)
    assert shards(requested(night)) == [], "nor again by day"
    assert shards(requested(night, name="night 1")) == ["spring-00000"]


@pytest.mark.slow
def test_pictures_worth_another_try_are_tried_by_night_and_corrupt_ones_are_not(night, monkeypatch):
    (night.folder / "corrupt.png").write_bytes(b"no picture")
    night.scan()
    night.run()
    assert shards(requested(night, name="night 1")) == []

    night.put("c.png", (20, 60, 90))
    night.put("d.png", (60, 20, 90))
    night.scan()
    (night.folder / "c.png").rename(night.folder / "away.png")  # as if the share were gone for a while
    night.run("spring-00000")
    (night.folder / "away.png").rename(night.folder / "c.png")
    assert night.rows(PREPARED_IMAGES, "spring-00000")["c.png"]["transient"]
    assert shards(requested(night)) == [], "by day only what is new"
    assert shards(requested(night, name="night 1")) == ["spring-00000"]
    night.run("spring-00000")
    assert night.rows(MASKS, "spring-00000")["c.png"]["status"] == "ok"
    assert shards(requested(night, name="night 2")) == []


@pytest.mark.slow
def test_a_shard_stopped_by_its_failed_pictures_waits_for_a_new_file(night):
    night.scan()
    night.run()
    (night.folder / "corrupt.png").write_bytes(b"no picture")
    night.say(night.settings_file.read_text() + "[checks]\ntolerated_share = 0.0\ntolerated_pictures = 0\n")
    assert night.scan().shards_to_run == ["spring-00000"]
    assert not night.materialize("spring-00000").success
    (request,) = requested(night, name="night 1").requests
    computed = night.run_in_dagster("spring-00000", selection=request.asset_selection)
    assert computed == {}, "it is only published as it is"
    assert shards(requested(night, name="night 1")) == []
    night.put("corrupt.png")
    assert shards(requested(night, name="night 1")) == ["spring-00000"]


def test_a_tick_requests_so_many_and_the_next_the_rest(night):
    (night.folder / "catalogue.toml").write_text("shard_size = 1")
    night.put("c.png")
    night.say("[nights]\nruns_per_tick = 2\n")
    first = requested(night, name="night 1")
    assert (shards(first), first.waiting) == (["spring-00000", "spring-00001"], 1)
    assert len(first.new_partitions) == 3
    submit(night, first)
    assert shards(requested(night, name="night 1")) == ["spring-00002"]


def test_a_catalogue_that_cannot_be_scanned_does_not_stop_the_others(night, tmp_path, monkeypatch):
    """Whatever its trouble is: before and after "spring" in the order of names, and of a kind that nobody foresaw."""
    for name in ("broken", "empty", "away", "unforeseen", "zz-record"):
        (tmp_path / name).mkdir()
        register(night.store, name, str(tmp_path / name))
    (tmp_path / "broken" / "catalogue.toml").write_text("prompt = ")
    (tmp_path / "away").rmdir()
    night.store.write("catalogues/zz-record/catalogue.json", b"{")

    def scan_(store, catalogue):
        if catalogue.name == "unforeseen":
            raise TypeError("nobody foresaw this")
        return scan(store, catalogue)

    monkeypatch.setattr("vivid_assets.scheduling.ticks.scan", scan_)
    found = requested(night)
    assert shards(found) == ["spring-00000"]
    assert found.catalogues == ["away", "broken", "empty", "spring", "unforeseen", "zz-record"]
    why = dict(fault.split(": ", 1) for fault in found.faults)
    assert "cannot be listed" in why["away"]
    assert "not valid TOML" in why["broken"]
    assert "has no picture" in why["empty"]
    assert why["unforeseen"] == "nobody foresaw this"
    assert "is damaged" in why["zz-record"]
    found.assert_any_scanned()


def test_a_tick_with_no_catalogue_that_can_be_scanned_fails(night):
    (night.folder / "catalogue.toml").write_text("prompt = ")
    found = requested(night)
    with pytest.raises(ValueError, match=r"spring: .*not valid TOML"):
        found.assert_any_scanned()


def test_an_alert_names_the_catalogue_once_and_is_sent_again_when_it_was_lost(night):
    sent = []

    class Webhook(Alerts):
        def send(self, title, text):
            if len(sent) == 0:
                sent.append("lost")
                raise OSError("away")
            sent.append((title, text))

    (night.folder / "catalogue.toml").write_text("prompt = ")
    for _ in range(3):
        send_alerts(night.store, requested(night), Webhook(), LOG)
    assert [one if one == "lost" else one[0] for one in sent] == ["lost", "Catalogue spring could not be scanned"]


def test_a_run_says_that_the_catalogues_file_has_changed_since_the_last_scan(night):
    def warned():
        result = night.materialize("spring-00000", selection=["prepared_images"])
        return [
            entry.user_message for entry in night.instance.all_logs(result.run_id) if entry.level == logging.WARNING
        ]

    night.scan()
    (night.folder / "catalogue.toml").write_text("[composites]\nspill_strength = 0.5\n")
    (warning,) = warned()
    assert "spring's catalogue.toml has changed since the last scan, whose settings remain in force" in warning
    night.scan()
    assert warned() == []


@pytest.mark.slow
def test_changed_settings_start_a_run_by_night_where_the_deployment_says_so(night):
    submit(night, requested(night), status=dg.DagsterRunStatus.SUCCESS)
    night.run()
    said = night.settings_file.read_text() + "[composites]\nspill_strength = 0.5\n"
    night.say(said)
    assert shards(requested(night, name="night 1")) == []
    night.say(said + "[nights]\nchanged_settings = true\n")
    assert shards(requested(night)) == [], "by day nothing"
    assert shards(requested(night, name="night 1")) == ["spring-00000"]
    night.run()
    assert shards(requested(night, name="night 2")) == []


class FinerGradients(Gradients):
    """What a deployment may give its runs in place of a tier."""

    @property
    def revision(self):
        return f"{super().revision} finer"


def test_by_night_settings_are_compared_with_the_models_that_runs_are_given(night):
    submit(night, requested(night), status=dg.DagsterRunStatus.SUCCESS)
    given = {"gradients": FinerGradients()}
    night.say(night.settings_file.read_text() + "[nights]\nchanged_settings = true\n")
    night.run(models=given)
    assert shards(requested(night, name="night 1", models=given)) == []
    assert shards(requested(night, name="night 1")) == ["spring-00000"], "with other models there is work"


def test_the_requests_carry_what_the_next_tick_looks_for(night):
    (request,) = requested(night, name="night 1").requests
    assert request.tags[ATTEMPT] == "night 1"
