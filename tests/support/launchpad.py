"""Dagster's launchpad, in a browser."""

import json
from typing import Any
from urllib.parse import quote

from tests.support.operator import Operator


class Launchpad:
    """Jobs as a person launches them: in Dagster's launchpad, by its button."""

    def __init__(self, operator: Operator, page: Any, shard: str) -> None:
        self.operator, self.page, self.shard = operator, page, shard
        self.runs = 0

    def launch(self, job: str, op: str, **config: Any) -> dict[str, Any]:
        """Launch a job, and wait for the run of the shard that it asks for, which is returned."""
        location = self.operator.repository["repositoryLocationName"]
        written = quote(json.dumps({"ops": {op: {"config": config}}}, indent=2))
        url = f"{self.operator.dagster.url}/locations/{location}/jobs/{job}/playground/setup?config={written}"
        self.page.goto(url)
        self.page.get_by_role("button", name="Launch run").click()
        self.runs += 1
        made = self.operator.dagster.wait(self._done)
        assert made[0]["status"] == "SUCCESS"
        return made[0]

    def _done(self) -> list[dict[str, Any]] | None:
        """The shard's runs, the newest first, once the last that was asked for has ended."""
        runs = self.operator.runs_of(self.shard, statuses=["SUCCESS", "FAILURE", "CANCELED"])
        return runs if len(runs) == self.runs else None
