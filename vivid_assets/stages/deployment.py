"""What is wanted of models, apart from what this machine has of them.

What a row's key holds must not depend on the machine that asks: one whose driver is broken, or where a volume is not
mounted, would take the others' good rows for stale. So what any machine of a deployment has had once is wanted from
then on: ``deployment/models.json`` in the store has its revision. A machine that lacks it takes over what was made with
it, and marks what it has to make without as degraded.
"""

import json

from resources.store.store import Store

_PATH = "deployment/models.json"


def wanted_revision(store: Store, what: str, here: str | None) -> str | None:
    """The revision of ``what`` that rows are made with.

    Args:
        store: where it is kept.
        what: a model's part in the pipeline, in words.
        here: the revision that this machine has; None where it has none.

    Returns:
        ``here``, which is wanted from now on; else the one that was wanted last; None where no machine ever had one.

    """
    known: dict[str, str] = store.read_json(_PATH) or {}
    if here is None:
        return known.get(what)
    if known.get(what) != here:
        store.write(_PATH, json.dumps(known | {what: here}, indent=1, sort_keys=True).encode())
    return here
