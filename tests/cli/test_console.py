"""Text of strangers in the terminal: shown as it is, never obeyed."""

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from vivid_assets.cli import console as terminal
from vivid_assets.cli.console import Terminal, listening, say, shown

HOSTILE = [
    "x[/b].png",
    "shoe [front].jpg",
    "[/INST] grey wall",
    "[link=javascript:1]a[/link]",
    ":smile: [red]",
    "a\\[b]",
]
STEERING = ["\x1b[2J\x1b[31m", "\r ok", "\x9b2J", "\x1b]0;title\x07", "\u202egnp.exe", "\x08\x08", "\x7f", "\udcff"]
ALLOWED = re.compile(r"\x1b\[[0-9;]*m")
"""What rich itself sends for colours; bold is one of them."""


@pytest.fixture
def printed(monkeypatch):
    """What a coloured terminal of 200 columns gets."""

    def of(action):
        screen = Terminal()
        screen.file = io.StringIO()
        screen._force_terminal, screen._color_system = True, None
        screen.width = 200
        monkeypatch.setattr(terminal, "console", screen)
        action(screen)
        return screen.file.getvalue()

    return of


def _ways(text):
    table = Table("a", title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text, "red"))
    return {
        "say": lambda _: say(text),
        "say styled": lambda _: say(("note", "yellow"), " ", (text, "bold")),
        "print": lambda screen: screen.print(text),
        "print a Text": lambda screen: screen.print(Text(text)),
        "table": lambda screen: screen.print(table),
    }


@pytest.mark.parametrize("way", _ways(""))
@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_text(printed, text, way):
    assert text in printed(_ways(text)[way])


@pytest.mark.parametrize("way", _ways(""))
@pytest.mark.parametrize("text", STEERING)
def test_nothing_steers_the_terminal(printed, text, way):
    out = ALLOWED.sub("", printed(_ways(f"before {text} after")[way]))
    assert "before" in out and "after" in out
    assert all(sign == "\n" or sign.isprintable() for sign in out), ascii(out)
    out.encode()


@given(st.text())
def test_shown_is_as_long_and_has_nothing_that_steers(text):
    seen = shown(text)
    assert len(seen) == len(text)
    assert not set(seen) & {chr(code) for code in range(32)} - {"\n", "\t"}
    assert seen == shown(seen)


def test_log_lines_are_text_and_stay_indented(printed):
    logger = logging.getLogger("resources.some_model")
    with listening(logging.INFO):
        out = printed(lambda _: logger.info("loading %s", "x[/b]\n✓ all is well\x1b[2J"))
    assert out == "  loading x[/b]\n  ✓ all is well␛[2J\n"


def test_a_logger_is_printed_once_and_no_longer_than_is_listened(printed):
    """Whoever calls a command within a process, such as a test, hears nothing of what comes after it."""
    logger = logging.getLogger("resources")
    before = logger.level
    with listening(logging.WARNING):
        with listening(logging.INFO):
            assert printed(lambda _: logger.info("once")) == "  once\n"
            logger.setLevel(logging.DEBUG)
        assert printed(lambda _: logger.info("too little")) == ""
        assert printed(lambda _: logger.warning("once")) == "  once\n"
    assert logger.level == before
    assert printed(lambda _: logger.warning("not heard any more")) == ""


def test_there_is_one_console():
    """Any other would take strangers' text for markup, or hand its control characters on."""
    folder = Path(terminal.__file__).parent
    for source in folder.glob("*.py"):
        text = source.read_text(encoding="utf-8")
        if source.name != "console.py":
            assert "rich.console" not in text, source.name
            assert not re.search(r"\bprint\(", re.sub(r"(console|errors)\.print\(", "", text)), source.name
        assert not re.search(r"\[/?(bold|red|green|yellow|dim)\]", text), f"{source.name} has markup, which is printed"


def test_a_library_that_logs_to_the_root_doubles_no_line():
    code = """
import logging
from vivid_assets.cli.console import listening
with listening(logging.INFO):
    logging.info("open_clip says this to the root logger")
    logging.getLogger("resources.runtime.lease").info("Loaded a model")
    logging.getLogger("resources.runtime.lease").warning("A warning of ours")
    logging.getLogger("library").warning("A warning \\x1b[2J of theirs")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["  Loaded a model", "  A warning of ours"]
    assert done.stderr.splitlines() == ["A warning ␛[2J of theirs"]
