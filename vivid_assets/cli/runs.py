"""Running shards from the command line, recorded in the Dagster instance: in this process, or in one for each GPU."""

import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import dagster as dg
from dagster._core.utils import make_new_run_id

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime.cuda import cuda_driver
from resources.spelling import counted
from resources.store.processes import this_process
from resources.store.store import Store
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.cli.console import listening, say, say_logged, was_said
from vivid_assets.cli.home import settings_file
from vivid_assets.cli.stopping import Stopped, stop_if_interrupted
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import Settings, find_model, scene_generators

_PIPELINE = Pipeline()
"""The one of ``vivid_assets.definitions``."""

_FOLLOWS = "Dependencies for step"
"""How Dagster's message on a skipped step begins, which follows from a failed one."""


def register_shards(instance: dg.DagsterInstance, shards: Sequence[str]) -> None:
    """Make the shards known as partitions."""
    instance.add_dynamic_partitions(_PIPELINE.shards_name, list(shards))


def forget_shards(instance: dg.DagsterInstance, catalogue: str) -> None:
    """Remove the catalogue's shards from the list of partitions."""
    _PIPELINE.forget_shards(instance, catalogue)


def with_work(instance: dg.DagsterInstance, store: Store, catalogue: str, shards: Sequence[str]) -> list[str]:
    """Those of the catalogue's ``shards`` that a run would do anything for, or that Dagster does not know yet."""
    from vivid_assets.assets.export import EXPORTED
    from vivid_assets.catalogue.progress import state_of
    from vivid_assets.flow import STAGE_NAMES
    from vivid_assets.stages.out_of_date import is_up_to_date

    known = {*instance.get_dynamic_partitions(_PIPELINE.shards_name)}
    state = state_of(store, catalogue, STAGE_NAMES, [stage.name for stage in EXPORTED])
    stale, settings = {one.shard for one in state.stale}, settings_file(store)

    def is_idle(shard: str) -> bool:
        try:
            return shard in known and shard not in stale and is_up_to_date(store, shard, settings)
        except (OSError, ValueError, MachineFault):
            # The run meets it, too, and says it.
            return False

    return [shard for shard in shards if not is_idle(shard)]


def run_shards(
    instance: dg.DagsterInstance, store: Store, shards: Sequence[str], *, retry_failed: bool = False
) -> list[str]:
    """Run each shard through all stages; returns the shards whose run failed. Raises Stopped when interrupted."""
    from vivid_assets.scheduling.lost_runs import close_lost_runs

    # Runs of earlier commands that were killed.
    close_lost_runs(_PIPELINE, instance, store, datetime.now(UTC))
    settings = settings_file(store)
    # Before the runs, so that each is recorded with the settings that it ran with.
    for observation in observations(_PIPELINE, instance, store, settings):
        instance.report_runless_asset_event(observation)
    at_once = min(len(shards), gpus_to_share(settings.read()))
    if at_once > 1:
        failed, computed = _run_in_processes(store, shards, at_once, retry_failed=retry_failed)
    else:
        failed, computed = run_here(instance, store, shards, retry_failed=retry_failed)
    say(f"{counted(computed, 'row')} computed." if computed else "Nothing was computed: every row is up to date.")
    return failed


def gpus_to_share(settings: Settings) -> int:
    """How many processes are to run shards: one for each usable GPU, if a model would take any of them; else one."""
    driver = cuda_driver()
    if driver is None or driver.devices < 2 or not _takes_any_gpu(settings):
        return 1
    from resources.runtime.device import usable_gpus

    return max(1, len(usable_gpus()))


def _takes_any_gpu(settings: Settings) -> bool:
    """Whether a model that the settings name is here and computes on whichever GPU is free."""
    from resources.clip.open_clip import OpenClip
    from resources.masks.onnx_net import decide_provider
    from resources.masks.onnx_tier import OnnxTier
    from resources.scenes.generators import AUTO
    from vivid_assets.cli.wanted import configured_names
    from vivid_assets.settings import configured

    models: list[Any] = [configured(OpenClip(), settings.entries("open_clip"))]
    with suppress(ModelUnavailable):
        models += [find_model(listed, name, settings) for name, listed in configured_names(settings).items()]
    if settings.backgrounds.generator == AUTO:
        models.append(next(iter(scene_generators(settings).values())))
    return any(
        getattr(model, "device", "cpu") in ("auto", "cuda")
        and not model.missing()
        and (not isinstance(model, OnnxTier) or decide_provider(model.device).is_cuda)
        for model in models
    )


