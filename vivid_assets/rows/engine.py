"""The incremental engine: which rows of a shard are still good, and the work for those that are not."""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from resources.errors import MachineFault
from resources.runtime.device import GpuMemory, GpuUse
from resources.runtime.environment import environment
from resources.runtime.rate import Progress, duration
from resources.spelling import counted
from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.rows.columns import as_columns
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.keys import degraded_key, digest, row_key
from vivid_assets.rows.stage import COMMON, FAILED, OK, SKIPPED, RowInput, Stage, name_of
from vivid_assets.rows.tables import Journal, as_table, read_numbered, read_rows, read_shelf, shelve, write_rows
from vivid_assets.rows.work import Done, Work, perform

_PROGRESS_SECONDS = 10.0
_NONE: dict[str, Any] = {"key": None}


@dataclass(frozen=True)
class Outcome:
    """What became of a shard in a stage."""

    table: pa.Table
    computed: int
    """Rows worked on in this run, whether they came out well or not."""
    seconds: float
    computing: float = 0.0
    """Of them, the seconds in ``Work.compute``, where the models work; the rest went by waiting for files."""
    gpu: GpuMemory | None = None
    """The GPU that the work took memory of, if any."""
    uses: frozenset[str] = frozenset()
    """Of the settings, and of the models' revision, the names of those that can change one of the rows."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    def with_status(self, status: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["status"] == status]

    @property
    def taken_over(self) -> int:
        """Rows that were good already."""
        return len(self.table) - self.computed - len(self.with_status(SKIPPED))

    @property
    def data_version(self) -> str:
        """The digest of the rows' keys: the same again exactly when nothing changed."""
        return digest([[name_of(row), row["status"], row["key"]] for row in self.rows])


@dataclass(frozen=True)
class ShardRun:
    """One stage's run over one shard: what is asked of it, and where."""

    stage: Stage
    shard: str
    pictures: Sequence[Mapping[str, Any]]
    """The shard's live rows of the ledger; of a stage with a row per rendition, one for each, with ``rendition``."""
    store: Store
    log: logging.Logger
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that the rows depend on."""
    revision: Mapping[str, str] = field(default_factory=dict)
    """That of the models that are wanted, whether or not this machine has them."""
    retry_failed: bool = False
    """Whether rows that failed for good are tried again."""
    lacking: str | None = None
    """What this machine is known to lack of what is wanted, in a sentence."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Settings that can only make a picture fail, and change no result."""
    settings_of: Callable[[RowInput], Mapping[str, Any]] | None = None
    """Of the settings those that can change this row's result; all where it is None."""
    revision_of: Callable[[RowInput], Mapping[str, str]] | None = None
    """That of the models that this row wants; all of ``revision`` where it is None."""

    def failed_key(self, key: str) -> str:
        """The key of a row that should have ``key`` and failed: under other limits it may not."""
        return digest([key, self.limits]) if self.limits else key


@dataclass(frozen=True)
class _Plan:
    """What there is to do for it."""

    due: list[RowInput]
    good: dict[str, dict[str, Any]]
    """The rows that need no work, by their names."""
    before: dict[str, dict[str, Any]]
    """The table's rows."""
    number: int
    """The table's; 0 where there is none yet."""
    journals: list[str]
    """The paths of what earlier, unfinished runs have noted."""
    uses: frozenset[str]
    """As ``Outcome.uses``."""


def materialize_rows(run: ShardRun, work: Callable[[], Work[Any, Any]]) -> Outcome:
    """Bring the shard's table of the stage up to date.

    A row whose key is unchanged and whose files are there is taken over, be it the picture's own, another picture's of
    the same content, or one that stood there before; so is one that failed for good, unless it is to be tried again,
    or under other limits. One that is degraded is made again, except where what this machine lacks is just what it
    says. ``work`` is called only if there is something to do, so a model may be loaded in it. Killed at any moment,
    the next call goes on from there. While another run works on the same table, this one waits, and then takes over
    what that one has done.
    """
    started = time.perf_counter()
    stage, shard, store = run.stage, run.shard, run.store
    progress, gpu = Progress(0), GpuUse()
    claims = Claims(store, f"claims/{stage.name}")
    with claims.held(shard) as claim:
        store.sweep()
        plan = _plan(run)
        rows = plan.good
        journal = Journal(store, stage, shard)
        if plan.due:
            all_of_them = counted(len(run.pictures), "picture")
            run.log.info("%s %s: %d of %s to do", stage.name, shard, len(plan.due), all_of_them)
            progress = Progress(len(plan.due))
            rows = rows | _work_off(run, plan.due, work, journal, progress, gpu)
        else:
            run.log.info("%s %s: %s, all up to date", stage.name, shard, counted(len(run.pictures), "picture"))
        ordered = _in_order(run, rows)
        table = as_table(stage, ordered)
        if plan.due or not _stands(plan, ordered):
            shelve(store, stage, shard, _superseded(plan.before.values(), ordered))
            claims.assert_held(claim)
            made_with = {"settings": run.settings, "revision": run.revision}
            write_rows(store, stage, shard, ordered, after=plan.number, made_with=made_with)
        journal.clear(plan.journals)
    seconds = time.perf_counter() - started
    return Outcome(table, len(plan.due), seconds, progress.computing, gpu.now(), plan.uses)


