"""Two domains of trust: what a catalogue's folder says never loads a model's files, runs code, or takes a device."""

import json
import shutil

import pytest

from resources.masks.birefnet import BiRefNet
from resources.scenes.sdxl import SDXL
from resources.scenes.text_to_image import TextToImage
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.source import parse_catalogue_file
from vivid_assets.settings import catalogue_tables, is_table


@pytest.fixture
def evil(pipeline, tiny_birefnet, tmp_path):
    """A model folder beside the pictures whose code leaves a mark where it is run; the tables that ask for it."""
    mark = tmp_path / "evil was here"
    folder = pipeline.folder / "model"
    shutil.copytree(tiny_birefnet, folder)
    (folder / "evil.py").write_text(f"from pathlib import Path\n\nPath({str(mark)!r}).touch()\nEVIL = 1\n")
    code = folder / "birefnet.py"
    code.write_text("from .evil import EVIL\n" + code.read_text())
    pipeline.put("a.png")
    tables = {
        "birefnet": {"trust_remote_code": True, "model": str(folder), "device": "cpu", "size": 64},
        "masks": {"tiers": ["birefnet"]},
    }
    return mark, tables


def as_toml(tables):
    lines = []
    for table, entries in tables.items():
        lines += [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in entries.items())]
    return "\n".join(lines)


def test_a_folder_with_a_model_and_consent_of_its_own_is_refused_and_its_code_never_runs(pipeline, evil):
    mark, tables = evil
    (pipeline.folder / "catalogue.toml").write_text(as_toml(tables))
    with pytest.raises(ValueError, match=r"birefnet\.trust_remote_code is not a catalogue's to set.*vivid\.toml"):
        pipeline.scan()
    assert not mark.exists()


@pytest.mark.parametrize(
    "said",
    [
        '[masks]\ntiers = ["birefnet:{folder}", "gradients"]',
        '[masks]\ntiers = ["onnx:/a/file.onnx"]',
        '[backgrounds]\ngenerator = "text_to_image:{folder}"',
        '[renditions.large]\ngenerator = "text_to_image:org/name@{commit}"',
    ],
)
def test_weights_of_its_own_by_the_name_of_a_tier_or_generator_are_refused(pipeline, evil, said):
    """Whoever runs the pipeline may have consented to the code of a model, and meant another."""
    mark, tables = evil
    pipeline.say(as_toml({"birefnet": tables["birefnet"] | {"model": "ZhengPeng7/BiRefNet"}}))
    said = said.format(folder=tables["birefnet"]["model"], commit="a" * 40)
    (pipeline.folder / "catalogue.toml").write_text(said)
    with pytest.raises(ValueError, match=r"is not a catalogue's to name: a model of your own belongs in vivid\.toml"):
        pipeline.scan()
    assert not mark.exists()


def test_a_catalogue_may_choose_one_of_rembgs_networks():
    parse_catalogue_file('[masks]\ntiers = ["rembg:silueta", "gradients"]', where="catalogue.toml")


@pytest.mark.slow
def test_what_an_earlier_version_kept_of_such_a_file_is_refused_when_a_run_reads_it(pipeline, evil):
    mark, tables = evil
    pipeline.scan()
    pipeline.store.write("catalogues/spring/settings.json", json.dumps(tables).encode())
    result = pipeline.materialize("spring-00000")
    errors = [event.step_failure_data.error.to_string() for event in result.get_step_failure_events()]
    assert any("birefnet.trust_remote_code is not a catalogue's to set" in error for error in errors)
    assert not mark.exists()
    pipeline.scan()
    assert pipeline.materialize("spring-00000").success, "the next scan writes it anew"
    assert not mark.exists()


@pytest.mark.slow
def test_the_same_from_whoever_runs_the_pipeline_is_obeyed(pipeline, evil):
    """So the mark does mean that the code has run."""
    mark, tables = evil
    pipeline.say(as_toml(tables) + '\n[backgrounds]\ngenerator = "backdrop"\n')
    pipeline.scan()
    pipeline.run()
    assert pipeline.rows(MASKS)["a.png"]["tier"] == "birefnet"
    assert mark.exists()


MAY = {
    "prepared_images.longest",
    "backgrounds.generator",
    "backgrounds.place",
    "masks.tiers",
    "masks.refine",
    "masks.stretch_low",
    "masks.stretch_high",
    "masks.line_art_threshold",
    "masks.thresholds",
    "masks.matting",
    "composites.mode",
    "composites.refine",
    "composites.spill",
    "composites.spill_strength",
    "composites.strength",
    "composites.limit",
    "composites.falloff",
    "composites.format",
    "composites.quality",
    "composites.shadow",
    "composites.clip_codec",
    "composites.clip_quality",
    "composites.clip_cutout",
    "composites.canvas",
    "composites.fit",
    "composites.padding",
    "composites.align",
    "composites.fit_shadow",
    "composites.most_enlarged",
    "composites.least_canvas",
    # What a rendition looks like is a matter of taste, as [composites] is, which it may say too.
    "renditions.preset",
    "renditions.prompt",
    "renditions.negative_prompt",
    "renditions.background",
    "renditions.seed",
    "renditions.generator",
    "review.high_leakage",
    "review.review_share",
    "open_clip.temperature",
    "open_clip.min_confidence",
    "open_clip.min_margin",
    "sdxl.steps",
    "sdxl.guidance",
    "text_to_image.steps",
    "text_to_image.guidance",
    "vitmatte.band",
}


def test_what_a_catalogue_may_set_is_this_and_a_new_entry_is_the_operators_until_somebody_adds_it_here():
    assert {f"{table}.{entry}" for table, entries in catalogue_tables().items() for entry in entries} == MAY


@pytest.mark.parametrize("table", ["birefnet", "checks", "nights"])
def test_whole_tables_that_are_the_operators(table):
    assert is_table(table)
    with pytest.raises(ValueError, match=f"the table {table} is not a catalogue's to set"):
        parse_catalogue_file(f"[{table}]", where="catalogue.toml")


@pytest.mark.parametrize(
    ("table", "entry"),
    [
        *(("birefnet", name) for name in BiRefNet.model_fields),
        *(("sdxl", name) for name in SDXL.model_fields if f"sdxl.{name}" not in MAY),
        *(("text_to_image", name) for name in TextToImage.model_fields if f"text_to_image.{name}" not in MAY),
        ("open_clip", "checkpoint"),
        ("vitmatte", "model"),
        ("prepared_images", "max_megapixels"),
        ("checks", "severity"),
        ("nights", "runs_per_tick"),
    ],
)
def test_each_of_the_operators_entries_is_refused_by_name_with_where_it_belongs(table, entry):
    with pytest.raises(ValueError, match=rf"{table}\.{entry} is not a catalogue's to set.*it belongs in vivid\.toml"):
        parse_catalogue_file(f'[{table}]\n{entry} = "x"', where="catalogue.toml")