def _run_in_processes(store: Store, shards: Sequence[str], count: int, *, retry_failed: bool) -> tuple[list[str], int]:
    """Run the shards in ``count`` processes, each of which takes a GPU that is free; as ``run_here``."""
    say(f"{counted(count, 'process', 'processes')}, one for each GPU.")
    parts = [shards[number::count] for number in range(count)]
    processes: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / f"{number}.json" for number in range(count)]
        readers = []
        try:
            for number, (part, report) in enumerate(zip(parts, reports, strict=True), start=1):
                command = [sys.executable, "-m", "vivid_assets", "catalogue", "run-shards", str(report), *part]
                command += ["--store", store.root, *(["--retry-failed"] if retry_failed else [])]
                process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
                )
                processes.append(process)
                readers.append(threading.Thread(target=_say_lines, args=(number, process.stdout)))
                readers[-1].start()
            for process in processes:
                process.wait()
        finally:
            for process in processes:
                # An interrupt of this process alone; from a terminal they have it, too.
                if process.poll() is None:
                    process.terminate()
            for process in processes:
                process.wait()
            for reader in readers:
                reader.join()
        stop_if_interrupted()
        failed: set[str] = set()
        computed = 0
        for process, part, report in zip(processes, parts, reports, strict=True):
            if report.exists():
                found = json.loads(report.read_text())
                failed |= {*found["failed"]}
                computed += found["computed"]
            else:
                failed |= {*part}
                say((f"The process that ran {', '.join(part)} ended with status {process.returncode}.", "red"))
    return [shard for shard in shards if shard in failed], computed


def _say_lines(number: int, lines: IO[str]) -> None:
    for line in lines:
        say((f"{number} │ ", "dim"), line.rstrip("\n"))


def run_here(
    instance: dg.DagsterInstance, store: Store, shards: Sequence[str], *, retry_failed: bool
) -> tuple[list[str], int]:
    """Run each shard in this process; returns the shards whose run failed, and how many rows were computed."""
    # Imported here, since the assets' imports take seconds, which the other commands do not need.
    from vivid_assets.definitions import defs
    from vivid_assets.scheduling.jobs import CATALOGUE
    from vivid_assets.scheduling.jobs import retry_failed as retry_config
    from vivid_assets.scheduling.lost_runs import PROCESS, command_locks
    from vivid_assets.stages.faults import reasons

    settings = settings_file(store)
    told = dg.Definitions.merge(defs, dg.Definitions(loggers={"vivid": _console_logger()}))
    job = told.resolve_job_def(_PIPELINE.named(CATALOGUE))
    config = {**(retry_config(_PIPELINE) if retry_failed else {}), "loggers": {"vivid": {}}}
    failed = []
    computed = 0
    for number, shard in enumerate(shards, start=1):
        say((shard, "bold"), f" ({number} of {len(shards)})")
        run_id = make_new_run_id()
        # Messages of models and store too: which device is chosen, what is loaded, what is waited for.
        heard = listening(logging.INFO)
        with heard, command_locks(store).held(run_id), _canceled_when_stopped(instance, run_id):
            result = job.execute_in_process(
                instance=instance,
                partition_key=shard,
                raise_on_error=False,
                run_config=config,
                run_id=run_id,
                tags={PROCESS: this_process()},
                resources={**(defs.resources or {}), **_PIPELINE.resources(store=store, settings=settings)},
            )
        computed += sum(_computed(event) for event in result.get_asset_materialization_events())
        if not result.success:
            failed.append(shard)
            for step, reason in reasons(result.all_events):
                say((f"  {shard} {step}: {reason}", "red"))
    return failed, computed


@contextmanager
def _canceled_when_stopped(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Within it, the record of an interrupted run becomes CANCELED, where Dagster would record FAILURE."""
    try:
        yield
        stop_if_interrupted()
    except Stopped:
        if (run := instance.get_run_by_id(run_id)) and run.status != dg.DagsterRunStatus.CANCELED:
            instance.report_run_canceled(run, "The command was interrupted.")
        raise


def _computed(event: dg.DagsterEvent) -> int:
    """The number of rows that a stage computed, by its metadata."""
    value = event.step_materialization_data.materialization.metadata.get("computed")
    return value.value if isinstance(value, dg.IntMetadataValue) and value.value else 0


def _console_logger() -> dg.LoggerDefinition:
    """The stages' messages, without Dagster's own events and prefixes."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta = getattr(record, "dagster_meta", {})
            message = str(meta.get("orig_message", record.getMessage()))
            # Of the project's own loggers, which the instance may record too, the lines are printed already.
            if meta.get("dagster_event") is None and not was_said(record) and not message.startswith(_FOLLOWS):
                say_logged(record, message)

    @dg.logger(config_schema={}, description="The stages' messages, for a terminal.")
    def console_logger(_context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("vivid", level=logging.INFO)
        logger.addHandler(Handler())
        return logger

    return console_logger
