"""The incremental engine: which rows of a shard are still good, and the work for those that are not."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from resources.claims import Claims
from resources.device import GpuMemory, GpuUse
from resources.errors import MachineFault
from resources.progress import Progress
from resources.store import Store
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.stage import COMMON, FAILED, OK, SKIPPED, Row, Stage, digest, row_key
from vivid_assets.rows.tables import Journal, as_table, read_rows, table_path, write_rows
from vivid_assets.rows.work import Work, perform

_PROGRESS_SECONDS = 10.0
_COMPUTE = "compute"


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

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.table.to_pylist()

    def with_status(self, status: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["status"] == status]

    @property
    def taken_over(self) -> int:
        """Rows that were good already."""
        return len(self.table) - self.computed - len(self.with_status(SKIPPED))

    @property
    def data_version(self) -> str:
        """The digest of the rows' keys: the same again exactly when nothing changed."""
        return digest([[row["picture"], row["status"], row["key"]] for row in self.rows])


def materialize_rows(
    stage: Stage,
    shard: str,
    pictures: Sequence[Mapping[str, Any]],
    work: Callable[[], Work[Any, Any]],
    *,
    store: Store,
    settings: Mapping[str, Any],
    revision: Mapping[str, str] | None = None,
    retry_failed: bool = False,
    log: logging.Logger,
) -> Outcome:
    """Bring the shard's table of ``stage`` up to date.

    ``pictures`` are the shard's live rows of the ledger. A row whose key is unchanged and whose files are there
    is taken over; so is one that failed for good, unless ``retry_failed``, but not one that is degraded. ``work`` is
    called only if there is something to do, so a model may be loaded in it. Killed at any moment, the next call goes on
    from there.
    While another run works on the same table, this one waits, and then takes over what that one has done.
    """
    started = time.perf_counter()
    gpu, progress = GpuUse(), Progress(0)
    revision = revision or {}
    made_with = {"settings": settings, "revision": revision}
    claims = Claims(store, f"claims/{stage.name}")
    with claims.held(shard) as claim:
        store.sweep()
        due, rows, unchanged = _plan(stage, shard, pictures, store, settings, revision, retry_failed)
        if due:
            log.info("%s %s: %d of %d pictures to do", stage.name, shard, len(due), len(pictures))
            journal = Journal(store, stage, shard)
            progress = Progress(len(due))
            rows |= _work_off(stage, shard, due, _measured(stage, work(), store, progress), journal, progress, gpu, log)
            if not claims.is_held(claim):
                raise MachineFault(f"Another run took over {stage.name} {shard} while this one stood still.")
            table = write_rows(store, stage, shard, _in_order(rows, pictures), made_with=made_with)
            journal.clear()
        else:
            log.info("%s %s: all %d pictures are up to date", stage.name, shard, len(pictures))
            table = as_table(stage, _in_order(rows, pictures))
            if not unchanged:
                write_rows(store, stage, shard, rows.values(), made_with=made_with)
    seconds = time.perf_counter() - started
    return Outcome(table, len(due), seconds, computing=progress.stages.get(_COMPUTE, 0.0), gpu=gpu.now())


def _plan(
    stage: Stage,
    shard: str,
    pictures: Sequence[Mapping[str, Any]],
    store: Store,
    settings: Mapping[str, Any],
    revision: Mapping[str, str],
    retry_failed: bool,
) -> tuple[list[Row], dict[str, dict[str, Any]], bool]:
    """The rows to work on, the rows that need no work, and whether the table has just these."""
    table = read_rows(store, stage, shard)
    journal, journal_paths = Journal(store, stage, shard).earlier()
    known = table | {row["picture"]: row for row in journal}
    upstream = {reads.stage.name: read_rows(store, reads.stage, shard) for reads in stage.reads}
    present = store.sizes(row[name] for row in known.values() for name in stage.files if row.get(name))

    due: list[Row] = []
    good: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        name = picture["picture"]
        sources = {source: rows[name] for source, rows in upstream.items() if name in rows}
        obstacle = _obstacle(stage, sources)
        if obstacle:
            good[name] = _row(stage, name, SKIPPED, obstacle, key="")
            continue
        asked = {column: picture[column] for column in stage.asks}
        read = {reads.stage.name: reads.take(sources.get(reads.stage.name)) for reads in stage.reads}
        upstream_keys = {source: row["key"] for source, row in sources.items()}
        key = row_key(stage, asked, read, upstream_keys, settings, revision)
        old = known.get(name)
        if old is not None and old["key"] == key and _still_good(stage, old, present, retry_failed):
            good[name] = old
        else:
            due.append(Row(picture=name, asked=asked, read=read, key=key))

    if due or journal_paths:
        # Before any file is replaced, rows that will not stand are out of the table: were this run killed
        # between writing a file and noting its row, an old row could otherwise vouch for a new file.
        write_rows(store, stage, shard, good.values(), made_with={"settings": settings, "revision": revision})
        store.remove(journal_paths)
    unchanged = store.exists(table_path(stage, shard)) and list(good.values()) == list(table.values())
    return due, good, unchanged