def is_up_to_date(run: ShardRun) -> bool:
    """Whether a run would find nothing to do: every row is good, its files are there, and the table has just these."""
    plan = _plan(run)
    return not plan.due and not plan.journals and _stands(plan, _in_order(run, plan.good))


def _in_order(run: ShardRun, rows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[name_of(picture)] for picture in run.pictures]


def _stands(plan: _Plan, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the table there is has these rows."""
    return plan.number > 0 and rows == [*plan.before.values()]


def _plan(run: ShardRun) -> _Plan:
    """The rows to work on, and those that need no work."""
    stage, shard, store = run.stage, run.shard, run.store
    table, number = read_numbered(store, stage, shard)
    noted, journals = Journal(store, stage, shard).earlier()
    known = table | {name_of(row): row for row in noted}
    upstream = {reads.stage.name: read_rows(store, reads.stage, shard) for reads in stage.reads}

    good: dict[str, dict[str, Any]] = {}
    asked: list[RowInput] = []
    uses: set[str] = set()
    for picture in run.pictures:
        names = {reads.stage.name: reads.stage.name_for(picture) for reads in stage.reads}
        sources = {source: upstream[source][name] for source, name in names.items() if name in upstream[source]}
        if obstacle := _obstacle(stage, sources):
            sentence, passes = obstacle
            good[name_of(picture)] = _row(stage, picture, SKIPPED, sentence, key="", transient=passes)
        else:
            asked.append(_asked(run, picture, sources, uses))
    # In the order of trust: the picture's own row, one of another picture that asks for the same, one from the shelf;
    # then its own that is as near to what is asked for as this machine can come.
    own = {row.name: known.get(row.name, _NONE) for row in asked}
    by_key = {row["key"]: row for row in known.values()}
    found: dict[str, dict[str, Any] | None] = {}
    for row in asked:
        keys = (row.key, run.failed_key(row.key))
        mine = own[row.name]
        found[row.name] = mine if mine["key"] in keys else by_key.get(keys[0]) or by_key.get(keys[1])
    if not all(found.values()):
        shelf = read_shelf(store, stage, shard)
        for row in asked:
            found[row.name] = found[row.name] or shelf.get(row.key) or shelf.get(run.failed_key(row.key))
    for row in asked:
        if not found[row.name] and own[row.name]["key"] == degraded_key(row.key, run.lacking):
            found[row.name] = own[row.name]
    candidates = [one for one in found.values() if one]
    present = store.sizes(row[name] for row in candidates for name in stage.files if row[name])

    due: list[RowInput] = []
    for row in asked:
        one = found[row.name]
        if one is not None and _still_good(stage, one, present, run.retry_failed):
            good[row.name] = one | {"picture": row.picture, "rendition": row.rendition}
        else:
            due.append(row)
    return _Plan(due, good, table, number, journals, frozenset(uses))


def _asked(
    run: ShardRun, picture: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]], uses: set[str]
) -> RowInput:
    """What a row is made of; the names of the settings and revisions that are in its key are added to ``uses``."""
    stage = run.stage
    asked = stage.asked_of(picture)
    read = {reads.stage.name: reads.take(sources.get(reads.stage.name)) for reads in stage.reads}
    upstream_keys = {source: row["key"] for source, row in sources.items()}
    values: dict[type, Any] = {reads.kind: reads.kind(**read[reads.stage.name]) for reads in stage.reads}
    if stage.asks:
        values[stage.asks] = stage.asks(**asked)
    row = RowInput(picture["picture"], "", values, picture.get("rendition", ""))
    settings = run.settings_of(row) if run.settings_of else run.settings
    revision = run.revision_of(row) if run.revision_of else run.revision
    uses |= {*settings, *revision}
    return replace(row, key=row_key(stage, asked, read, upstream_keys, settings, revision))


def _obstacle(stage: Stage, sources: Mapping[str, Mapping[str, Any]]) -> tuple[str, bool] | None:
    """Why a row cannot be worked on yet, in a sentence, and whether it only waits for its turn; None when it can."""
    for name in (reads.stage.name for reads in stage.reads if reads.required):
        source = sources.get(name)
        if source is None:
            return f"{name} has no row for this picture yet: materialise {name} first.", True
        if source["status"] == SKIPPED:
            return source["error"], source["transient"]
        if source["status"] == FAILED:
            return f"{name} failed: {source['error']}", False
    return None


def _still_good(stage: Stage, row: Mapping[str, Any], present: Mapping[str, int], retry_failed: bool) -> bool:
    if row["status"] == FAILED:
        return not (row["transient"] or retry_failed)
    there = [present.get(row[name]) for name in stage.files if row[name]]
    return bool(there == row["sizes"])


def _superseded(before: Iterable[dict[str, Any]], now: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whole rows of the table before that are not in the one now."""
    keys = {row["key"] for row in now}
    return [row for row in before if row["key"] not in keys and row["status"] != SKIPPED and not row["transient"]]


def _measured(run: ShardRun, work: Work[Any, Any], progress: Progress) -> Work[Any, Any]:
    """``work`` whose parts are timed, and whose rows carry the sizes of their files, looked at where saved."""
    stage, store = run.stage, run.store

    def compute(batch: Sequence[Any]) -> Sequence[Any]:
        with progress.batch(len(batch)):
            return work.compute(batch)

    def save(row: RowInput, computed: Any) -> dict[str, Any]:
        started = time.perf_counter()
        columns = _columns(stage, work.save(row, computed))
        sizes = {columns[name]: store.size(columns[name]) for name in stage.files if columns.get(name)}
        lost = [path for path, size in sizes.items() if size is None]
        if lost:
            raise MachineFault(f"The store said that it took {lost[0]}, but does not have it.")
        progress.saved((time.perf_counter() - started) / work.threads)
        return columns | {"sizes": [*sizes.values()]}

    return replace(work, compute=compute, save=save)


def _work_off(
    run: ShardRun,
    due: Sequence[RowInput],
    work: Callable[[], Work[Any, Any]],
    journal: Journal,
    progress: Progress,
    gpu: GpuUse,
) -> dict[str, dict[str, Any]]:
    """The finished rows of ``due``, each noted in the journal as it is done."""
    stage, log = run.stage, run.log
    rows: dict[str, dict[str, Any]] = {}
    try:
        with closing(_paced(run, due, work, journal, progress, gpu)) as paced:
            for done in paced:
                name = done.row.name
                if isinstance(done.result, PictureFailure):
                    key, failure = run.failed_key(done.row.key), done.result
                    row = _row(stage, _of(done.row), FAILED, str(failure), key, done.seconds, failure.transient)
                    log.warning("%s %s failed: %s", stage.name, name, failure)
                    progress.add(failed=1)
                else:
                    row = _ok_row(stage, done.row, done.result, done.seconds)
                    progress.add(done=1)
                rows[name] = row
                journal.append(row)
    except BaseException:
        journal.flush()
        raise
    return rows


def _paced(
    run: ShardRun,
    due: Sequence[RowInput],
    work: Callable[[], Work[Any, Any]],
    journal: Journal,
    progress: Progress,
    gpu: GpuUse,
) -> Generator[Done]:
    """What is done of ``due``, with a line in the log every ten seconds; what a line counts is saved.

    Where nothing is finished for so long, since a model is loaded or a batch takes its time, a thread says so.
    """
    prefix, saved = f"{run.stage.name} {run.shard}", 0
    started = told = time.monotonic()
    ended = threading.Event()

    def wait() -> None:
        last, step = started, _PROGRESS_SECONDS / 10
        while not ended.wait(step):
            if (now := time.monotonic()) - max(told, last) > _PROGRESS_SECONDS - step:
                last, left = now, progress.seconds_left
                rest = f", {duration(left)} left" if left else ""
                done = counted(saved, "picture")
                run.log.info("%s: at work for %s, %s finished%s", prefix, duration(now - started), done, rest)

    watcher = threading.Thread(target=wait, name="progress", daemon=True)
    watcher.start()
    try:
        for count, one in enumerate(perform(due, _measured(run, work(), progress))):
            # The rows before are in the journal by now.
            if count and time.monotonic() - told > _PROGRESS_SECONDS:
                told, saved = time.monotonic(), count
                journal.flush()
                memory = gpu.now()
                run.log.info("%s: %s", prefix, progress.line(memory.figures() if memory else None))
            yield one
    finally:
        ended.set()
        watcher.join()


def _columns(stage: Stage, made: Any) -> dict[str, Any]:
    """The columns of the row that a stage has made. Raises MachineFault where it is none of the stage's."""
    if type(made) is not stage.row:
        raise MachineFault(
            f"{stage.name} gave a {type(made).__name__}, and not the {stage.row.__name__} that it declares."
        )
    try:
        return as_columns(made)
    except ValueError as error:
        raise MachineFault(f"{stage.name}: {error}.") from error


def _ok_row(stage: Stage, row: RowInput, result: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    lacks = result.get(stage.degraded) if stage.degraded else None
    key = degraded_key(row.key, lacks)
    made = _row(stage, _of(row), OK, None, key, seconds, transient=bool(lacks))
    return made | {"environment": environment()} | dict(result)


def _of(row: RowInput) -> dict[str, str]:
    return {"picture": row.picture, "rendition": row.rendition}


def _row(
    stage: Stage,
    picture: Mapping[str, Any],
    status: str,
    error: str | None,
    key: str,
    seconds: float = 0.0,
    transient: bool = False,
) -> dict[str, Any]:
    name, rendition = picture["picture"], picture.get("rendition", "")
    common: list[Any] = [name, rendition, status, error, transient, key, seconds, [], None]
    return dict(zip(COMMON.names, common, strict=True)) | dict.fromkeys(stage.columns.names)
