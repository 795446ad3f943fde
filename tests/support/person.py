"""What a person does on the pages of a live Dagster, in a browser."""

from typing import Any

from tests.support.operator import Operator

CHECKS = """query($stage: [String!]!, $check: String!) {
    assetCheckExecutions(assetKey: {path: $stage}, checkName: $check, limit: 20) {
        evaluation {success severity description}}}"""


def counted(operator: Operator, check: str) -> str | None:
    """What a check of the asset catalogues said last."""
    found = operator.dagster.query(CHECKS, stage=["vivid", "catalogues"], check=check)["assetCheckExecutions"]
    return found[0]["evaluation"]["description"] if found else None


class Person:
    """At Dagster's pages, without a shell."""

    def __init__(self, operator: Operator, page: Any) -> None:
        self.operator, self.page = operator, page

    def launch(self, job: str, config: str = "") -> None:
        """Launch a job with this config, or with what the launchpad proposes, and wait until it has succeeded."""
        location = self.operator.repository["repositoryLocationName"]
        self.page.goto(f"{self.operator.dagster.url}/locations/{location}/jobs/{job}/playground")
        self.page.locator(".CodeMirror").click()
        if config:
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.insert_text(config)
        self.page.get_by_role("button", name="Launch Run").click()
        self.page.wait_for_url("**/runs/*")
        run = self.operator.ended(self.page.url.rpartition("/")[2])
        assert (run["jobName"], run["status"]) == (job, "SUCCESS")
        self.page.goto("about:blank")  # an open page goes on asking

    def switch_on(self, name: str) -> None:
        """Turn a sensor or a schedule on."""
        self.page.goto(f"{self.operator.dagster.url}/automation")
        switch = self.page.locator(f"a[href$='/{name}'] + div label")
        switch.click()
        self.operator.dagster.wait(lambda: self.operator.is_on(name))
        self.page.goto("about:blank")

    def sees(self, check: str, sentence: str) -> None:
        """Wait until a check of the asset catalogues says so, and find it on its page."""
        self.operator.dagster.wait(lambda: counted(self.operator, check) == sentence)
        self.page.goto(f"{self.operator.dagster.url}/assets/vivid/catalogues?view=checks")
        self.page.get_by_text(check, exact=True).first.click()
        self.page.get_by_text(sentence, exact=True).first.wait_for()
        self.page.goto("about:blank")
