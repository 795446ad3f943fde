"""Alerts against a real HTTP server, and against none."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from resources.alerts import Alerts


@pytest.fixture
def hook():
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "refuse" in self.path else 204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()


def test_an_alert_goes_to_the_log_and_to_the_webhook(hook, caplog):
    url, told = hook
    with caplog.at_level(logging.WARNING):
        Alerts(webhook=url).send("Run failed: spring-00001", "masks: no room left")
    assert "masks: no room left" in caplog.text
    assert told == [
        {"title": "Run failed: spring-00001", "text": "Run failed: spring-00001\nmasks: no room left"},
    ]


def test_without_a_webhook_the_log_has_it(caplog):
    with caplog.at_level(logging.WARNING):
        Alerts().send("title", "text")
    assert "title" in caplog.text


def test_a_webhook_that_refuses_or_is_away_is_no_silence(hook):
    url, _ = hook
    with pytest.raises(OSError, match="500"):
        Alerts(webhook=f"{url}/refuse").send("title", "text")
    with pytest.raises(OSError, match="refused"):
        Alerts(webhook="http://127.0.0.1:9").send("title", "text")
