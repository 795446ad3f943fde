"""All switches on over simulated nights: what the daemon would do, tick by tick, on an instance of the test's own."""

import colorsys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from PIL import Image

from resources.alerts import Alerts
from tests.support.plain import plain
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.source import register
from vivid_assets.pipeline import Pipeline as Names
from vivid_assets.review.look import FINE
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import build_definitions

pytestmark = pytest.mark.slow

NAMES = Names()
SENSORS = ("arrivals", "updates", "lost_runs", "state_of_work", "failures")
told: list[tuple[str, str]] = []


class Told(Alerts):
    def send(self, title, text):
        told.append((title, text))


@pytest.fixture
def instance(tmp_path):
    """With its records in files: in memory it has nothing that a sensor's request for new shards goes to."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


class Daemon:
    """Evaluates the switches, and executes what they request, here and now."""

    def __init__(self, pipeline, instance):
        told.clear()
        self.instance, self.runs = instance, []
        settings = SettingsFile(path=str(pipeline.settings_file))
        alerts = Told()
        self._defs = build_definitions(pipeline.store, settings=settings, alerts=alerts)
        self._resources = pipeline.resources() | NAMES.resources(alerts=alerts)
        self._cursors: dict[str, str | None] = {}
        self._seen: set[str] = set()
        # Switched on, it reports what ends from now on.
        self.sensors(("failures",))

    def night(self, date: datetime) -> list[str]:
        """The shards that ran in a night: a tick of the schedule, one of each sensor, and the schedule's next."""
        before = len(self.runs)
        self._nightly(date)
        self.sensors()
        self._nightly(date + timedelta(minutes=10))
        return self.runs[before:]

    def sensors(self, names=SENSORS) -> None:
        for name in names:
            sensor = self._defs.get_sensor_def(NAMES.named(name))
            with dg.build_sensor_context(
                self.instance,
                self._cursors.get(name),
                instance_ref=self.instance.get_ref(),
                definitions=self._defs,
                resources=self._resources,
            ) as context:
                found = sensor.evaluate_tick(context)
            self._cursors[name] = found.cursor or self._cursors.get(name)
            for request in found.dynamic_partitions_requests or ():
                self.instance.add_dynamic_partitions(NAMES.shards_name, request.partition_keys)
            for event in found.asset_events:
                self.instance.report_runless_asset_event(event)
            self._execute(found.run_requests or ())

    def _nightly(self, now: datetime) -> None:
        with (
            dg.build_schedule_context(
                self.instance,
                scheduled_execution_time=now,
                resources=self._resources,
                repository_def=self._defs.get_repository_def(),
            ) as context,
            partition_loading_context(dynamic_partitions_store=self.instance),
        ):
            found = self._defs.get_schedule_def(NAMES.named("nightly")).evaluate_tick(context)
        self._execute(found.run_requests or ())

    def _execute(self, requests) -> None:
        for request in requests:
            # The daemon launches no key twice.
            if request.run_key and request.run_key in self._seen:
                continue
            self._seen.add(request.run_key)
            job = self._defs.resolve_job_def(NAMES.named("catalogue"))
            done = job.execute_in_process(
                partition_key=request.partition_key,
                tags=request.tags,
                instance=self.instance,
                asset_selection=[*request.asset_selection] if request.asset_selection else None,
                raise_on_error=False,
            )
            assert done.success
            self.runs.append(request.partition_key)


def test_each_cause_is_told_once_and_the_night_after_nothing_is(pipeline, instance):
    for name in ("a.png", "b.png"):
        pipeline.put(name)
    manifest = pipeline.folder / "manifest.csv"
    manifest.write_text("image,prompt\na.png,teal paper\nb.png,teal paper\n")
    register(pipeline.store, "spring", str(pipeline.folder))
    daemon, date = Daemon(pipeline, instance), datetime(2026, 3, 1, 1, tzinfo=UTC)
    assert (daemon.night(date), told) == (["spring-00000"], [])

    # By day: one picture arrives, one that never fully arrived, one is removed, and a line leads elsewhere.
    pipeline.put("arrived.png", (20, 90, 160))
    (pipeline.folder / "half.png").write_bytes((pipeline.folder / "a.png").read_bytes()[:200])
    (pipeline.folder / "b.png").unlink()  # its line stays
    lines = ["image,prompt", "a.png,teal paper", "b.png,", "arrived.png,", "half.png,", "../../elsewhere.png,"]
    manifest.write_text("\n".join(lines))
    assert daemon.night(date + timedelta(days=1)) == ["spring-00000"]
    assert pipeline.published() == {"a.png", "arrived.png"}
    causes = {
        "Catalogue spring needs attention": ["elsewhere.png"],
        "Check not passed: prepared_images complete of spring-00000": ["b.png", "half.png"],
    }
    assert [title for title, _ in told] == [*causes], "each once"
    for title, text in told:
        assert [name for name in ("a.png", "b.png", "elsewhere.png", "half.png") if name in text] == causes[title]

    told.clear()
    assert (daemon.night(date + timedelta(days=2)), told) == ([], [])


@pytest.mark.soak
def test_thirty_good_pictures_without_birefnet_are_no_alert_and_no_review(pipeline, instance, u2netp):
    """The default settings, with the network that tests have in place of the larger one of its kind."""
    pipeline.say('[masks]\ntiers = ["birefnet", "u2netp", "gradients"]\n')
    for number in range(30):
        wall, subject = colorsys.hsv_to_rgb(number / 30, 0.15, 0.8), colorsys.hsv_to_rgb(0.5 + number / 30, 0.8, 0.5)
        shown = plain(*(tuple(round(255 * part) for part in color) for color in (wall, subject)), size=320)
        Image.fromarray(shown.picture).save(pipeline.folder / f"{number:02}.png")
    register(pipeline.store, "spring", str(pipeline.folder))
    daemon = Daemon(pipeline, instance)
    assert daemon.night(datetime(2026, 3, 1, 1, tzinfo=UTC)) == ["spring-00000"]
    rows = pipeline.rows(REVIEW)
    assert len(rows) == 30
    assert {name: row["why"] for name, row in rows.items() if row["rank"] != FINE} == {}
    assert told == []
