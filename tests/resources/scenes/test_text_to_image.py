"""Any text-to-image pipeline of diffusers: five families of the real classes with small random weights."""

import functools
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resources.errors import ModelUnavailable
from resources.runtime.batches import PictureError
from resources.scenes.enlarged import over_painter
from resources.scenes.offload import choose, held, sizes
from resources.scenes.request import Scene, SceneRequest, Subject
from resources.scenes.text_to_image import TAUGHT, TextToImage
from resources.weights.pipeline_files import needed, variant_of
from tests.support.tiny_pipelines import FAMILIES, save_tiny

SOFA = SceneRequest("a red sofa in a bright room", "people", 1, 64, 64)
REQUESTS = [SOFA, replace(SOFA, prompt="a beach", negative_prompt=""), replace(SOFA, seed=3), replace(SOFA, width=130)]


@pytest.fixture(scope="module")
def tiny_families(tmp_path_factory):
    """The folder of a family's pipeline; each is made once."""
    place = tmp_path_factory.mktemp("pipelines")

    def of(family: str) -> Path:
        folder = place / family.replace(" ", "-")
        return folder if folder.exists() else save_tiny(family, folder)

    return of


def settings(folder: Path, **others) -> TextToImage:
    return TextToImage(**{"model": str(folder), "size": 64, "steps": 2, "device": "cpu", **others})


def scenes(folder: Path, requests, **others):
    with settings(folder, **others).lease() as generate:
        return generate(requests)


