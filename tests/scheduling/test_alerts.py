"""Alerts that are lost are sent again, and nobody is told the same twice; reruns of many shards."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from resources.alerts import Alerts
from resources.store.store import Store
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.scheduling import alerts
from vivid_assets.scheduling.alerts import failures_sensor
from vivid_assets.scheduling.updates import updates_sensor
from vivid_assets.stages.out_of_date import ShardUpdate, ask_for


class Webhook(Alerts):
    """Keeps what it takes; ``down`` as long as it takes nothing."""

    def send(self, title, text):
        if down:
            raise OSError("the webhook is away")
        told.append((title, text))


told: list[tuple[str, str]] = []
down: list[bool] = []


@pytest.fixture
def house(tmp_path):
    told.clear()
    down.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        yield House(instance, Store(root=str(tmp_path)))


class House:
    def __init__(self, instance, store):
        self.instance, self.store, self.cursor = instance, store, None
        self.tick()

    def tick(self):
        resources = PIPELINE.resources(store=self.store, alerts=Webhook(ui="https://dagster.example.com/"))
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=resources) as context:
            result = failures_sensor(PIPELINE, dg.DefaultSensorStatus.RUNNING).evaluate_tick(context)
        self.cursor = result.cursor or self.cursor

    def run(self, failure=None, shard="spring-00000", check=None):
        run = self.instance.create_run_for_job(
            defs.resolve_job_def("vivid_catalogue"),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": shard} | PIPELINE.tags,
        )
        if check:
            event = dg.DagsterEvent("ASSET_CHECK_EVALUATION", run.job_name, event_specific_data=check)
            self.instance.report_dagster_event(event, run_id=run.run_id)
        if failure:
            self.instance.report_run_failed(run, failure)
        else:
            event = dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name=run.job_name)
            self.instance.report_dagster_event(event, run_id=run.run_id)


def test_an_alert_that_the_webhook_did_not_take_is_sent_again_and_once(house):
    down.append(True)
    house.run("the disk is full")
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            house.tick()
    down.clear()
    for _ in range(3):
        house.tick()
    ((title, text),) = told
    assert title == "Run failed: vivid_catalogue spring-00000"
    said, link = text.splitlines()
    assert said == "the disk is full"
    assert link == f"https://dagster.example.com/runs/{house.instance.get_runs()[0].run_id}"


def test_people_are_told_of_what_changes(house):
    for failure in ("the disk is full", "the disk is full", "no such bucket", None, None, "the disk is full"):
        house.run(failure)
        house.tick()
    assert [(title.partition(":")[0], text.splitlines()[0]) for title, text in told] == [
        ("Run failed", "the disk is full"),
        ("Run failed", "no such bucket"),
        ("Run succeeds again", "Run succeeds again: vivid_catalogue spring-00000"),
        ("Run failed", "the disk is full"),
    ]


def test_a_cause_is_one_alert_and_each_catalogue_is_told_for_itself(house):
    house.run("no room", shard="spring-00001")
    house.run("no room", shard="spring-00002")
    house.run("no room", shard="autumn-00001")
    house.run("no bucket", shard="spring-00003")
    house.tick()
    assert [title for title, _ in told] == [
        "Run failed: vivid_catalogue autumn-00001",
        "Run failed: vivid_catalogue 2 shards of spring",
        "Run failed: vivid_catalogue spring-00003",
    ]
    assert told[1][1].startswith("spring-00001, spring-00002: no room\n")


def test_a_cause_of_many_shards_is_told_once_and_its_end_once(house, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "catalogue.toml").write_text("shard_size = 1")
    for name in "abc":
        (pictures / f"{name}.png").write_bytes(name.encode())
    scan(house.store, register(house.store, "spring", str(pictures)))
    shards = [f"spring-{number:05d}" for number in range(3)]

    def titles(failure, *those):
        told.clear()
        for shard in those:
            house.run(failure, shard=shard)
            house.tick()
        return [title for title, _ in told]

    assert titles("the disk is full", *shards) == ["Run failed: vivid_catalogue spring-00000"]
    assert titles("no such bucket", shards[2]) == ["Run failed: vivid_catalogue spring-00002"]
    assert titles(None, shards[0]) == []
    assert titles(None, shards[1]) == ["Run succeeds again: vivid_catalogue spring-00001"]
    # A shard that is no more never succeeds again, and keeps nothing quiet.
    titles("no room", "spring-00009")
    assert titles("no room", shards[0]) == ["Run failed: vivid_catalogue spring-00000"]


def warned(said, name="tiers", stage="masks"):
    """A check that does not pass; one that does where nothing is ``said``."""
    return dg.AssetCheckEvaluation(
        asset_key=PIPELINE.key(stage),
        check_name=name,
        passed=not said,
        metadata={},
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
    )


def alerts_of(house):
    told.clear()
    house.tick()
    return [*told]


@pytest.fixture
def spring(house, tmp_path):
    """The shards of a catalogue."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "catalogue.toml").write_text("shard_size = 1")
    for number in range(12):
        (pictures / f"{number}.png").write_bytes(b"%d" % number)
    scan(house.store, register(house.store, "spring", str(pictures)))
    return [f"spring-{number:05d}" for number in range(12)]


