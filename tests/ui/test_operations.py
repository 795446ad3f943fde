"""What a team lives with and sees, on a live Dagster: nights, its UI, tuning, failures; on SQLite and on PostgreSQL."""

import shutil
import time

import pytest

from tests.support.operator import SETTINGS, done_by, put

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=8)]

STAGES = ["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks", "composites", "review"]
STALE = """query($stage: [String!]!, $shard: String!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    staleStatus(partition: $shard) staleCauses(partition: $shard) {key {path}}}}}"""
CHECKS = """query($stage: [String!]!, $check: String!) {
    assetCheckExecutions(assetKey: {path: $stage}, checkName: $check, limit: 20) {
        evaluation {success severity description}}}"""
PARTITIONS = """query($stage: [String!]!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    partitionStats {numMaterialized}}}}"""
AGAIN = """mutation($parent: String!) {launchRunReexecution(
    reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""


def materialized(operator, stage):
    node = operator.dagster.query(PARTITIONS, stage=["vivid", stage])["assetNodeOrError"]
    return node["partitionStats"]["numMaterialized"]


def stale(operator, shard):
    """The stages that the UI shows as out of date, and why."""
    found = {}
    for stage in STAGES:
        node = operator.dagster.query(STALE, stage=["vivid", stage], shard=shard)["assetNodeOrError"]
        if node["staleStatus"] != "FRESH":
            found[stage] = [cause["key"]["path"][-1] for cause in node["staleCauses"]]
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spring")
    (folder / "catalogue.toml").write_text("shard_size = 2")
    for name in ("a.png", "b.png", "c.png"):
        put(folder / name)
    return folder


@pytest.fixture(scope="module")
def after_a_night(operator, pictures):
    """The schedule is on and has brought the catalogue through."""
    operator.register("spring", pictures)
    operator.turn_on("vivid_nightly")
    operator.dagster.wait(lambda: len(operator.runs(statuses=["SUCCESS"])) >= 2)
    yield operator
    operator.forget("spring")
    operator.settings.write_text(SETTINGS)


def test_the_night_finds_the_catalogue_runs_its_shards_and_then_rests(after_a_night):
    operator = after_a_night
    runs = operator.runs()
    assert len(runs) == 2
    for shard in ("spring-00000", "spring-00001"):
        (run,) = operator.runs_of(shard)
        assert (run["status"], run["jobName"]) == ("SUCCESS", "vivid_catalogue")
        assert done_by(run) >= {*STAGES}
    assert all(materialized(operator, stage) == 2 for stage in STAGES)
    assert operator.store.exists("composites/spring/c.png")
    assert operator.night()["skipReason"] == "Nothing to do."


def test_the_asset_graph_opens(after_a_night, page):
    location = after_a_night.repository["repositoryLocationName"]
    page.goto(f"{after_a_night.dagster.url}/locations/{location}/asset-groups/vivid/lineage")
    for stage in STAGES:
        page.get_by_text(stage, exact=True).first.wait_for()


def test_partitions_and_contact_sheet_are_shown(after_a_night, page):
    page.goto(f"{after_a_night.dagster.url}/assets/vivid/review?view=partitions&partition=spring-00000")
    page.get_by_text("spring-00000").first.wait_for()
    page.get_by_text("Show Markdown").first.click()
    sheet = page.locator("img[src^='data:image/webp']").first
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 200


def test_a_partition_is_materialised_as_the_ui_does_it(after_a_night):
    run = after_a_night.launch("__ASSET_JOB", ["composites"], **{"dagster/partition": "spring-00000"})
    assert after_a_night.ended(run)["status"] == "SUCCESS"


def test_the_sensor_finds_a_picture_that_arrives_and_runs_it_alone(after_a_night, pictures):
    operator = after_a_night
    before = len(operator.runs())
    operator.turn_on("vivid_arrivals")
    put(pictures / "new arrival.png")
    operator.dagster.wait(lambda: len(operator.runs_of("spring-00001", statuses=["SUCCESS"])) == 2)
    assert len(operator.runs()) == before + 1
    assert operator.store.exists("composites/spring/new arrival.png")


def test_a_tuned_blend_is_shown_as_out_of_date_and_reblends_alone(after_a_night, pictures):
    operator, shards = after_a_night, ["spring-00000", "spring-00001"]
    operator.settings.write_text(SETTINGS + '[composites]\nmode = "lab-deprojection"\n')
    operator.dagster.wait(lambda: stale(operator, shards[0]))
    assert stale(operator, shards[0]) == stale(operator, shards[1]) == {"composites": ["composites_settings"]}
    scenes = {path: path.stat().st_mtime_ns for path in operator.store.path("scenes").rglob("*.png")}
    assert scenes

    # The graph stays green; the checks of the catalogues say it, without a run.
    def counted(check):
        found = operator.dagster.query(CHECKS, stage=["vivid", "catalogues"], check=check)["assetCheckExecutions"]
        return found and found[0]["evaluation"]["description"]

    all_of_them = len([*pictures.glob("*.png")])
    operator.dagster.wait(lambda: counted("composites_up_to_date") == f"spring: {all_of_them} stale")
    assert counted("masks_up_to_date") == "All is up to date."

    assert operator.ended(operator.launch("vivid_update"))["status"] == "SUCCESS"
    tags = [{"key": "dagster/sensor_name", "value": "vivid_updates"}]
    operator.dagster.wait(lambda: len(operator.runs(tags=tags, statuses=["SUCCESS"])) == 2)
    assert [done_by(run) for run in operator.runs(tags=tags)] == [{"composites", "review", "export"}] * 2
    operator.dagster.wait(lambda: counted("composites_up_to_date") == "All is up to date.")
    # In Dagster's own eyes, too.
    assert "composites" not in stale(operator, shards[0])
    assert {path: path.stat().st_mtime_ns for path in operator.store.path("scenes").rglob("*.png")} == scenes


def test_a_corrupt_picture_is_a_warning_by_name_and_one_job_tries_it_again(after_a_night, pictures, tmp_path):
    operator = after_a_night
    # Both at once, so that one run sees both.
    arriving = tmp_path / "arriving"
    arriving.mkdir()
    (arriving / "corrupt.png").write_bytes(b"no picture")
    shutil.copy(pictures / "a.png", arriving / "sound.png")
    arriving.rename(pictures / "arrived")
    (run,) = operator.dagster.wait(lambda: operator.runs_of("spring-00002", statuses=["SUCCESS"]))
    assert run["jobName"] == "vivid_catalogue"
    executions = operator.dagster.query(CHECKS, stage=["vivid", "prepared_images"], check="complete")[
        "assetCheckExecutions"
    ]
    warnings = [one["evaluation"] for one in executions if one["evaluation"] and not one["evaluation"]["success"]]
    assert [warning["severity"] for warning in warnings] == ["WARN"]
    assert "corrupt.png" in warnings[0]["description"]
    operator.dagster.wait(lambda: any("corrupt.png" in told["text"] for told in operator.webhook.told))

    before = {run["runId"] for run in operator.runs()}
    config = {"ops": {"vivid_find_updates": {"config": {"what": "FAILED"}}}}
    assert operator.ended(operator.launch("vivid_update", config=config))["status"] == "SUCCESS"

    def tried_again():
        tags = [{"key": "dagster/sensor_name", "value": "vivid_updates"}]
        return [run for run in operator.runs(statuses=["SUCCESS"], tags=tags) if run["runId"] not in before]

    (again,) = operator.dagster.wait(tried_again)
    assert {"key": "dagster/partition", "value": "spring-00002"} in again["tags"]


def test_a_machine_s_fault_fails_the_step_is_told_and_goes_on_from_there(after_a_night):
    operator = after_a_night
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