def difference(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_scene_is_diffusers_own_alone_and_in_any_batch(tiny_families, family):
    import torch
    from diffusers import AutoPipelineForText2Image

    folder = tiny_families(family)
    together = scenes(folder, REQUESTS)
    assert [scene.image.shape for scene in together] == [(64, 64, 3)] * 3 + [(64, 96, 3)]
    assert [scene.figures["batch"] for scene in together] == [3, 3, 3, 1]
    (alone,) = scenes(folder, [SOFA])
    assert difference(together[0].image, alone.image) <= 1
    sofa, beach = scenes(folder, REQUESTS[:2], guidance=30.0)
    assert difference(sofa.image, beach.image) > 2  # another prompt
    assert difference(together[0].image, together[2].image) > 10  # another seed
    plain = AutoPipelineForText2Image.from_pretrained(folder)
    plain.set_progress_bar_config(disable=True)
    picture = plain(
        SOFA.prompt,
        negative_prompt=SOFA.negative_prompt,
        height=64,
        width=64,
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(SOFA.seed),
        output_type="np",
    ).images[0]
    assert difference(together[0].image, np.rint(picture * 255)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_large_scene_is_painted_in_tiles_of_the_models_size(tiny_families, family, monkeypatch):
    requests = [replace(SOFA, scale=2), replace(SOFA, scale=2, width=130), replace(SOFA, scale=2, seed=3), SOFA]
    with settings(tiny_families(family)).lease() as generate:
        (small,) = generate([SOFA])
        with generate._shared.use() as model:
            pipeline = model._pipeline
        kind = type(getattr(pipeline, "transformer", None) or pipeline.unet)
        sizes, forward = set(), kind.forward

        @functools.wraps(forward)
        def watched(self, *args, **kwargs):
            given = args[0] if args else next(iter(kwargs.values()))
            sizes.add(given[0].numel())
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(kind, "forward", watched)
        generate([SOFA, replace(SOFA, width=130)])
        own = {*sizes}
        large, wide, other, again = generate(requests)
        (alone,) = generate(requests[:1])
    assert sizes == own, "no tile is larger than the model's own scene"
    assert [scene.image.shape[:2] for scene in (large, wide, other, again)] == [
        (128, 128),
        (128, 192),
        (128, 128),
        (64, 64),
    ]
    assert difference(large.image, alone.image) <= 1
    assert difference(again.image, small.image) <= 1, "nothing of it stays"
    assert difference(large.image, other.image) > 10


@pytest.mark.slow
def test_what_cannot_paint_in_tiles_is_refused_by_name():
    import diffusers

    plain = diffusers.DDPMPipeline(
        diffusers.UNet2DModel(
            sample_size=8,
            block_out_channels=(8,),
            norm_num_groups=4,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
        ),
        diffusers.DDPMScheduler(),
    )
    with pytest.raises(ModelUnavailable, match="DDPMPipeline paints no scene larger than its own"):
        over_painter(plain, 2)
    with pytest.raises(ValueError, match="enlarge needs step_cache 0"):
        TextToImage(step_cache=0.1, enlarge=2)


@pytest.mark.slow
def test_guidance_goes_where_the_pipeline_has_it(tiny_families):
    """Qwen-Image's guidance_scale is for models that it is an input of; it is guided by true_cfg_scale."""
    for family, default in (("Qwen-Image", 4.0), ("FLUX", 3.5)):
        (own,) = scenes(tiny_families(family), [SOFA])
        (other,) = scenes(tiny_families(family), [SOFA], guidance=9.0)
        assert own.figures["guidance"] == default
        assert other.figures["guidance"] == 9
    (with_people,) = scenes(tiny_families("Qwen-Image"), [replace(SOFA, negative_prompt="")])
    (without,) = scenes(tiny_families("Qwen-Image"), [replace(SOFA, negative_prompt="dark people at night")])
    assert difference(with_people.image, without.image) > 0


@pytest.mark.slow
def test_a_picture_that_is_not_finite_is_that_pictures_failure(tiny_families, monkeypatch):
    import diffusers

    real = diffusers.FluxPipeline.__call__

    @functools.wraps(real)
    def broken(self, *args, **kwargs):
        answer = real(self, *args, **kwargs)
        answer.images[0] = np.nan
        answer.images[1] = 0
        return answer

    monkeypatch.setattr(diffusers.FluxPipeline, "__call__", broken)
    first, second, third = scenes(tiny_families("FLUX"), REQUESTS[:3])
    assert isinstance(first, PictureError)
    assert isinstance(second, PictureError)
    assert "black or not finite in float32" in str(first)
    assert isinstance(third, Scene)


@pytest.mark.slow
def test_want_of_memory_for_one_scene_means_tiles(tiny_families, monkeypatch):
    import diffusers
    import torch
    from diffusers.models.autoencoders.vae import Decoder

    forward = Decoder.forward

    def short_of_memory(self, sample, *args, **kwargs):
        if not tiled:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, sample, *args, **kwargs)

    tiled = []
    enable = diffusers.AutoencoderKL.enable_tiling
    monkeypatch.setattr(Decoder, "forward", short_of_memory)
    monkeypatch.setattr(diffusers.AutoencoderKL, "enable_tiling", lambda self: (tiled.append(1), enable(self)))
    (scene,) = scenes(tiny_families("FLUX"), [SOFA])
    assert scene.figures["decoded_in_tiles"] == 1


@pytest.mark.slow
def test_a_single_file_of_the_denoiser_paints_the_same_with_what_its_pipeline_has_beside_it(tiny_families, tmp_path):
    whole = tiny_families("Z-Image")
    described = tmp_path / "described"
    shutil.copytree(whole, described)
    weights = described / "transformer/diffusion_pytorch_model.safetensors"
    file = weights.rename(tmp_path / "ours.safetensors")
    (own,), (single,) = scenes(whole, [SOFA]), scenes(file, [SOFA], config=str(described))
    assert difference(own.image, single.image) == 0
    assert settings(file, config=str(described)).revision != settings(file, config=str(whole)).revision
    (described / "text_encoder/model.safetensors").unlink()
    assert "has no text_encoder/*.safetensors" in settings(file, config=str(described)).missing()
    assert 'Name a pipeline of its kind in the settings, as in config = "ORG/' in settings(file).missing()
    (tmp_path / "text.safetensors").write_text("no weights")
    broken = settings(tmp_path / "text.safetensors", config=str(described)).missing()
    assert "text.safetensors is no safetensors file" in broken


@pytest.mark.slow
def test_a_single_file_of_another_model_is_a_sentence(tiny_families, tmp_path):
    file = shutil.copy(tiny_families("FLUX") / "transformer/diffusion_pytorch_model.safetensors", tmp_path)
    with pytest.raises(ModelUnavailable, match="cannot be loaded as the pipeline in"):
        scenes(file, [SOFA], config=str(tiny_families("Z-Image")))


@pytest.mark.slow
def test_steps_that_hardly_change_are_reused_and_a_scene_does_not_depend_on_the_others(tiny_families, monkeypatch):
    from diffusers.models.transformers.transformer_flux import FluxSingleTransformerBlock as last  # noqa: N813

    computed = []
    forward = last.forward
    monkeypatch.setattr(
        last, "forward", lambda self, *given, **more: (computed.append(1), forward(self, *given, **more))[1]
    )
    flux = tiny_families("FLUX")
    with settings(flux, steps=6, step_cache=1.0).lease() as generate:
        first, *_, again = generate([SOFA, replace(SOFA, prompt="a beach", seed=4), SOFA])
    assert computed == [1] * 3, "the first step of each scene"
    assert difference(first.image, again.image) == 0
    assert first.figures["batch"] == 1
    (whole,) = scenes(flux, [SOFA], steps=6)
    assert len(computed) == 9
    assert difference(first.image, whole.image) > 0
    assert settings(flux, step_cache=0.1).revision != settings(flux).revision
    with pytest.raises(ModelUnavailable, match="ZImagePipeline has no cache of steps: set step_cache to 0"):
        scenes(tiny_families("Z-Image"), [SOFA], step_cache=0.1)


@pytest.mark.slow
def test_what_is_no_text_to_image_pipeline_is_refused_by_name(tiny_families, tmp_path):
    other = tmp_path / "video"
    shutil.copytree(tiny_families("FLUX"), other)
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableVideoDiffusionPipeline"}))
    with pytest.raises(ModelUnavailable, match="is no text-to-image pipeline that diffusers"):
        scenes(other, [SOFA])


@pytest.mark.slow
def test_only_sdxl_paints_around_a_subject(tiny_families):
    subject = Subject(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32))
    with pytest.raises(ModelUnavailable, match="Only SDXL paints around a subject"):
        scenes(tiny_families("FLUX"), [replace(SOFA, subject=subject)])


