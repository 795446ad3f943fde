"""Where alerts go: the log, and a webhook such as Slack's or Teams'."""

import json
import logging
import urllib.request

from pydantic import Field

from resources.resource import Resource

_PATIENCE_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Alerts(Resource):
    """Tells people. To tell them another way, give Dagster a subclass with its own ``send``."""

    webhook: str = Field("", description="URL that takes a POST of JSON {title, text}; empty: the log alone.")

    ui: str = Field("", description="Address of Dagster's UI, for links to runs; empty: they are named only.")

    def run_named(self, run_id: str) -> str:
        """Where a run is found, as an alert says it."""
        return f"{self.ui.rstrip('/')}/runs/{run_id}" if self.ui else f"run {run_id[:8]}"

    def send(self, title: str, text: str) -> None:
        """Tell people. Raises OSError when the webhook does not take it, so that the tick fails and is seen."""
        _log.warning("%s\n%s", title, text)
        if not self.webhook:
            return
        body = json.dumps({"title": title, "text": f"{title}\n{text}"}).encode()
        request = urllib.request.Request(self.webhook, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):
            pass
