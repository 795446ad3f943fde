"""Alerts: runs that failed, checks that do not pass, and their recovery.

Only changes are reported, and a cause once: a check that stops its run is told as the run's failure, and of several
shards of a catalogue that fail for one reason the first is told, and the last that succeeds again. What a check says
waits until the catalogue's runs have ended, an hour at most, so that a night of many shards is one alert a check.

The store has what was reported and what waits, ``alerts/<catalogue>.json``; the sensor's cursor marks the last run that
was read. What waits goes only when the webhook has accepted the alert, so a lost alert is sent again.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from partitions.shards import catalogue_of, is_shard
from resources.alerts import Alerts
from resources.spelling import counted
from resources.store.store import Store
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.pipeline import Pipeline
from vivid_assets.scheduling.lost_runs import at_work
from vivid_assets.stages.faults import reasons

_LONGEST = 3000
_NAMED = 10
"""Shards that an alert names."""
_AT_ONCE = 50
_OVERLAP = timedelta(seconds=2)
"""Runs that ended at the same moment may become visible one after the other."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_WAITS = timedelta(hours=1)
"""How long a check's news wait for the catalogue's other runs."""
_NUMBER = re.compile(r"(?<![\w/.-])\d[\d,.]*%?(?![\w/-])")
"""A number that stands alone: two shards of one cause have others."""
_JOBS = "jobs"
"""Where runs without a shard are kept, in place of a catalogue."""


def failures_sensor(pipeline: Pipeline, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that reports the pipeline's own runs; those of others in the deployment are theirs to report."""

    @dg.sensor(
        name=pipeline.named("failures"),
        default_status=status,
        minimum_interval_seconds=15,
        description="Reports runs that failed and checks that did not pass, with shard, step and message, and their "
        "recovery. Each is reported once, until it changes.",
        required_resource_keys=pipeline.keys("store", "alerts"),
    )
    def failures(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not context.cursor:
            # Failures from before the sensor was started are not reported.
            return dg.SensorResult(cursor=_cursor(datetime.now(UTC), []))
        seen = json.loads(context.cursor)
        after = datetime.fromisoformat(seen["after"])
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, updated_after=after - _OVERLAP),
            limit=_AT_ONCE,
            order_by="update_timestamp",
            ascending=True,
        )
        fresh = [record for record in records if record.dagster_run.run_id not in seen["runs"]]
        store, alerts = pipeline.resource(context, "store"), pipeline.resource(context, "alerts")
        ended = [record.dagster_run for record in fresh if pipeline.owns(record.dagster_run)]
        waiting = {*seen.get("waiting", []), *_noted(context.instance, store, ended)}
        busy = {_kept_under(run) for run in at_work(pipeline, context.instance)} if waiting else set()
        left = [of for of in sorted(waiting) if _Reports(store, of).tell(alerts, is_busy=of in busy)]
        if not fresh:
            return dg.SensorResult(cursor=_cursor(after, seen["runs"], left), skip_reason="No run has ended.")
        latest = max(record.update_timestamp.replace(tzinfo=UTC) for record in fresh)
        return dg.SensorResult(cursor=_cursor(latest, [record.dagster_run.run_id for record in records], left))

    return failures