def _obstacle(stage: Stage, sources: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Why a row cannot be worked on yet, in a sentence; None when it can."""
    for name in (reads.stage.name for reads in stage.reads if reads.required):
        source = sources.get(name)
        if source is None:
            return f"{name} has no row for this picture yet: materialise {name} first."
        if source["status"] == SKIPPED:
            return source["error"]
        if source["status"] == FAILED:
            return f"{name} failed: {source['error']}"
    return None


def _still_good(stage: Stage, row: Mapping[str, Any], present: Mapping[str, int], retry_failed: bool) -> bool:
    if row["status"] == FAILED:
        return not (row["transient"] or retry_failed)
    there = [present.get(row[name]) for name in stage.files if row[name]]
    return there == row.get("sizes")


def _measured(stage: Stage, work: Work[Any, Any], store: Store, progress: Progress) -> Work[Any, Any]:
    """``work`` whose computing is timed, and whose rows carry the sizes of their files, looked at where saved."""

    def compute(batch: Sequence[Any]) -> Sequence[Any]:
        with progress.stage(_COMPUTE):
            return work.compute(batch)

    def save(row: Row, computed: Any) -> dict[str, Any]:
        columns = dict(work.save(row, computed))
        sizes = {columns[name]: store.size(columns[name]) for name in stage.files if columns.get(name)}
        lost = [path for path, size in sizes.items() if size is None]
        if lost:
            raise MachineFault(f"The store said that it took {lost[0]}, but does not have it.")
        return columns | {"sizes": [*sizes.values()]}

    return replace(work, compute=compute, save=save)


def _work_off(
    stage: Stage,
    shard: str,
    due: Sequence[Row],
    work: Work[Any, Any],
    journal: Journal,
    progress: Progress,
    gpu: GpuUse,
    log: logging.Logger,
) -> dict[str, dict[str, Any]]:
    """The finished rows of ``due``, each noted in the journal as it is done."""
    rows: dict[str, dict[str, Any]] = {}
    told = time.monotonic()
    try:
        for done in perform(due, work):
            name = done.row.picture
            if isinstance(done.result, PictureFailure):
                row = _row(stage, name, FAILED, str(done.result), done.row.key, done.seconds, done.result.transient)
                log.warning("%s %s failed: %s", stage.name, name, done.result)
                progress.add(failed=1)
            else:
                row = _ok_row(stage, done.row, done.result, done.seconds)
                progress.add(done=1)
            rows[name] = row
            journal.append(row)
            # A batch comes out all at once: after its first row there is no rate to speak of.
            if time.monotonic() - told > _PROGRESS_SECONDS and len(rows) >= work.batch_size:
                told = time.monotonic()
                memory = gpu.now()
                log.info("%s %s: %s", stage.name, shard, progress.line(memory.figures() if memory else None))
    except BaseException:
        journal.flush()
        raise
    return rows


def _ok_row(stage: Stage, row: Row, result: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    if unknown := sorted(result.keys() - {*stage.schema.names}):
        raise ValueError(f"{stage.name} gave {unknown[0]!r}, which is none of its columns: {stage.columns.names}")
    lacks = result.get(stage.degraded) if stage.degraded else None
    # By its key a degraded row is never up to date, and what is made from it knows it from the whole one.
    key = digest([row.key, lacks]) if lacks else row.key
    return _row(stage, row.picture, OK, None, key, seconds, transient=bool(lacks)) | dict(result)


def _row(
    stage: Stage,
    picture: str,
    status: str,
    error: str | None,
    key: str,
    seconds: float = 0.0,
    transient: bool = False,
) -> dict[str, Any]:
    common: list[Any] = [picture, status, error, transient, key, seconds, []]
    return dict(zip(COMMON.names, common, strict=True)) | dict.fromkeys(stage.columns.names)


def _in_order(rows: Mapping[str, dict[str, Any]], pictures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [rows[picture["picture"]] for picture in pictures]
