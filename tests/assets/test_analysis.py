"""What the analysis' rows say of a picture, with a small random CLIP in the model's place."""

import pytest

from resources.clip.clip_prompts import ATMOSPHERE, LIGHTING, QUESTIONS, SUBJECT
from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.imaging.analysis.light import measure_light

COLUMNS = {"subject_type": SUBJECT, "lighting": LIGHTING, "atmosphere": ATMOSPHERE}


@pytest.fixture
def ready(pipeline):
    for name in ("a.png", "b.png"):
        pipeline.put(name)
    pipeline.scan()
    return pipeline


def ask(pipeline, model, gate):
    pipeline.say(
        f'[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
        f'[open_clip]\nmodel = "local-dir:{model}"\ndevice = "cpu"\nmin_confidence = {gate}\nmin_margin = 0.0\n'
    )
    return pipeline.materialize("spring-00000")


@pytest.mark.slow
def test_clip_s_answers_are_in_the_rows_and_counted_in_the_ui(ready, tiny_clip):
    result = ask(ready, tiny_clip, gate=0.0)
    metadata = result.asset_materializations_for_node("vivid__analysis")[0].metadata
    for column, question in COLUMNS.items():
        for row in ready.rows(ANALYSIS).values():
            assert row[column] in QUESTIONS[question]
            assert 0 < row[f"{column.removesuffix('_type')}_confidence"] < 1
        assert f"| {row[column]} |" in metadata[column].value


@pytest.mark.slow
def test_what_clip_is_not_sure_of_is_unknown(ready, tiny_clip):
    ask(ready, tiny_clip, gate=1.0)
    for row in ready.rows(ANALYSIS).values():
        assert [row[column] for column in COLUMNS] == ["unknown"] * 3
        assert row["lighting_confidence"] > 0


def test_without_the_model_all_three_are_unavailable(ready):
    ready.run(selection=["prepared_images", "analysis"])
    for row in ready.rows(ANALYSIS).values():
        assert [row[column] for column in COLUMNS] == ["unavailable"] * 3
        assert row["lighting_confidence"] is None


@pytest.mark.slow
def test_the_gpu_s_memory_is_in_the_metadata_of_the_stage_that_took_it(ready, fake_cuda, monkeypatch):
    """Peaks begin anew with each stage, or all that follow would show the largest model's."""

    def on_a_gpu(image, alpha):
        fake_cuda.take(0, 2 << 30)
        fake_cuda.held[0] -= 2 << 30
        return measure_light(image, alpha)

    monkeypatch.setattr("vivid_assets.stages.analysis.measure_light", on_a_gpu)
    result = ready.materialize("spring-00000", selection=["prepared_images", "analysis", "enhanced_prompts"])
    found = {
        name: result.asset_materializations_for_node(f"vivid__{name}")[0].metadata
        for name in ("analysis", "enhanced_prompts")
    }
    assert found["analysis"]["gpu"].value == "Some GPU 0"
    assert found["analysis"]["gpu peak gib"].value == 2.0
    assert found["analysis"]["gpu reserved gib"].value == 3.0
    assert found["analysis"]["seconds computing"].value > 0
    assert "gpu" not in found["enhanced_prompts"]
