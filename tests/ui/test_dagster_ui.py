"""What an operator sees and does in Dagster's UI."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.live]

STAGES = ["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks", "composites"]

LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""
STATUS = "query($id: ID!) {runOrError(runId: $id) {...on Run {status}}}"


def test_the_asset_graph_opens(dagster, page):
    page.goto(f"{dagster.url}/asset-groups")
    for stage in STAGES:
        page.get_by_text(stage, exact=True).first.wait_for()


def test_partitions_and_contact_sheet_are_shown(dagster, page):
    page.goto(f"{dagster.url}/assets/composites?view=partitions&partition=spring-00000")
    page.get_by_text("spring-00000").first.wait_for()
    page.get_by_text("Show Markdown").first.click()
    sheet = page.locator("img[src^='data:image/jpeg']").first
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 200


def test_a_partition_is_materialised_through_the_ui_s_own_api(dagster):
    run = dagster.query(
        LAUNCH,
        params={
            "selector": {
                "repositoryLocationName": dagster.location(),
                "repositoryName": "__repository__",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": ["composites"]}],
            },
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "spring-00000"}]},
        },
    )["launchRun"]
    assert run["__typename"] == "LaunchRunSuccess", run

    def finished():
        status = dagster.query(STATUS, id=run["run"]["runId"])["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    assert dagster.wait(finished) == "SUCCESS"