def test_offload_auto_is_the_quickest_way_that_fits():
    parts = {"transformer": 12 << 30, "text_encoder": 8 << 30}
    chosen = [choose(parts, gib << 30) for gib in (80, 23, 22, 16, 15, 14, 8)]
    assert [way for way, _ in chosen] == ["off", "off", "model", "model", "model", "sequential", "sequential"]
    assert "the weights take 20.0 GiB, the largest part 12.0 GiB, and 8.0 GiB of the GPU are free" in chosen[-1][1]


@pytest.mark.slow
def test_the_parts_sizes_are_those_of_the_loaded_weights(tiny_families):
    import torch
    from diffusers import AutoPipelineForText2Image

    for family, dtype in (("Stable Diffusion 3", torch.float32), ("FLUX", torch.bfloat16)):
        folder = tiny_families(family)
        pipeline = AutoPipelineForText2Image.from_pretrained(folder, dtype=dtype)
        loaded = held(pipeline)
        found = sizes(folder, "", dtype.itemsize)
        assert found.keys() == loaded.keys()
        for name, size in found.items():
            assert size == pytest.approx(loaded[name], rel=0.02, abs=2000), (family, name)


@pytest.mark.slow
def test_offload_without_a_gpu_is_refused(tiny_families):
    with pytest.raises(ModelUnavailable, match="offload = 'model' is for a GPU, and this is cpu"):
        scenes(tiny_families("FLUX"), [SOFA], offload="model")


def index(**parts) -> str:
    return json.dumps({"_class_name": "FluxPipeline"} | parts)


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


SHARDS = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})
WHOLE = {
    "model_index.json": index(
        vae=["diffusers", "AutoencoderKL"],
        text_encoder=["transformers", "T5EncoderModel"],
        tokenizer=["transformers", "T5Tokenizer"],
        image_encoder=[None, None],
    ),
    "vae/config.json": "{}",
    "vae/diffusion_pytorch_model.safetensors": "",
    "text_encoder/config.json": "{}",
    "text_encoder/model.safetensors.index.json": SHARDS,
    "text_encoder/model-00001-of-00002.safetensors": "",
    "text_encoder/model-00002-of-00002.safetensors": "",
    "tokenizer/tokenizer_config.json": "{}",
}


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("text_encoder/model-00002-of-00002.safetensors", "text_encoder/model-00002-of-00002.safetensors"),
        ("vae/diffusion_pytorch_model.safetensors", r"vae/\*.safetensors"),
        ("tokenizer/tokenizer_config.json", "tokenizer/"),
    ],
)
def test_what_a_folder_lacks_is_named_before_it_is_loaded(tmp_path, gone, named):
    place = laid_out(tmp_path, WHOLE)
    assert settings(place).missing() is None
    (place / gone).unlink()
    if not any((place / gone).parent.iterdir()):
        (place / gone).parent.rmdir()
    with pytest.raises(ModelUnavailable, match=f"has no {named}"):
        settings(place).pull()
    assert "Correct the path in the settings" in settings(place).missing()


def test_a_folder_without_a_pipeline_is_a_sentence(tmp_path):
    assert "has no model_index.json" in settings(tmp_path).missing()
    (tmp_path / "model_index.json").write_text("no JSON")
    assert "model_index.json cannot be read" in settings(tmp_path).missing()
    assert "names no pipeline" in settings(laid_out(tmp_path, {"model_index.json": "[]"})).missing()


