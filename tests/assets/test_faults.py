"""Faults of the machine, injected: which are tried again, and what stays finished."""

import errno
from importlib.resources import files

import dagster as dg
import pytest
import yaml

from resources.errors import MachineFault, ModelUnavailable
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.stages import faults


@pytest.fixture
def ready(pipeline, monkeypatch):
    monkeypatch.setattr(faults, "_FIRST_PAUSE_SECONDS", 0.01)
    for name in ("a.png", "b.png"):
        pipeline.put(name)
    pipeline.scan()
    return pipeline


def break_writes(monkeypatch, folder, fault, times):
    """The next ``times`` writes below ``folder`` raise ``fault``."""
    left = [times]

    def breaking(write):
        def broken(self, relative, data, **options):
            if relative.startswith(folder) and left[0] > 0:
                left[0] -= 1
                raise fault
            return write(self, relative, data, **options)

        return broken

    for name in ("write", "create"):
        monkeypatch.setattr(Store, name, breaking(getattr(Store, name)))
    return left


def retries(result):
    return sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events)


def store_fault(number):
    fault = MachineFault("The store took no file.")
    fault.__cause__ = OSError(number, "as injected")
    return fault


@pytest.mark.slow
def test_a_store_that_stutters_is_tried_again_and_all_is_green(ready, monkeypatch):
    break_writes(monkeypatch, "artefacts/spring/composites/", store_fault(errno.EIO), times=2)
    result = ready.materialize("spring-00000")
    assert result.success
    assert retries(result) >= 1
    assert {row["status"] for row in ready.rows(COMPOSITES).values()} == {"ok"}


@pytest.mark.slow
def test_a_store_that_stays_away_fails_the_step_after_its_tries_and_keeps_what_was_done(ready, monkeypatch):
    left = break_writes(monkeypatch, "artefacts/spring/composites/", store_fault(errno.ETIMEDOUT), times=1000)
    result = ready.materialize("spring-00000")
    assert not result.success
    assert retries(result) == 3
    left[0] = 0
    assert ready.run() | {"review": 0, "composites": 0} == dict.fromkeys(ready.run(), 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [store_fault(errno.ENOSPC), ModelUnavailable("There is no model: vivid models pull it"), KeyError("a bug")],
    ids=lambda fault: type(fault).__name__,
)
def test_what_stays_as_it_is_fails_at_once(ready, monkeypatch, fault):
    break_writes(monkeypatch, "tables/composites", fault, times=1000)
    result = ready.materialize("spring-00000")
    assert not result.success
    assert retries(result) == 0
    assert {row["status"] for row in ready.rows(PREPARED_IMAGES).values()} == {"ok"}


@pytest.mark.slow
def test_a_dead_cuda_context_asks_for_a_run_in_a_new_process(pipeline, tmp_path, monkeypatch):
    """With the run retries that ship: a failed step is not tried again, but this one is."""
    root = tmp_path / "with retries"
    root.mkdir()
    shipped = yaml.safe_load(files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8"))
    with dg.DagsterInstance.ephemeral(settings={"run_retries": shipped["run_retries"]}) as instance:
        pipeline = type(pipeline)(root, instance)
        pipeline.put("a.png")
        pipeline.scan()
        fault = MachineFault("The GPU cannot be used any more.")
        left = break_writes(monkeypatch, "tables/masks", fault, times=1000)
        failed = pipeline.materialize("spring-00000")
        assert instance.get_run_by_id(failed.run_id).tags["dagster/will_retry"] == "false"
        left[0] = 1000
        fault.__cause__ = RuntimeError("CUDA error: an illegal memory access was encountered")
        failed = pipeline.materialize("spring-00000")
        assert retries(failed) == 0
        assert instance.get_run_by_id(failed.run_id).tags["dagster/will_retry"] == "true"
