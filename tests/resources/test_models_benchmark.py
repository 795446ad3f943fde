"""The benchmark runs as one command; its figures on a CPU with tiny models mean nothing."""

import math

import pytest

from benchmarks import models

pytestmark = pytest.mark.slow


def test_every_part_is_measured_against_the_plain_way(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    written = tmp_path / "table.md"
    rows = models.main(
        ["--tiny", "--device=cpu", "--pictures=1", "--steps=1", "--batches=2", "--compile=off", f"--output={written}"]
    )
    assert {row.model for row in rows} == {"SDXL", "BiRefNet", "OpenCLIP"}
    assert all(row.per_second > 0 for row in rows)
    assert written.read_text() in capsys.readouterr().out
    assert "CPU" in written.read_text()


def test_a_part_that_cannot_run_says_so():
    (row,) = models.main(["--only", "birefnet", "--device", "cpu"])
    assert row.way == "not run"
    assert math.isnan(row.per_second)
    assert "--birefnet" in row.note
