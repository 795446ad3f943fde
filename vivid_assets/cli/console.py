"""What the commands print: text is shown as it is, whoever wrote it.

Names, prompts, errors and settings come from strangers. Nothing in a text is markup, so a style is given beside it and
never within it, and no character of it can steer the terminal.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

OWN_LOGGERS = ("resources", "vivid_assets")

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; of them, a line's end and a tabulator are let through
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # those that turn the direction of writing
    "\u2028\u2029\ud800-\udfff]"  # line ends that editors hide, and halves of characters, which cannot be printed
)


def shown(text: str) -> str:
    """``text`` with a sign in place of each character that would steer the terminal; as long as before."""
    return _STEERING.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class Terminal(Console):
    """A console that takes no text for markup, and lets no text through that would steer the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **options)

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


console = Terminal()
errors = Terminal(stderr=True)


def say(*parts: str | tuple[str, str]) -> None:
    """Print a line of texts; a pair is a text and its style."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def complain(*parts: str | tuple[str, str]) -> None:
    """Print a line of texts on standard error; a pair is a text and its style."""
    errors.print(Text.assemble(*parts), soft_wrap=True)


def say_logged(record: logging.LogRecord, message: str) -> None:
    """Print a log record's message, indented to its last line."""
    style = "yellow" if record.levelno >= logging.WARNING else "dim"
    say((f"  {message}".replace("\n", "\n  "), style))
    record.said = True


def was_said(record: logging.LogRecord) -> bool:
    """Whether the record, or the one that Dagster made of it, has been printed."""
    return getattr(record, "said", False)


class LogLines(logging.Handler):
    """Prints the messages of the project's own loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        if not was_said(record):
            say_logged(record, record.getMessage())


class OthersWarnings(logging.Handler):
    """Prints what libraries warn of, on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if not was_said(record):
            complain((record.getMessage(), "yellow"))


@contextmanager
def listening(level: int) -> Iterator[None]:
    """Within it the project's own loggers are printed from ``level`` on, and warnings of the others.

    After it all loggers are as they were before.
    """
    root, others = logging.getLogger(), OthersWarnings(logging.WARNING)
    if not root.handlers:
        # Else the first library that calls ``logging.info`` gives it one, and every line is printed twice.
        root.addHandler(others)
    loggers = [logging.getLogger(name) for name in OWN_LOGGERS]
    before = [logger.level for logger in loggers]
    lines = LogLines()
    for logger in loggers:
        # First: Dagster's handler, added during a run, rewrites the record's message.
        logger.handlers.insert(0, lines)
        logger.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(others)
        for logger, level_before in zip(loggers, before, strict=True):
            logger.removeHandler(lines)
            # Dagster, for one, sets the level of the loggers that an instance records, and leaves it.
            logger.setLevel(level_before)
