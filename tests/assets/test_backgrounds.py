"""Scenes of their own and scenes painted around the subject: what each depends on."""

import contextlib
import shutil
import tomllib

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from resources.runtime.batches import PictureError
from resources.scenes.cache import SceneCache
from resources.scenes.request import Scene
from resources.scenes.sdxl import SDXL
from tests.support.tiny_pipelines import save_tiny
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.cli.estimate import demand_of
from vivid_assets.cli.main import app
from vivid_assets.imaging.backdrop.render import look_of, render
from vivid_assets.imaging.io.codec import decode
from vivid_assets.settings import Settings

TIERS = '[masks]\ntiers = ["gradients"]\n'
BACKDROPS = TIERS + '[backgrounds]\ngenerator = "backdrop"\n'
OTHER_MASKS = TIERS + "refine = false\n"


@pytest.fixture
def painter(monkeypatch):
    """In SDXL's place: paints grey scenes, and remembers its requests."""
    asked = []

    def paint(requests):
        asked.extend(requests)
        return [Scene(np.full((64, 64, 3), 90 + len(asked), np.uint8), {}) for _ in requests]

    monkeypatch.setattr(SDXL, "lease", lambda self: contextlib.nullcontext(paint))
    return asked


@pytest.fixture
def ready(pipeline):
    """Three pictures that want the same background; the third brings its own."""
    for name in ("a.png", "b.png", "c.png", "wall.png"):
        pipeline.put(name)
    (pipeline.folder / "manifest.csv").write_text(
        "image,prompt,background\na.png,grey paper,\nb.png,grey paper,\nc.png,,wall.png\n"
    )
    pipeline.scan()
    return pipeline


def say(pipeline, masks=TIERS, place="scene"):
    pipeline.say(f'{masks}[backgrounds]\ngenerator = "sdxl"\nplace = "{place}"\n')


def generators(pipeline):
    return [row["generator"] for row in pipeline.rows(BACKGROUNDS).values()]


@pytest.mark.slow
def test_a_scene_of_its_own_is_shared_and_no_mask_touches_it(ready, painter):
    say(ready)
    assert ready.run()["backgrounds"] == 3
    assert generators(ready) == ["sdxl", "sdxl", "own"]
    assert [request.subject for request in painter] == [None]
    say(ready, OTHER_MASKS)
    counts = ready.run()
    assert (counts["masks"], counts["backgrounds"], counts["composites"]) == (3, 0, 3)
    assert len(painter) == 1


@pytest.mark.slow
def test_painted_in_place_each_picture_has_its_scene_and_a_new_mask_a_new_one(ready, painter):
    say(ready, place="inpaint")
    # In Dagster, which knows that masks come before the backgrounds that read them: also in one run from nothing.
    assert ready.run_in_dagster()["backgrounds"] == 3
    assert generators(ready) == ["sdxl_inpaint", "sdxl_inpaint", "own"]
    assert len(painter) == 1, "equal pictures with equal masks"
    subject = painter[0].subject
    assert subject.image.shape == (160, 160, 3)
    assert subject.alpha.shape == (160, 160)
    assert subject.alpha[80, 80] == 1
    assert subject.alpha[2, 2] == 0
    assert set(ready.run_in_dagster().values()) == {0}
    demand = demand_of(ready.store, "spring", "sdxl", SDXL(), Settings(), in_place=True).all
    assert (demand.own, SceneCache(ready.store).estimate(demand.keys).to_make) == (1, 0)

    (ready.folder / "overrides").mkdir()
    (ready.folder / "overrides" / "b.png").write_bytes(ready.store.read(ready.rows(MASKS)["a.png"]["file"]))
    ready.scan()
    counts = ready.run_in_dagster()
    assert (counts["masks"], counts["backgrounds"], counts["composites"]) == (1, 1, 1)
    say(ready, place="inpaint", masks=OTHER_MASKS)
    assert ready.run_in_dagster()["backgrounds"] == 2 + 1
    say(ready, OTHER_MASKS)
    assert ready.run_in_dagster()["backgrounds"] == 3
    assert generators(ready) == ["sdxl", "sdxl", "own"]


