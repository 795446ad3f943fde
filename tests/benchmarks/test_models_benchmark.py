"""The benchmark runs as one command; its figures on a CPU with tiny models mean nothing."""

import math

import pytest

from benchmarks.speed import models

pytestmark = pytest.mark.slow


@pytest.mark.soak
def test_every_part_is_measured_against_the_plain_way(tmp_path, capsys, hub_code):
    written = tmp_path / "table.md"
    rows = models.main(
        ["--tiny", "--device=cpu", "--pictures=1", "--steps=1", "--batches=2", "--compile=off", f"--output={written}"]
    )
    assert {row.model for row in rows} == {"SDXL", "Z-Image", "BiRefNet", "OpenCLIP"}
    assert all(row.per_second > 0 for row in rows)
    assert written.read_text() in capsys.readouterr().out
    assert "CPU" in written.read_text()


def test_a_row_that_fails_costs_no_other_and_is_said(tmp_path, capsys, monkeypatch):
    """No memory for one batch, and a part that cannot even be prepared."""
    import torch

    from resources.clip.clip_model import ClipModel

    ask = ClipModel.ask

    def short_of_memory(self, images, temperature):
        if len(images) == 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return ask(self, images, temperature)

    def unprepared(*_, **__):
        raise RuntimeError("no space | left")

    written = tmp_path / "table.md"
    monkeypatch.setattr(ClipModel, "ask", short_of_memory)
    monkeypatch.setattr("resources.runtime.batches.Batches._run", lambda self, batch: list(self._function(batch)))
    monkeypatch.setattr("benchmarks.speed.architectures.save_tiny_birefnet", unprepared)
    only = ["--only", "birefnet", "clip", "--tiny", "--device=cpu", "--pictures=1", "--batches", "1", "2"]
    rows = models.main([*only, f"--output={written}"])
    assert [row.failed for row in rows] == [True, False, True, False, False]
    assert "| BiRefNet | could not be prepared | – | – | – | – | RuntimeError: no space / left |" in written.read_text()
    assert "| OpenCLIP | vivid_assets, batch 8 | – | – | – | – | OutOfMemoryError: CUDA out of memory. |" in (
        capsys.readouterr().out
    )


def test_a_part_that_cannot_run_says_so():
    (row,) = models.main(["--only", "birefnet", "--device", "cpu"])
    assert row.way == "not run"
    assert math.isnan(row.per_second)
    assert "--birefnet" in row.note
