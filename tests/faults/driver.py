"""A process that runs catalogues in children of its own, so that a test can kill one every second.

Started once (imports take seconds), it reads a request a line from standard input, forks, says the child's number,
and, once the child has ended, how. The child runs the stages over the store on disk, or, where the request asks for
it, what a run worker runs: the shipped definitions in Dagster.
"""

import importlib
import json
import logging
import os
import random
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

QUIETER = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def run(request: dict) -> None:
    """Scan the catalogue and bring its shards up to date, as the request says."""
    # For the definitions, which are wired when they are imported, and so only in a child.
    os.environ["VIVID_STORE"] = request["store"]
    os.environ["VIVID_SETTINGS"] = request["settings"]
    if request.get("die_at"):
        die_at_operation(request["die_at"], request["store"])
    tables._FLUSH_SECONDS = request.get("flush_seconds", tables._FLUSH_SECONDS)
    if request.get("clock_jumps"):
        let_the_clock_jump()
    if "faults" in request:
        disturb(request["faults"], Path(request["log"]).with_name("faults.json"))
    if "home" in request:
        automate(Path(request["home"]), request["night"])
        return
    store = Store(root=request["store"])
    if request.get("scan", True):
        scan(store, find(store, request["catalogue"]))
    shards = shards_of(store, request["catalogue"])
    if request.get("dagster"):
        run_in_dagster(shards)
    else:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        for shard in shards:
            run_shard(store, shard, Path(request["settings"]))


def run_in_dagster(shards: list[str]) -> None:
    from vivid_assets.definitions import defs

    job = defs.resolve_job_def("vivid_catalogue")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("vivid_shards", shards)
        for shard in shards:
            job.execute_in_process(instance=instance, partition_key=shard, run_config=QUIETER)


def automate(home: Path, night: int) -> None:
    """Night after night the shipped schedule ticks, and the runs that it requests are executed, until it rests."""
    from vivid_assets.definitions import defs

    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").touch()
    nightly, job = defs.resolve_schedule_def("vivid_nightly"), defs.resolve_job_def("vivid_catalogue")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for count in range(12):
            when = datetime(2026, 1, 1, 2, tzinfo=UTC) + timedelta(days=night + count)
            with dg.build_schedule_context(
                instance,
                scheduled_execution_time=when,
                resources=defs.resources,
                repository_def=defs.get_repository_def(),
            ) as context:
                tick = nightly.evaluate_tick(context)
            if not tick.run_requests:
                print(f"night {night + count}: {tick.skip_message}", flush=True)
                return
            for request in tick.run_requests:
                selection = request.asset_selection
                print(f"night {night + count}: {request.partition_key} {request.tags}", flush=True)
                job.execute_in_process(
                    instance=instance,
                    partition_key=request.partition_key,
                    tags=request.tags | {PROCESS: this_process()},
                    asset_selection=[*selection] if selection else None,
                    run_config={} if selection else QUIETER,
                    raise_on_error=False,
                )
    raise AssertionError("runs are still requested after twelve nights")


def let_the_clock_jump() -> None:
    """Time of day that is up to six hours off, another way twice a second."""
    true = time.time

    def jumping() -> float:
        now = true()
        return now + random.Random(int(now * 2)).uniform(-6, 6) * 3600

    time.time = jumping


def disturb(plan: dict, report: Path) -> None:
    """Faults by the plan from here on; how many there were is in ``report`` when the process ends."""
    FaultyFileSystem.plan = plan
    FaultyFileSystem.dice = random.Random(plan["seed"])
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    ended = os._exit

    def tell(status: int) -> None:
        report.write_text(json.dumps(FaultyFileSystem.counts))
        ended(status)

    os._exit = tell


def die_at_operation(number: int, root: str) -> None:
    """Kill this process before its ``number``-th operation that changes something below ``root``."""
    left = [number]
    lock = threading.Lock()

    def count(event: str, arguments: tuple) -> None:
        if event not in CHANGES or not any(str(path).startswith(root) for path in arguments[:2]):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        with lock:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


CHANGES = {"open", "os.rename", "os.link", "os.remove", "os.mkdir"}


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)
                os.dup2(log, 2)
                run(request)
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    import cv2
    import dagster as dg
    import fsspec
    from faulty import FaultyFileSystem

    # What a run imports and loads as it goes, once: that takes longer than the work on five small pictures.
    for name in (
        "huggingface_hub.file_download",
        "pandas",
        "pyarrow.dataset",
        "rich.console",
        "scipy.ndimage",
        "sqlalchemy",
        "vivid_assets.assets.export",
        "vivid_assets.scheduling.ticks",
        "vivid_assets.export.part",
    ):
        importlib.import_module(name)
    from resources.store.processes import this_process
    from resources.store.store import Store
    from tests.support.shards import run_shard
    from vivid_assets.catalogue.ledger import shards_of
    from vivid_assets.catalogue.scan import scan
    from vivid_assets.catalogue.source import find
    from vivid_assets.kernels import compile_kernels
    from vivid_assets.prompts import tokens
    from vivid_assets.rows import tables
    from vivid_assets.scheduling.lost_runs import PROCESS
    from vivid_assets.stages.stage import all_stages

    # No threads of OpenCV's: a forked child would wait for them.
    cv2.setNumThreads(0)
    compile_kernels()
    all_stages()
    tokens.read("red paper")
    with dg.DagsterInstance.ephemeral():
        serve()
