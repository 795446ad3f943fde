"""The outcome of each catalogue's last scan: an error, or what was left out and why; and what alerts reported of it.

``catalogues/<name>/outcome.json`` is written when it changes. It is for people: no decision depends on it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from resources.store.store import Store

NOT_THERE = "names a picture that is not in the folder"
"""What is noted of such a line. Its picture fails in its run, whose check is what tells: one alert for one cause."""
_KEPT = 200


def record_outcome(store: Store, catalogue: str, *, fault: str = "", notes: Sequence[str] = ()) -> None:
    """Record the outcome of a scan."""
    before = read_outcome(store, catalogue)
    now = {"fault": fault, "notes": [*notes[:_KEPT]], "count": len(notes)}
    if any(before.get(name) != value for name, value in now.items()):
        _write(store, catalogue, before | now)


def read_outcome(store: Store, catalogue: str) -> dict[str, Any]:
    """The outcome of the last scan: ``fault``, ``notes``, ``count``; empty if none is recorded."""
    return store.read_json(_path(catalogue)) or {}


def send_outcome(store: Store, catalogue: str, send: Callable[[str, str], None]) -> None:
    """Send the outcome of the last scan, title and text, if it differs from the last one sent.

    If ``send`` raises, the next call sends it again.
    """
    outcome = read_outcome(store, catalogue)
    fault, every = outcome.get("fault", ""), outcome.get("notes", [])
    notes = [note for note in every if NOT_THERE not in note]
    more = outcome.get("count", 0) - len(every)
    last = outcome.get("told", {"fault": "", "notes": []})
    text = "\n".join([*notes, *([f"and {more} more"] if more else [])])
    # A failing scan knows nothing of what it would leave out: that stays as it was.
    news = {"fault": fault, "notes": last["notes"] if fault else notes}
    if news == last:
        return
    if fault:
        send(f"Catalogue {catalogue} could not be scanned", fault)
    elif last["fault"]:
        send(f"Catalogue {catalogue} can be scanned again", text or "No file is left out any more.")
    elif notes:
        send(f"Catalogue {catalogue} needs attention", text)
    # Read again: sending takes a while, and another scan may have recorded its outcome in between.
    _write(store, catalogue, read_outcome(store, catalogue) | {"told": news})


def _write(store: Store, catalogue: str, outcome: dict[str, Any]) -> None:
    store.write(_path(catalogue), json.dumps(outcome, indent=1).encode())


def _path(catalogue: str) -> str:
    return f"catalogues/{catalogue}/outcome.json"
