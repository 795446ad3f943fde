"""Two run workers over the same shards at once, in processes of their own; prints what each computed, as JSON.

Their store and settings are what the environment says, as in a deployment. They are forked, since the imports take
longer than the work.
"""

import json
import os
import sys
from pathlib import Path

import dagster as dg

from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.definitions import STORE, defs


def run(report: int) -> None:
    """Every shard once; the rows computed go to the pipe ``report``."""
    computed = 0
    job = defs.resolve_job_def("vivid_catalogue")
    with dg.DagsterInstance.ephemeral() as instance:
        shards = shards_of(STORE, "spring")
        instance.add_dynamic_partitions("vivid_shards", shards)
        for shard in shards:
            result = job.execute_in_process(instance=instance, partition_key=shard)
            for event in result.get_asset_materialization_events():
                if "computed" in event.materialization.metadata:
                    computed += event.materialization.metadata["computed"].value
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
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