@pytest.mark.slow
def test_scenes_are_painted_larger_for_large_sources_where_the_settings_ask(ready, painter, tmp_path):
    ready.put("b.png", size=330)
    ready.scan()
    say(ready)
    ready.run()
    assert [request.scale for request in painter] == [1], "one scene for both"
    enlarging = "[sdxl]\nsize = 160\nenlarge = 4\n"
    ready.say(ready.settings_file.read_text() + enlarging)
    ready.run()
    assert [request.scale for request in painter[1:]] == [1, 2], "near the source's size"
    rows = ready.rows(BACKGROUNDS)
    assert rows["a.png"]["file"] != rows["b.png"]["file"]
    assert set(ready.run().values()) == {0}
    settings = Settings.model_validate(tomllib.loads(enlarging))
    model = SDXL(size=160, enlarge=4)
    keys = demand_of(ready.store, "spring", "sdxl", model, settings).all.keys
    assert SceneCache(ready.store).estimate(keys).to_make == 0
    with ready.settings_file.open("a") as file:
        file.write('[composites]\ncanvas = "500x480"\n')
    ready.run()
    assert [request.scale for request in painter[3:]] == [3], "near the canvas's"


@pytest.mark.slow
def test_a_picture_without_a_mask_has_no_background_in_place_and_says_why(ready, painter):
    (ready.folder / "overrides").mkdir()
    (ready.folder / "overrides" / "b.png").write_bytes(b"no picture")
    ready.scan()
    say(ready, place="inpaint")
    ready.run_in_dagster()
    row = ready.rows(BACKGROUNDS)["b.png"]
    assert row["status"] == "skipped"
    assert row["error"] == f"masks failed: {ready.rows(MASKS)['b.png']['error']}"
    assert ready.rows(BACKGROUNDS)["a.png"]["status"] == ready.rows(COMPOSITES)["a.png"]["status"] == "ok"
    # Alone, before any mask: the step fails and says so; the whole run goes well again.
    for stage in ("masks", "backgrounds"):
        shutil.rmtree(ready.store.path(f"tables/{stage}/spring-00000").path)
    assert not ready.materialize("spring-00000", selection=["backgrounds"]).success
    assert "materialise masks first" in ready.rows(BACKGROUNDS)["a.png"]["error"]
    ready.run_in_dagster()
    assert ready.rows(BACKGROUNDS)["a.png"]["status"] == "ok"


@pytest.mark.slow
def test_a_scene_that_comes_out_broken_is_that_pictures_failure(ready, monkeypatch):
    def half(requests):
        return [PictureError("The scene came out black.") if "red" in one.prompt else scene(one) for one in requests]

    def scene(request):
        return Scene(np.full((64, 64, 3), 90, np.uint8), {})

    (ready.folder / "manifest.csv").write_text("image,prompt\na.png,red paper\nb.png,grey paper\nc.png,grey paper\n")
    ready.scan()
    monkeypatch.setattr(SDXL, "lease", lambda self: contextlib.nullcontext(half))
    say(ready)
    ready.run()
    rows = ready.rows(BACKGROUNDS)
    assert (rows["a.png"]["status"], rows["a.png"]["error"]) == ("failed", "The scene came out black.")
    assert rows["b.png"]["status"] == rows["c.png"]["status"] == "ok"


AUTO = TIERS + '[backgrounds]\ngenerator = "auto"\n'
REFUSED = "PyTorch 2.15.0 (CUDA 13.2) cannot use the GPU that the NVIDIA driver (up to CUDA 12.2) shows: too old"