def test_what_a_check_says_of_many_shards_is_one_alert_when_the_runs_have_ended(house, spring):
    last = house.instance.create_run_for_job(
        defs.resolve_job_def("vivid_catalogue"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": spring[11]} | PIPELINE.tags,
    )
    for number, shard in enumerate(spring[:11]):
        house.run(
            shard=shard, check=warned(f"Masks by u2net {number}, gradients {number + 2}; U²-Net's file is damaged")
        )
        assert alerts_of(house) == []
    house.run("the disk is full", shard="autumn-00000")
    assert [title for title, _ in alerts_of(house)] == ["Run failed: vivid_catalogue autumn-00000"], "that waits not"
    house.instance.report_run_canceled(last)
    ((title, text),) = alerts_of(house)
    assert title == "Check not passed: masks tiers of 11 shards of spring"
    lines = text.splitlines()
    assert lines[0] == "spring-00000: WARN Masks by u2net 0, gradients 2; U²-Net's file is damaged"
    assert (len(lines), lines[10]) == (12, "and 1 more")
    assert alerts_of(house) == []


def test_a_cause_of_a_check_that_goes_on_is_not_told_again_and_its_end_once(house, spring):
    def told_after(shard, said, name="tiers"):
        house.run(shard=shard, check=warned(said, name))
        return [title for title, _ in alerts_of(house)]

    assert told_after(spring[0], "Masks by gradients 5; damaged") == ["Check not passed: masks tiers of spring-00000"]
    assert told_after(spring[1], "Masks by gradients 9; damaged") == [], "the same, with other numbers"
    assert told_after(spring[2], "1 of 2 pictures succeeded; failed: IMG_1.jpg", "complete") == [
        "Check not passed: masks complete of spring-00002"
    ]
    assert told_after(spring[3], "1 of 2 pictures succeeded; failed: IMG_2.jpg", "complete") == [
        "Check not passed: masks complete of spring-00003"
    ], "another picture is another cause"
    assert told_after(spring[0], "") == []
    assert told_after(spring[1], "") == ["Check passes again: masks tiers of spring-00001"]


def test_a_check_waits_for_no_more_than_an_hour(house, spring, monkeypatch):
    house.instance.create_run_for_job(
        defs.resolve_job_def("vivid_catalogue"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": spring[11]} | PIPELINE.tags,
    )
    house.run(shard=spring[0], check=warned("damaged"))
    assert alerts_of(house) == []
    monkeypatch.setattr(alerts, "_WAITS", timedelta(0))
    assert [title for title, _ in alerts_of(house)] == ["Check not passed: masks tiers of spring-00000"]


def test_a_check_that_stops_its_run_is_told_with_it(house):
    stops = dg.AssetCheckEvaluation(
        asset_key=PIPELINE.key("masks"),
        check_name="complete",
        passed=False,
        metadata={},
        severity=dg.AssetCheckSeverity.ERROR,
        description="300 of 512 pictures failed",
        blocking=True,
    )
    house.run("stopped", check=stops)
    house.tick()
    ((title, text),) = told
    assert title == "Run failed: vivid_catalogue spring-00000"
    assert "masks: 300 of 512 pictures failed" in text
    house.run()
    house.tick()
    assert [title.partition(":")[0] for title, _ in told[1:]] == ["Run succeeds again"]


def test_a_thousand_shards_are_rerun_some_at_a_time_and_each_once(house):
    shards = [f"spring-{number:05d}" for number in range(1000)]
    house.instance.add_dynamic_partitions("vivid_shards", shards)
    ask_for(house.store, "one", [ShardUpdate(shard, ("composites", "review"), 1, None) for shard in shards])
    job = defs.resolve_job_def("vivid_catalogue")
    sensor = updates_sensor(PIPELINE, job, dg.DefaultSensorStatus.RUNNING)
    cursor, requested, ticks = None, [], 0
    while house.store.names("updates"):
        resources = PIPELINE.resources(store=house.store)
        with (
            dg.build_sensor_context(house.instance, cursor, definitions=defs, resources=resources) as context,
            partition_loading_context(dynamic_partitions_store=house.instance),
        ):
            result = sensor.evaluate_tick(context)
        requested += [request.partition_key for request in result.run_requests or ()]
        cursor = result.cursor or cursor
        ticks += 1
    assert requested == shards
    assert ticks == 11
