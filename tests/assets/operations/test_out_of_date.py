"""What is out of date: by shard and stage from the records alone, and in agreement with what a run then computes."""

import dagster as dg
import pytest

from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.catalogue.progress import read_progress
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.scheduling.state_of_work import findings, state_of_work_sensor
from vivid_assets.scheduling.updates import summary, update_job, updates_sensor
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.out_of_date import KINDS, Standing, is_up_to_date, standings, updates

BASE = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
SHARD = "spring-00000"


def done(pipeline):
    pipeline.put("a.png")
    (pipeline.folder / "bad.png").write_bytes(b"no picture")
    pipeline.scan()
    pipeline.run()


def standing(pipeline):
    return standings(pipeline.store, "spring", SettingsFile(path=str(pipeline.settings_file)))


def wrong(pipeline, kind):
    return {one.stage: one.of([kind]) for one in standing(pipeline) if one.of([kind])}


def test_before_its_first_run_a_shard_waits_in_every_stage(pipeline):
    pipeline.put("a.png")
    pipeline.scan()
    assert [one.waiting for one in standing(pipeline)] == [1] * 7
    (update,) = updates(standing(pipeline), KINDS)
    assert (update.shard, len(update.stages), update.pictures, update.seconds) == (SHARD, 7, 1, None)


@pytest.mark.slow
def test_a_changed_setting_makes_its_stage_stale_and_what_follows_as_the_run_agrees(pipeline_after):
    pipeline = pipeline_after(done)
    assert wrong(pipeline, "stale") == {}
    pipeline.say(BASE + "[composites]\nspill_strength = 0.5\n")
    assert wrong(pipeline, "stale") == {"composites": 2, "review": 2}
    (update,) = updates(standing(pipeline), ["stale"])
    assert update.stages == ("composites", "review")
    computed = pipeline.run(selection=update.stages)
    assert computed["composites"] == 1, "the other one has failed before"
    assert wrong(pipeline, "stale") == {}
    pipeline.say(BASE)
    pipeline.say(BASE.replace('["gradients"]', '["gradients"]\nstretch_low = 0.2'))
    assert {*wrong(pipeline, "stale")} == {"masks", "composites", "review"}
    assert updates(standing(pipeline), ["stale"], ["masks"])[0].stages == ("masks",), "just the stage that is asked"


@pytest.mark.slow
def test_a_setting_that_can_change_no_row_of_a_shard_makes_it_not_stale(pipeline_after):
    pipeline = pipeline_after(done)
    pipeline.say(BASE + "[composites]\nquality = 50\n")
    assert wrong(pipeline, "stale") == {}, "its composites are PNG"
    pipeline.say(BASE + '[composites]\nquality = 50\nformat = "webp"\n')
    assert {*wrong(pipeline, "stale")} == {"composites", "review"}
    pipeline.run(selection=["composites", "review"])
    assert wrong(pipeline, "stale") == {}
    pipeline.say(BASE + '[composites]\nquality = 60\nformat = "webp"\n')
    assert {*wrong(pipeline, "stale")} == {"composites", "review"}


def is_idle(pipeline):
    return is_up_to_date(pipeline.store, SHARD, SettingsFile(path=str(pipeline.settings_file)))


@pytest.mark.slow
def test_a_shard_is_up_to_date_while_its_files_are_there_and_a_run_would_compute_nothing(pipeline_after):
    pipeline = pipeline_after(done)
    assert is_idle(pipeline)
    pipeline.say(BASE + "[composites]\nquality = 50\n")
    assert is_idle(pipeline)
    for lost in (pipeline.rows(COMPOSITES)["a.png"]["file"], "review/spring-00000.html"):
        pipeline.store.remove([lost])
        assert not is_idle(pipeline), lost
        pipeline.run(selection=["composites", "review"])
        assert is_idle(pipeline)
    pipeline.say(BASE + "[composites]\nspill_strength = 0.5\n")
    assert not is_idle(pipeline)


@pytest.mark.slow
def test_failed_pictures_are_counted_and_an_update_tries_them_again(pipeline_after):
    pipeline = pipeline_after(done)
    assert wrong(pipeline, "failed") == {"prepared_images": 1}
    (update,) = updates(standing(pipeline), ["failed"])
    assert update.stages[0] == "prepared_images" and update.retries
    assert update.seconds > 0, "measured by the first run"
    assert read_progress(pipeline.store, [SHARD])[SHARD]["masks"]["degraded"] == 0