def usable(monkeypatch, *, device=None, missing=None):
    """What is wrong with ``auto``'s device, and with SDXL's weights."""
    monkeypatch.setattr(
        "resources.scenes.generator.device_trouble", lambda asked="auto": None if asked == "cpu" else device
    )
    monkeypatch.setattr(SDXL, "missing", lambda self: missing)


def chosen(pipeline):
    """Why the run took its generator: in its log and in the metadata."""
    result = pipeline.materialize("spring-00000")
    assert result.success
    (event,) = result.asset_materializations_for_node("vivid__backgrounds")
    why = event.metadata["choice of generator"].value
    assert why in [entry.user_message for entry in pipeline.instance.all_logs(result.run_id)]
    return why


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "missing"),
    [
        (None, "stabilityai/… is not on this machine. Fetch it once with `vivid models pull sdxl`."),
        (REFUSED, None),
        ("this machine has no CUDA device", None),
    ],
)
def test_auto_where_sdxl_cannot_be_used_is_the_backdrop_and_says_why(ready, painter, monkeypatch, device, missing):
    usable(monkeypatch, device=device, missing=missing)
    ready.say(AUTO)
    why = chosen(ready)
    assert why.startswith("Backgrounds by the drawn backdrop. ")
    assert (device or missing) in why
    assert generators(ready) == ["backdrop", "backdrop", "own"]
    assert painter == []


@pytest.mark.slow
def test_auto_where_sdxl_can_be_used_is_sdxl_and_says_where(ready, painter, monkeypatch):
    usable(monkeypatch)
    ready.say(AUTO)
    assert chosen(ready) == "Backgrounds by SDXL on a GPU of this machine: its weights are installed."
    assert generators(ready) == ["sdxl", "sdxl", "own"]


@pytest.mark.slow
def test_the_cpu_that_is_asked_for_is_used(ready, painter, monkeypatch):
    usable(monkeypatch, device=REFUSED)
    ready.say(AUTO + '[sdxl]\ndevice = "cpu"\n')
    assert "on cpu, as the settings request" in chosen(ready)
    assert generators(ready) == ["sdxl", "sdxl", "own"]


@pytest.mark.parametrize("device", [REFUSED, "this machine has no CUDA device"])
def test_sdxl_by_name_that_cannot_be_had_stops_and_is_never_computed_on_the_cpu(ready, monkeypatch, device):
    usable(monkeypatch, device=device)
    monkeypatch.setattr(SDXL, "_load", lambda self, device: pytest.fail(f"loaded on {device}"))
    say(ready)
    result = ready.materialize("spring-00000")
    cause = result.failure_data_for_node("vivid__backgrounds").error.cause
    assert cause.cls_name == "ModelUnavailable"
    assert device in cause.message
    assert "with device cpu in the settings" in cause.message
    assert ready.rows(BACKGROUNDS) == {}


@pytest.mark.slow
def test_where_backdrops_are_drawn_nothing_is_painted_in_place(ready, monkeypatch):
    usable(monkeypatch, device="this machine has no CUDA device")
    ready.say(TIERS + '[backgrounds]\nplace = "inpaint"\n')
    ready.run()
    assert generators(ready) == ["backdrop", "backdrop", "own"]