def _noted(instance: dg.DagsterInstance, store: Store, runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Put what changed with the runs, which have ended, among what waits; returns whose they are."""
    touched = set()
    for run in runs:
        _Reports(store, of := _kept_under(run)).note(run, [*_checks(instance, run), ("", _reason(instance, run))])
        touched.add(of)
    return touched


def _kept_under(run: dg.DagsterRun) -> str:
    """The catalogue of a run, or what stands for one."""
    shard = run.tags.get("dagster/partition", "")
    return catalogue_of(shard) if is_shard(shard) else _JOBS


@dataclass(frozen=True)
class _News:
    """What is wrong with a shard, or a job without one, or what was."""

    of: str
    """The shard; without one the job's name."""
    check: str
    """Stage and check; empty: the run itself."""
    trouble: str
    """Empty where all is well again."""
    run: str
    job: str
    since: str

    @property
    def key(self) -> str:
        return f"{self.of} {self.check or 'run'}"


class _Reports:
    """What was reported of a catalogue's shards, by shard and check, and what waits to be."""

    def __init__(self, store: Store, of: str) -> None:
        self._store, self._of, self._path = store, of, f"alerts/{of}.json"
        kept = store.read_json(self._path) or {}
        self._told: dict[str, str] = kept.get("told", {})
        self._waiting = {one["of"] + one["check"]: _News(**one) for one in kept.get("waiting", [])}

    def note(self, run: dg.DagsterRun, found: Iterable[tuple[str, str]]) -> None:
        """Have what differs from what was reported wait."""
        of, now = run.tags.get("dagster/partition", "") or run.job_name, datetime.now(UTC).isoformat()
        before = {*self._waiting}
        for check, trouble in found:
            news = _News(of, check, trouble, run.run_id, run.job_name, now)
            if self._told.get(news.key, "") == trouble:
                self._waiting.pop(of + check, None)
            elif (known := self._waiting.get(of + check)) is None or known.trouble != trouble:
                self._waiting[of + check] = news
        if before or self._waiting:
            self._write()

    def tell(self, alerts: Alerts, *, is_busy: bool) -> bool:
        """Send what need not wait any longer; whether something is left. Raises OSError when an alert is not sent."""
        for group in self._groups(is_busy=is_busy):
            if news := [one for one in group if not self._is_known(one, group)]:
                alerts.send(*_worded(news, self._of, alerts))
            for one in group:
                self._told[one.key] = one.trouble
                del self._waiting[one.of + one.check]
            self._write()
        return bool(self._waiting)

    def _groups(self, *, is_busy: bool) -> list[list[_News]]:
        """What is one alert: a check's troubles, or its recoveries; runs that failed for one reason, or had."""
        oldest = min((one.since for one in self._waiting.values() if one.check), default="")
        holds = is_busy and datetime.now(UTC) - datetime.fromisoformat(oldest) < _WAITS if oldest else False
        groups: dict[tuple[str, ...], list[_News]] = {}
        for one in self._waiting.values():
            if not (one.check and holds):
                cause = "" if one.check else one.trouble or self._told.get(one.key, "")
                groups.setdefault((one.job, one.check, str(bool(one.trouble)), cause), []).append(one)
        return [*groups.values()]

    def _is_known(self, news: _News, group: Sequence[_News]) -> bool:
        """Whether shards beside the group's fail for the reason for which this one does, or did until now."""
        if self._of == _JOBS:
            return False
        cause, end = _cause(news.trouble or self._told.get(news.key, "")), f" {news.check or 'run'}"
        others = {
            name.removesuffix(end) for name, text in self._told.items() if name.endswith(end) and _cause(text) == cause
        }
        others -= {one.of for one in group}
        # One that has been merged or forgotten never succeeds again, and keeps nothing quiet.
        return bool(others and others & {*shards_of(self._store, self._of)})

    def _write(self) -> None:
        told = {name: text for name, text in sorted(self._told.items()) if text}
        kept = {"told": told, "waiting": [asdict(one) for one in self._waiting.values()]}
        self._store.write(self._path, json.dumps(kept, indent=1).encode())


def _cause(trouble: str) -> str:
    """A trouble without its numbers, which differ from shard to shard."""
    return _NUMBER.sub("#", trouble)


def _worded(news: Sequence[_News], catalogue: str, alerts: Alerts) -> tuple[str, str]:
    """Title and text of an alert."""
    first, many = news[0], len(news)
    what = first.check or first.job.strip("_").lower()
    whose = first.of if many == 1 else f"{counted(many, 'shard')} of {catalogue}"
    name = f"{what} of {whose}" if first.check else what if first.of == first.job else f"{what} {whose}"
    if first.check:
        title = f"Check not passed: {name}" if first.trouble else f"Check passes again: {name}"
    else:
        title = f"Run failed: {name}" if first.trouble else f"Run succeeds again: {name}"
    link = alerts.run_named(first.run)
    if many == 1:
        return title, f"{(first.trouble or title)[:_LONGEST]}\n{link}"
    by_text: dict[str, list[str]] = {}
    for one in news:
        by_text.setdefault(one.trouble, []).append(one.of)
    lines = [": ".join(filter(None, (_several(shards), text))) for text, shards in by_text.items()]
    more = [f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
    return title, "\n".join(["\n".join([*lines[:_NAMED], *more])[:_LONGEST], link])


def _several(shards: Sequence[str]) -> str:
    more = f" and {len(shards) - _NAMED} more" if len(shards) > _NAMED else ""
    return f"{', '.join(shards[:_NAMED])}{more}"


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Why the run failed; empty if it succeeded."""
    if run.status != dg.DagsterRunStatus.FAILURE:
        return ""
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event]
    lines = [f"{step}: {reason}" for step, reason in reasons(events)]
    ends = [event.message for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    return "\n".join(lines) or "".join(filter(None, ends[:1])) or "no message"


def _checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[tuple[str, str]]:
    """Each check of the run, and what is wrong; empty where it passed. One that stopped the run is told with it."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    for one in (entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event):
        stopped = one.blocking and not one.passed and one.severity == dg.AssetCheckSeverity.ERROR
        if stopped and run.status == dg.DagsterRunStatus.FAILURE:
            continue
        wrong = "" if one.passed else f"{one.severity.value} {one.description}"
        yield f"{one.asset_key.path[-1]} {one.check_name}", wrong


def _cursor(after: datetime, runs: list[str], waiting: Sequence[str] = ()) -> str:
    return json.dumps({"after": after.isoformat(), "runs": runs, "waiting": [*waiting]})