@pytest.mark.slow
def test_a_picture_that_arrives_and_a_prompt_that_changes_are_out_of_date(pipeline_after):
    pipeline = pipeline_after(done)
    (pipeline.folder / "catalogue.toml").write_text('prompt = "teal paper"')
    pipeline.scan()
    assert set(wrong(pipeline, "stale").values()) == {2}


@pytest.mark.slow
def test_the_job_asks_for_just_these_runs_and_a_dry_run_for_none(pipeline_after):
    pipeline = pipeline_after(done)
    pipeline.say(BASE + "[composites]\nspill_strength = 0.5\n")

    def launched(**config):
        result = update_job(PIPELINE).execute_in_process(
            run_config={"ops": {"vivid_find_updates": {"config": config}}},
            resources=pipeline.resources(),
            instance=pipeline.instance,
            raise_on_error=False,
        )
        (event,) = [one for one in result.all_events if one.event_type_value == "STEP_OUTPUT"] or [None]
        return event and event.event_specific_data.metadata["what"].value, result

    said, _ = launched(dry_run=True)
    assert said.startswith("1 shard would run, with up to 2 pictures to make, in about ")
    assert pipeline.store.names("updates") == []
    assert launched(what="FAILED", dry_run=True)[0].startswith("1 shard would run, with up to 1 picture")
    assert launched(what="DEGRADED")[0] == "Nothing is out of date."
    _, refused = launched(stages=["mask"])
    assert "There is no stage 'mask'; did you mean 'masks'" in str(refused.all_events)
    launched(catalogue="spring")
    sensor = updates_sensor(PIPELINE, defs.resolve_job_def("vivid_catalogue"), dg.DefaultSensorStatus.RUNNING)
    resources = PIPELINE.resources(store=pipeline.store)
    with dg.build_sensor_context(pipeline.instance, definitions=defs, resources=resources) as context:
        (request,) = sensor._raw_fn(context).run_requests
    assert request.partition_key == SHARD
    assert [key.path[-1] for key in request.asset_selection] == ["composites", "review", "export"]


def test_an_empty_store_passes_no_check(pipeline):
    found = findings(pipeline.store, SettingsFile(path=str(pipeline.settings_file)))
    assert found and not any(one.passed for one in found)
    assert {one.said for one in found} == {"There is no catalogue yet."}


@pytest.mark.slow
def test_the_checks_count_by_catalogue_and_are_evaluated_without_a_run_when_they_change(pipeline_after):
    pipeline = pipeline_after(done)
    sensor = state_of_work_sensor(PIPELINE, dg.DefaultSensorStatus.RUNNING)
    cursor = None

    def look():
        nonlocal cursor
        with dg.build_sensor_context(pipeline.instance, cursor, resources=pipeline.resources()) as context:
            result = sensor.evaluate_tick(context)
        cursor = result.cursor or cursor
        cursor = cursor and cursor.split(', "again"')[0] + "}"
        for event in result.asset_events:
            pipeline.instance.report_runless_asset_event(event)
        return {one.check_name: one for one in result.asset_events if isinstance(one, dg.AssetCheckEvaluation)}

    first = look()
    assert first["masks_up_to_date"].passed and first["published"].passed
    assert not first["prepared_images_up_to_date"].passed
    assert first["prepared_images_up_to_date"].description == "spring: 1 failed"
    assert look() == {}, "nothing has changed"
    pipeline.say(BASE + "[composites]\nspill_strength = 0.5\n")
    assert look()["composites_up_to_date"].description == "spring: 2 stale"
    (pipeline.folder / "b.psd").write_bytes(b"8BPS")
    pipeline.scan()
    left_out = look()["nothing_left_out"]
    assert not left_out.passed and "b.psd" in str(left_out.metadata["what"])


def test_what_is_expected_is_by_the_catalogue_s_own_pace():
    found = [
        Standing("spring-00000", COMPOSITES.name, 100, seconds_each=2.0),
        Standing("spring-00001", COMPOSITES.name, 50, waiting=50),
    ]
    (update,) = updates(found, ["waiting"], [COMPOSITES.name])
    assert update.seconds == 100
    assert (
        summary([update], dry_run=True) == "1 shard would run, with up to 50 pictures to make, in about 2 min of work."
    )