def composite_of(pipeline, name):
    return decode(pipeline.store.read(pipeline.rows(COMPOSITES)[name]["file"])).rgb


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("a.png", 400), ("a.jpg", 1200)])
def test_a_run_and_replace_draw_the_same_picture(pipeline, monkeypatch, name, size):
    """Smaller than the models' size and larger; where nothing is subject, the composite is the backdrop as drawn."""
    prompt = "red ball on pale sage, window light"
    pipeline.say(BACKDROPS + '[composites]\nformat = "png"\n')
    pipeline.put(name, size=size)
    (pipeline.folder / "manifest.csv").write_text(f'image,prompt,seed\n{name},"{prompt}",7\n')
    pipeline.scan()
    pipeline.run()
    monkeypatch.setenv("VIVID_SETTINGS", str(pipeline.settings_file))
    out = pipeline.folder.parent / "replaced.png"
    command = ["replace", str(pipeline.folder / name), "--prompt", prompt, "--seed", "7", "--output", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    composite = composite_of(pipeline, name)
    np.testing.assert_array_equal(composite, decode(out.read_bytes()).rgb)
    row = pipeline.rows(BACKGROUNDS)[name]
    drawn = render(look_of(row["recipe"]), size, size, seed=7)
    corner = np.s_[: size // 8, : size // 8]
    np.testing.assert_array_equal(composite[corner], drawn[corner])
    assert max(decode(pipeline.store.read(row["file"])).size) == min(size, 1024)


@pytest.mark.slow
def test_what_makes_a_backdrop_and_its_composite_anew(pipeline):
    def says(prompt):
        (pipeline.folder / "manifest.csv").write_text(f'image,prompt\na.png,"{prompt}"\n')
        pipeline.scan()

    pipeline.put("a.png")
    says("sage")
    pipeline.run()
    corner = composite_of(pipeline, "a.png")[:20, :20].astype(int)
    pipeline.say(BACKDROPS + '[composites]\nmode = "alpha"\n')
    counts = pipeline.run()
    assert (counts["backgrounds"], counts["composites"]) == (0, 1)
    says("navy")
    counts = pipeline.run()
    assert (counts["masks"], counts["backgrounds"], counts["composites"]) == (0, 1, 1)
    assert composite_of(pipeline, "a.png")[:20, :20].astype(int).mean() < corner.mean() - 50


@pytest.mark.slow
def test_a_very_long_picture_has_a_backdrop(pipeline):
    strip = np.full((40, 20000, 3), 210, np.uint8)
    strip[10:30, 9000:11000] = (30, 40, 180)
    cv2.imwrite(str(pipeline.folder / "strip.png"), strip)
    pipeline.scan()
    pipeline.run()
    assert composite_of(pipeline, "strip.png").shape == (40, 20000, 3)


@pytest.mark.slow
def test_with_the_real_pipeline_the_scene_keeps_the_subject(ready, tiny_sdxl):
    """Random weights paint noise, but their decoder keeps what is not painted: the composite is whole."""
    say(ready, place="inpaint")
    sdxl = f'[sdxl]\nmodel = "{tiny_sdxl}"\nvae = "{tiny_sdxl}/vae-fix"\nsize = 64\nsteps = 2\ndevice = "cpu"\n'
    ready.say(ready.settings_file.read_text() + sdxl)
    ready.run_in_dagster()
    assert generators(ready) == ["sdxl_inpaint", "sdxl_inpaint", "own"]
    composite = decode(ready.store.read(ready.rows(COMPOSITES)["a.png"]["file"])).rgb
    assert np.abs(composite[80, 80].astype(int) - (180, 40, 30)).max() <= 4


@pytest.mark.slow
def test_another_pipeline_of_diffusers_makes_the_scenes(ready, tmp_path):
    """FLUX's real class with random weights."""
    folder = save_tiny("FLUX", tmp_path / "flux")
    model = f'[text_to_image]\nmodel = "{folder}"\nsize = 64\nsteps = 2\ndevice = "cpu"\n'
    ready.say(f'{TIERS}[backgrounds]\ngenerator = "text_to_image"\n{model}')
    assert ready.run()["backgrounds"] == 3
    rows = ready.rows(BACKGROUNDS)
    assert generators(ready) == ["text_to_image", "text_to_image", "own"]
    assert rows["a.png"]["file"] == rows["b.png"]["file"], "one scene for one prompt"
    assert set(ready.run().values()) == {0}


def test_a_pipeline_that_is_not_named_stops_the_step_with_the_setting(ready):
    ready.say(f'{TIERS}[backgrounds]\ngenerator = "text_to_image"\n')
    result = ready.materialize("spring-00000")
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "The generator text_to_image has no model" in str(failed.step_failure_data.error)
