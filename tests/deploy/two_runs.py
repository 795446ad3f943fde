"""Two runs over the same shards at once, in processes of their own; prints how many rows each computed, as JSON.

Their store and settings are what the environment says. They are forked, since the imports take longer than the work.
"""

import json
import os
from pathlib import Path

from resources.store.store import Store
from tests.support.shards import run_shard
from vivid_assets.catalogue.ledger import shards_of


def run(report: int) -> None:
    """Every shard once; the rows computed go to the pipe ``report``."""
    store = Store(root=os.environ["VIVID_STORE"])
    settings = Path(os.environ["VIVID_SETTINGS"])
    computed = sum(sum(run_shard(store, shard, settings).values()) for shard in shards_of(store, "spring"))
    os.write(report, f"{computed}\n".encode())


def main() -> None:
    said, report = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            run(report)
            os._exit(0)
        children.append(child)
    os.close(report)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    with os.fdopen(said) as lines:
        print(json.dumps({"statuses": statuses, "computed": [int(line) for line in lines]}))


if __name__ == "__main__":
    main()
