"""What each catalogue's last scan came to: a fault, or what it left out and why; and what people were told of it.

``catalogues/<name>/outcome.json`` is written when it changes. It is for people: nothing is decided by it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from resources.store.store import Store

_KEPT = 200


def note_outcome(store: Store, catalogue: str, *, fault: str = "", notes: Sequence[str] = ()) -> None:
    """Note what a scan came to."""
    before = read_outcome(store, catalogue)
    now = {"fault": fault, "notes": [*notes[:_KEPT]], "count": len(notes)}
    if any(before.get(name) != value for name, value in now.items()):
        _write(store, catalogue, before | now)


def read_outcome(store: Store, catalogue: str) -> dict[str, Any]:
    """What the last scan came to: ``fault``, ``notes``, ``count``; empty where none is known."""
    try:
        found = json.loads(store.read(_path(catalogue)))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def tell_outcome(store: Store, catalogue: str, tell: Callable[[str, str], None]) -> None:
    """Tell what the last scan came to, title and text, if it is another than people were told last.

    Where ``tell`` raises, they have not been told, and are at the next call.
    """
    outcome = read_outcome(store, catalogue)
    fault, notes, count = outcome.get("fault", ""), outcome.get("notes", []), outcome.get("count", 0)
    told = outcome.get("told", {"fault": "", "notes": []})
    text = "\n".join([*notes, *([f"and {count - len(notes)} more"] if count > len(notes) else [])])
    # While a scan fails it says nothing of what it would leave out: that is what it was.
    news = {"fault": fault, "notes": told["notes"] if fault else notes}
    if news == told:
        return
    if fault:
        tell(f"Catalogue {catalogue} could not be scanned", fault)
    elif told["fault"]:
        tell(f"Catalogue {catalogue} can be scanned again", text or "No file is left out any more.")
    elif notes:
        tell(f"Catalogue {catalogue} needs attention", text)
    # Read again: telling takes a while, and a scan by hand may have noted something else in it.
    _write(store, catalogue, read_outcome(store, catalogue) | {"told": news})


def _write(store: Store, catalogue: str, outcome: dict[str, Any]) -> None:
    store.write(_path(catalogue), json.dumps(outcome, indent=1).encode())


def _path(catalogue: str) -> str:
    return f"catalogues/{catalogue}/outcome.json"
