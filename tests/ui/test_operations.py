"""What a team lives with and sees, on a live Dagster: its UI alone from the first folder on, tuning, failures.

On SQLite and on PostgreSQL. What is launched by a person is launched on Dagster's pages, in a browser.
"""

import shutil
import time

import pytest

from tests.support.operator import SETTINGS, done_by, put
from tests.support.person import CHECKS, Person, counted
from tests.support.waiting import HANG_S

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=8)]

STAGES = ["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks", "composites", "review"]
STALE = """query($stage: [String!]!, $shard: String!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    staleStatus(partition: $shard) staleCauses(partition: $shard) {key {path}}}}}"""
PARTITIONS = """query($stage: [String!]!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    partitionStats {numMaterialized}}}}"""
AGAIN = """mutation($parent: String!) {launchRunReexecution(
    reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""

BLENDED = SETTINGS + '[composites]\nmode = "lab-deprojection"\n'


def materialized(operator, stage, of=("vivid",)):
    node = operator.dagster.query(PARTITIONS, stage=[*of, stage])["assetNodeOrError"]
    return node["partitionStats"]["numMaterialized"]


def stale(operator, shard):
    """The stages that the UI shows as out of date, and why."""
    found = {}
    for stage in STAGES:
        node = operator.dagster.query(STALE, stage=["vivid", stage], shard=shard)["assetNodeOrError"]
        if node["staleStatus"] != "FRESH":
            found[stage] = [cause["key"]["path"][-1] for cause in node["staleCauses"]]
    return found


@pytest.fixture
def person(operator, page):
    return Person(operator, page)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spring")
    (folder / "catalogue.toml").write_text("shard_size = 3")
    for name in ("a.png", "b.png", "c.png"):
        put(folder / name)
    return folder


@pytest.fixture(scope="module")
def spring(operator, pictures, browser):
    """A catalogue that somebody added by the UI, which had its shard run."""
    page = browser.new_page(bypass_csp=True, viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(HANG_S * 1000)
    config = f"ops: {{vivid_add_folder: {{config: {{name: spring, folder: {pictures}}}}}}}"
    Person(operator, page).launch("vivid_add_catalogue", config)
    page.close()
    operator.dagster.wait(lambda: operator.runs_of("spring-00000", statuses=["SUCCESS"]))
    yield operator
    operator.forget("spring")
    operator.settings.write_text(SETTINGS)


def test_from_nothing_to_composites_by_the_ui_alone(spring, person):
    (run,) = spring.runs_of("spring-00000")
    assert (run["status"], run["jobName"]) == ("SUCCESS", "vivid_catalogue")
    assert done_by(run) >= {*STAGES}
    assert all(materialized(spring, stage) == 1 for stage in STAGES)
    assert materialized(spring, "masks", of=("shop", "pictures")) == 0, "the other pipeline's are its own"
    assert all(spring.store.exists(f"composites/spring/{name}.png") for name in "abc")
    page = person.page
    page.goto(f"{spring.dagster.url}/assets/vivid/review?view=partitions&partition=spring-00000")
    page.get_by_text("spring-00000").first.wait_for()
    page.get_by_text("Show Markdown").first.click()
    sheet = page.locator("img[src^='data:image/webp']").first
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 200
    person.sees("composites_up_to_date", "All is up to date.")


def test_the_night_then_rests(spring):
    spring.turn_on("vivid_nightly")
    assert spring.night()["skipReason"] == "Nothing to do."


def test_the_asset_graph_opens(spring, page):
    location = spring.repository["repositoryLocationName"]
    page.goto(f"{spring.dagster.url}/locations/{location}/asset-groups/vivid/lineage")
    for stage in STAGES:
        page.get_by_text(stage, exact=True).first.wait_for()


def test_a_partition_is_materialised_as_the_ui_does_it(spring):
    run = spring.launch("__ASSET_JOB", ["composites"], **{"dagster/partition": "spring-00000"})
    assert spring.ended(run)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("stage", "settings", "reruns"),
    [
        pytest.param("composites", BLENDED, {"composites", "review"}, id="blending"),
        pytest.param(
            "masks",
            BLENDED.replace("[masks]", "[masks]\nstretch_low = 0.2"),
            {"masks", "composites", "review"},
            id="mask threshold",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_what_a_changed_setting_puts_out_of_date_is_seen_and_just_that_is_launched(
    spring, person, stage, settings, reruns
):
    shard, before = "spring-00000", {run["runId"] for run in spring.runs()}
    spring.settings.write_text(settings)
    spring.dagster.wait(lambda: stale(spring, shard).get(stage))
    assert stale(spring, shard)[stage] == [f"{stage}_settings"]
    scenes = {path: path.stat().st_mtime_ns for path in spring.store.path("scenes").rglob("*.png")}
    assert scenes
    # The graph stays green; the checks of the catalogues say it, without a run.
    person.sees(f"{stage}_up_to_date", "spring: 3 stale")
    assert counted(spring, "backgrounds_up_to_date") == "All is up to date."

    person.launch("vivid_update")

    def launched():
        return [run for run in spring.runs_of(shard, statuses=["SUCCESS"]) if run["runId"] not in before]

    (run,) = spring.dagster.wait(launched)
    assert done_by(run) == reruns | {"export"}
    person.sees(f"{stage}_up_to_date", "All is up to date.")
    # In Dagster's own eyes, too.
    assert stage not in stale(spring, shard)
    assert {path: path.stat().st_mtime_ns for path in spring.store.path("scenes").rglob("*.png")} == scenes


def test_the_sensor_finds_a_picture_that_arrives_and_runs_it_alone(spring, pictures):
    before = len(spring.runs())
    spring.turn_on("vivid_arrivals")
    put(pictures / "new arrival.png")
    spring.dagster.wait(lambda: spring.runs_of("spring-00001", statuses=["SUCCESS"]))
    assert len(spring.runs()) == before + 1
    assert spring.store.exists("composites/spring/new arrival.png")


def test_a_corrupt_picture_is_a_warning_by_name_and_one_job_tries_it_again(spring, pictures, person, tmp_path):
    # Both at once, so that one run sees both.
    arriving = tmp_path / "arriving"
    arriving.mkdir()
    (arriving / "corrupt.png").write_bytes(b"no picture")
    shutil.copy(pictures / "a.png", arriving / "sound.png")
    arriving.rename(pictures / "arrived")
    spring.dagster.wait(lambda: len(spring.runs_of("spring-00001", statuses=["SUCCESS"])) == 2)
    assert {run["jobName"] for run in spring.runs_of("spring-00001")} == {"vivid_catalogue"}
    executions = spring.dagster.query(CHECKS, stage=["vivid", "prepared_images"], check="complete")[
        "assetCheckExecutions"
    ]
    warnings = [one["evaluation"] for one in executions if one["evaluation"] and not one["evaluation"]["success"]]
    assert [warning["severity"] for warning in warnings] == ["WARN"]
    assert "corrupt.png" in warnings[0]["description"]
    spring.dagster.wait(lambda: any("corrupt.png" in told["text"] for told in spring.webhook.told))

    person.sees("prepared_images_up_to_date", "spring: 1 failed")
    person.launch("vivid_update", "ops: {vivid_find_updates: {config: {what: FAILED}}}")
    spring.dagster.wait(lambda: len(spring.runs_of("spring-00001", statuses=["SUCCESS"])) == 3)
    newest = spring.runs_of("spring-00001")[0]
    assert {"key": "dagster/sensor_name", "value": "vivid_updates"} in newest["tags"]


def test_a_machine_s_fault_fails_the_step_is_told_and_goes_on_from_there(spring):
    operator = spring
    operator.settings.write_text(SETTINGS + "[composites]\nspill_strength = 0.5\n")
    folder = operator.store.path("artefacts/spring/composites")
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"in the way")
    failed = operator.ended(operator.launch("vivid_catalogue", **{"dagster/partition": "spring-00000"}))
    assert failed["status"] == "FAILURE"
    assert "backgrounds" in done_by(failed)
    assert "composites" not in done_by(failed)
    operator.dagster.wait(lambda: any("Run failed" in told["title"] for told in operator.webhook.told))
    folder.unlink()
    folder.with_name("away").rename(folder)
    started = time.time()
    answer = operator.dagster.query(AGAIN, parent=failed["runId"])["launchRunReexecution"]
    again = operator.ended(operator.launched(answer))
    assert again["status"] == "SUCCESS", f"after {time.time() - started:.0f} s"
    assert {"composites", "review"} <= done_by(again) <= {"composites", "review", "export"}