def test_without_a_model_or_a_commit_it_says_what_to_set():
    assert 'name one in the settings, as in model = "ORG/NAME"' in TextToImage().missing()
    assert "has no revision in the settings" in TextToImage(model="org/name").missing()


def test_what_a_model_was_trained_for_holds_unless_the_settings_say_otherwise():
    schnell = TextToImage(model="black-forest-labs/FLUX.1-schnell", model_revision="a" * 40)
    assert (schnell.taught.steps, schnell.taught.guidance, schnell.taught.longest) == (4, 0.0, 256)
    assert schnell.model_copy(update={"steps": 8}).taught == replace(schnell.taught, steps=8)
    assert schnell.revision != schnell.model_copy(update={"guidance": 2.0}).revision
    assert schnell.revision == schnell.model_copy(update={"batch_size": 1}).revision


COMMIT = "0123abcd" * 5


def test_another_model_by_its_name():
    flux = TextToImage(steps=3).of_model(f"black-forest-labs/FLUX.1-schnell@{COMMIT}")
    assert (flux.model, flux.model_revision, flux.size) == ("black-forest-labs/FLUX.1-schnell", COMMIT, 1024)
    assert flux.taught == replace(TAUGHT[flux.model], steps=3, size=0)
    early = f"stable-diffusion-v1-5/stable-diffusion-v1-5@{COMMIT}"
    assert TextToImage(batch_size=2).of_model(early).size == 512, "what it was trained for"
    assert TextToImage(size=768).of_model(early).size == 768, "the settings say so"
    assert TextToImage().of_model("/a/fine-tune.safetensors").model == "/a/fine-tune.safetensors"
    for wrong in ("FLUX.1-schnell", "org/name", "org/name@main"):
        with pytest.raises(ValueError, match="name it with a full commit, as text_to_image:ORG/NAME@"):
            TextToImage().of_model(wrong)


def test_a_licence_that_forbids_commercial_use_needs_consent(tmp_path):
    dev = TextToImage(model="black-forest-labs/FLUX.1-dev", model_revision=COMMIT)
    assert "forbids commercial use: consent with non_commercial = true under [text_to_image]" in dev.refusal()
    assert dev.model_copy(update={"non_commercial": True}).refusal() is None
    place = laid_out(tmp_path, WHOLE)
    assert (settings(place).licence, settings(place).refusal()) == ("see its publisher", None)
    (place / "README.md").write_text("---\nlicense: other\nlicense_name: ours-non-commercial\n---\nA model.\n")
    assert settings(place).licence == "ours-non-commercial"
    assert "ours-non-commercial) forbids commercial use" in settings(place).missing()
    (place / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert (settings(place).licence, settings(place).missing()) == ("apache-2.0", None)


def test_files_of_other_programs_and_other_variants_are_left():
    there = [
        "README.md",
        "flux1-schnell.safetensors",
        "text_encoders/t5xxl_fp16.safetensors",
        *WHOLE,
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/model.fp16-00001-of-00001.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
        "tokenizer/spiece.model",
    ]
    plain = needed(there)
    assert set(plain) == {*WHOLE, "tokenizer/spiece.model", "README.md"}, "and the card, for its licence"
    half = needed(there, "fp16")
    assert set(half) - set(plain) == {
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16-00001-of-00001.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
    }
    assert not any("-of-00002" in name for name in half)
    assert variant_of("unet/diffusion_pytorch_model.non_ema.safetensors") == "non_ema"
    assert variant_of("vae/diffusion_pytorch_model-00001-of-00003.safetensors") == ""


@pytest.mark.slow
def test_a_call_that_broke_leaves_nothing_to_the_next(tiny_families, monkeypatch):
    """Neither a cache of steps nor, with an offload, a part on the card."""
    from diffusers import FlowMatchEulerDiscreteScheduler as Scheduler

    step, calls = Scheduler.step, itertools.count()

    def broken_once(self, *given, **more):
        if next(calls) == 8:
            raise RuntimeError("a step went wrong")
        return step(self, *given, **more)

    monkeypatch.setattr(Scheduler, "step", broken_once)
    whole, failed, again = scenes(tiny_families("FLUX"), [SOFA, replace(SOFA, seed=4), SOFA], steps=6, step_cache=1.0)
    assert "a step went wrong" in str(failed)
    assert difference(whole.image, again.image) == 0
