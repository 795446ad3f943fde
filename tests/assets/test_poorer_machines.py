"""A machine that has less than others, or less than it had: it destroys nothing, and says what it made with less."""

import contextlib

import numpy as np
import pytest

from resources.clip.open_clip import Answer, OpenClip, Scores
from resources.scenes.request import Scene
from resources.scenes.sdxl import SDXL
from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.export import EXPORTED
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.progress import state_of
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import Tier
from vivid_assets.stages.stage import all_stages


@pytest.fixture
def machine(pipeline, monkeypatch):
    """What the machine has: a GPU for SDXL, CLIP, a network for masks. What is asked for is there at first."""
    has = {"gpu": True, "clip": True, "network": True}
    painted = []

    def paint(requests):
        painted.extend(requests)
        return [Scene(np.full((64, 64, 3), 90 + len(painted), np.uint8), {}) for _ in requests]

    class Classifier:
        def classify(self, images):
            answers = [Answer(label, 0.9, {}) for label in ("object", "soft diffused", "natural")]
            return [Scores(*answers) for _ in images]

    class Network:
        name, revision = "u2net", "1"

        def probabilities(self, images):
            return [(image.mean(axis=2) < 150).astype(np.float32) for image in images]

    def tiers(*_):
        missing = None if has["network"] else "u2net is not on this machine"
        return [Tier("u2net", Network, "none" if missing else "1", missing=missing), gradient_tier()]

    monkeypatch.setattr(SDXL, "unusable", lambda self: None if has["gpu"] else "The driver does not start.")
    monkeypatch.setattr(SDXL, "lease", lambda self: contextlib.nullcontext(paint))
    monkeypatch.setattr(OpenClip, "missing", lambda self: None if has["clip"] else "CLIP is not on this machine.")
    monkeypatch.setattr(OpenClip, "lease", lambda self: contextlib.nullcontext(Classifier()))
    monkeypatch.setattr("vivid_assets.stages.masks.make_tiers", tiers)
    pipeline.say("")
    pipeline.put("a.png", size=48)
    pipeline.scan()
    return has


def run_all(pipeline):
    """What each stage computed in all shards."""
    counts = dict.fromkeys((stage.name for stage in all_stages()), 0)
    for shard in shards_of(pipeline.store, "spring"):
        counts = {name: counts[name] + number for name, number in pipeline.run(shard).items()}
    return counts


def rows(pipeline, stage):
    return {
        name: row for shard in shards_of(pipeline.store, "spring") for name, row in pipeline.rows(stage, shard).items()
    }


def due(pipeline):
    state = state_of(
        pipeline.store,
        "spring",
        [stage.name for stage in all_stages()],
        [stage.name for stage in EXPORTED],
    )
    return [one.is_retry for one in state.stale]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "stage", "column", "better", "poorer"),
    [
        ("gpu", BACKGROUNDS, "generator", "sdxl", "backdrop"),
        ("clip", ANALYSIS, "subject_type", "object", "unavailable"),
        ("network", MASKS, "tier", "u2net", "gradients"),
    ],
)
def test_what_a_better_machine_made_stays_and_what_is_made_without_is_marked_and_made_again(
    pipeline, machine, part, stage, column, better, poorer
):
    pipeline.run()
    assert rows(pipeline, stage)["a.png"][column] == better

    machine[part] = False
    assert set(run_all(pipeline).values()) == {0}, "it destroys nothing"
    pipeline.put("b.png", (20, 90, 40), size=56)
    pipeline.scan()
    run_all(pipeline)
    found = rows(pipeline, stage)
    assert [found[name][column] for name in ("a.png", "b.png")] == [better, poorer]
    assert (found["a.png"]["degraded"], found["a.png"]["transient"]) == (None, False)
    assert found["b.png"]["degraded"]
    assert found["b.png"]["transient"]
    assert due(pipeline) == [True], "its shard stays due"
    if stage is not ANALYSIS:
        assert found["b.png"]["degraded"] in rows(pipeline, REVIEW)["b.png"]["why"]
    assert set(run_all(pipeline).values()) == {0}, "nothing is to be gained on this machine"

    machine[part] = True
    counts = run_all(pipeline)
    assert (counts[stage.name], counts["composites"]) == (1, 1)
    assert [row[column] for row in rows(pipeline, stage).values()] == [better, better]
    assert due(pipeline) == []
    assert set(run_all(pipeline).values()) == {0}


@pytest.mark.slow
def test_a_deployment_that_never_had_it_draws_its_backdrops_and_marks_nothing(pipeline, machine):
    machine.update(gpu=False, clip=False, network=False)
    pipeline.run()
    for stage in (BACKGROUNDS, ANALYSIS, MASKS):
        assert [row["degraded"] for row in rows(pipeline, stage).values()] == [None]
    assert due(pipeline) == []
    machine.update(gpu=True, clip=True, network=True)
    counts = pipeline.run()
    assert (counts["analysis"], counts["masks"], counts["backgrounds"]) == (1, 1, 1)


@pytest.mark.slow
def test_a_check_warns_of_what_was_made_with_less(pipeline, machine):
    pipeline.run()
    machine["gpu"] = False
    pipeline.put("b.png", (20, 90, 40), size=56)
    (shard,) = pipeline.scan().shards_to_run
    result = pipeline.materialize(shard)
    assert result.success
    (check,) = [
        one
        for one in result.get_asset_check_evaluations()
        if one.asset_key.path[-1] == "backgrounds" and one.check_name == "whole"
    ]
    assert not check.passed
    assert "The driver does not start" in check.description
