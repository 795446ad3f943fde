"""SDXL with a small random model of the real classes: seeds, batches, guard, samplers, faults."""

import functools
import itertools
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime.batches import PictureError
from resources.runtime.lease import Shared
from resources.scenes.enlarged import over_painter
from resources.scenes.prompt_embeddings import PromptEmbeddings
from resources.scenes.request import Scene, SceneRequest, Subject
from resources.scenes.sdxl import SDXL
from resources.scenes.sdxl_model import SdxlModel
from tests.support.single_file import save_sdxl_in_one_file

pytestmark = pytest.mark.slow

SOFA = SceneRequest("a red sofa in a bright room", "people", 1, 64, 64)
# Sums of float32 in another order for another batch: less than one level before rounding, so one after it.
LEVELS = 1


@pytest.fixture
def settings(tiny_sdxl):
    return {
        "model": str(tiny_sdxl),
        "vae": str(tiny_sdxl / "vae-fix"),
        "size": 64,
        "steps": 2,
        "device": "cpu",
        "batch_size": 4,
    }


def make(settings, requests):
    with SDXL(**settings).lease() as generate:
        return generate(requests)


def difference(one: Scene, other: Scene) -> int:
    return int(np.abs(one.image.astype(int) - other.image).max())


@pytest.fixture
def unet_batches(monkeypatch):
    """The batch size of every call of the UNet."""
    import diffusers

    sizes: list[int] = []
    forward = diffusers.UNet2DConditionModel.forward

    def counted(self, sample, *args, **kwargs):
        sizes.append(len(sample))
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(diffusers.UNet2DConditionModel, "forward", counted)
    return sizes


def test_one_picture_is_the_same_alone_and_in_any_batch(settings, unet_batches):
    requests = [
        SOFA,
        replace(SOFA, prompt="a beach"),
        replace(SOFA, seed=2),
        replace(SOFA, height=64, width=130),
        replace(SOFA, negative_prompt=""),
    ]
    with SDXL(**settings).lease() as generate:
        together = generate(requests)
        assert unet_batches == [8, 8, 2, 2]  # twice for guidance: four squares at once, then the wide one
        alone = [generate([request])[0] for request in requests]
    assert [scene.image.shape for scene in together] == [(64, 64, 3)] * 3 + [(64, 96, 3)] + [(64, 64, 3)]
    for one, other in zip(together, alone, strict=True):
        assert difference(one, other) <= LEVELS
    assert difference(together[0], together[1]) > 10
    assert difference(together[0], together[2]) > 10
    assert together[0].figures["batch"] == 4


def test_it_is_what_diffusers_makes_of_the_same_noise(settings, tiny_sdxl):
    import diffusers
    import torch

    vae = diffusers.AutoencoderKL.from_pretrained(tiny_sdxl / "vae-fix")
    plain = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, variant="fp16", vae=vae).to(torch.float32)
    plain.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(
        plain.scheduler.config, algorithm_type="dpmsolver++", final_sigmas_type="zero"
    )
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(SOFA.seed))
    picture = plain(
        SOFA.prompt,
        negative_prompt=SOFA.negative_prompt,
        height=64,
        width=64,
        num_inference_steps=2,
        guidance_scale=7.5,
        latents=noise,
        output_type="np",
    ).images[0]
    (scene,) = make(settings, [SOFA])
    assert difference(scene, Scene((picture * 255).round().astype(np.uint8), {})) <= LEVELS


def test_a_second_lease_loads_nothing_while_the_first_is_held_and_nothing_stays(settings):
    loads = []
    load = Shared._loaded
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shared, "_loaded", lambda self, device: loads.append(1) or load(self, device))
        with SDXL(**settings).lease() as first:
            first([SOFA])
            with SDXL(**settings).lease() as second:
                second([SOFA])
            first([SOFA])
        assert len(loads) == 1


def test_each_distinct_text_is_embedded_once(settings, monkeypatch):
    import diffusers

    texts = []
    encode = diffusers.StableDiffusionXLPipeline.encode_prompt
    monkeypatch.setattr(
        diffusers.StableDiffusionXLPipeline,
        "encode_prompt",
        lambda self, *a, **k: (texts.append(a[0]) if a else None) or encode(self, *a, **k),
    )
    requests = [replace(SOFA, seed=seed, prompt=f"room {seed % 2}") for seed in range(6)]
    with SDXL(**settings).lease() as generate:
        generate(requests)
        generate(requests)
    assert sorted(texts) == ["people", "room 0", "room 1"]


def test_no_word_of_a_long_prompt_is_lost(settings):
    words = [f"word{n}" for n in range(60)]  # two or three tokens each
    first = SceneRequest(" ".join([*words, "golden"]), "people", 1, 64, 64)
    last = SceneRequest(" ".join([*words, "silver"]), "people", 1, 64, 64)
    golden, silver, short = make(settings, [first, last, SOFA])
    assert difference(golden, silver) > 0
    (alone,) = make(settings, [SOFA])
    assert difference(short, alone) <= LEVELS


def test_long_texts_are_cut_between_words_within_the_limit(tiny_sdxl):
    import diffusers

    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, variant="fp16")
    texts = PromptEmbeddings(pipeline)
    long = " ".join(f"word{n}," for n in range(100))
    parts = texts.parts(long)
    assert len(parts) > 1
    assert " ".join(parts) == long
    for part in parts:
        assert len(pipeline.tokenizer(part).input_ids) <= 77
    assert texts.parts("a short one") == ["a short one"]
    assert texts.parts("") == [""]


@pytest.mark.parametrize("where", ["latents", "decoder"])
def test_a_broken_half_precision_picture_is_made_again_in_float32(settings, monkeypatch, where):
    import torch

    break_in(monkeypatch, where, lambda tensor: tensor.dtype == torch.bfloat16)
    scenes = make(settings | {"dtype": "bfloat16"}, [SOFA, replace(SOFA, seed=2)])
    for scene in scenes:
        assert scene.figures["retried_in_float32"] == 1
        assert scene.image.std() > 5


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("value", [float("nan"), -1.0])
def test_a_picture_broken_in_every_precision_is_that_pictures_failure(settings, monkeypatch, dtype, value):
    break_in(monkeypatch, "decoder", lambda _: True, value)
    (scene,) = make(settings | {"dtype": dtype}, [SOFA])
    assert isinstance(scene, PictureError)
    assert "black or not finite" in str(scene)


def test_after_a_retry_the_model_is_back_in_its_precision(settings, monkeypatch):
    import torch

    with pytest.MonkeyPatch.context() as patch:
        break_in(patch, "decoder", lambda tensor: tensor.dtype == torch.bfloat16)
        with SDXL(**settings, dtype="bfloat16").lease() as generate:
            generate([SOFA])
            patch.undo()
            (scene,) = generate([SOFA])
    assert scene.figures["retried_in_float32"] == 0


def break_in(monkeypatch, where, when, value=float("nan")):
    """Let the UNet's or the decoder's answer be ``value`` where ``when`` holds for its input."""
    import diffusers
    import torch

    if where == "latents":
        owner, name = diffusers.UNet2DConditionModel, "forward"
    else:
        owner, name = diffusers.AutoencoderKL, "decode"
    real = getattr(owner, name)

    def broken(self, tensor, *args, **kwargs):
        answer = real(self, tensor, *args, **kwargs)
        return (torch.full_like(answer[0], value),) if when(tensor) else answer

    monkeypatch.setattr(owner, name, broken)


def test_out_of_memory_at_the_second_batch_halves_and_all_are_made(settings, monkeypatch):
    import torch

    sizes = []
    real = SdxlModel.make

    def short_of_memory(self, requests, sides):
        sizes.append(len(requests))
        if len(sizes) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, requests, sides)

    monkeypatch.setattr(SdxlModel, "make", short_of_memory)
    scenes = make(settings | {"batch_size": 2}, [replace(SOFA, seed=seed) for seed in range(5)])
    assert sizes == [2, 2, 1, 1, 1]
    assert all(isinstance(scene, Scene) for scene in scenes)


def test_a_request_that_breaks_is_alone(settings):
    no_text = replace(SOFA, prompt=None)
    wrong = Subject(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32))
    scenes = make(settings, [SOFA, no_text, replace(SOFA, subject=wrong), replace(SOFA, seed=2)])
    assert [isinstance(scene, Scene) for scene in scenes] == [True, False, False, True]


def test_around_a_subject_only_the_rest_is_painted(settings):
    image = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    whole = Subject(image, np.ones((60, 70), np.float32))
    nothing = Subject(image, np.zeros((60, 70), np.float32))
    requests = [
        replace(SOFA, prompt=prompt, subject=subject)
        for subject in (whole, nothing)
        for prompt in ("a beach", "a forest at night")
    ]
    kept, kept_too, painted, painted_too = make(settings, requests)
    assert difference(kept, kept_too) <= LEVELS
    assert difference(painted, painted_too) > 5
    assert requests[0].key("m") != requests[2].key("m")
    assert requests[0].key("m") != replace(SOFA, prompt="a beach").key("m")


def test_the_model_s_own_decoder_stays_in_float32_after_painting_in_place(settings):
    import torch

    nothing = Subject(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32))
    own = settings | {"vae": "", "dtype": "float16", "model": with_vae(settings, force_upcast=True)}
    with SDXL(**own).lease() as generate:
        first = generate([SOFA, replace(SOFA, subject=nothing)])
        with generate._shared.use() as model:
            assert model._pipeline.vae.dtype == torch.float32
            assert model._pipeline.unet.dtype == torch.float16
        (again,) = generate([SOFA])
    assert difference(first[0], again) <= LEVELS
    assert all(scene.figures["retried_in_float32"] == 0 for scene in [*first, again])


def with_vae(settings, **config) -> str:
    """A copy of the model with another configuration of its own VAE."""
    copy = Path(tempfile.mkdtemp(dir=Path(settings["model"]).parent)) / "model"
    shutil.copytree(settings["model"], copy)
    file = copy / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return str(copy)


def test_a_decoder_with_statistics_of_its_latents_is_given_them(settings):
    import diffusers
    import torch

    statistics = {"latents_mean": [-1.6, 1.1, 0.7, -0.2], "latents_std": [8.4, 5.9, 5.4, 5.1], "scaling_factor": 0.5}
    own = settings | {"vae": "", "model": with_vae(settings, **statistics)}
    plain = diffusers.StableDiffusionXLPipeline.from_pretrained(own["model"], variant="fp16").to(torch.float32)
    plain.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(plain.scheduler.config)
    picture = plain(
        SOFA.prompt,
        negative_prompt=SOFA.negative_prompt,
        height=64,
        width=64,
        num_inference_steps=2,
        guidance_scale=7.5,
        latents=torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(SOFA.seed)),
        output_type="np",
    ).images[0]
    (scene,) = make(own, [SOFA])
    assert difference(scene, Scene((picture * 255).round().astype(np.uint8), {})) <= LEVELS
    subject = Subject(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32))
    with pytest.raises(ModelUnavailable, match="cannot paint in place: its VAE has latents_mean"):
        make(own, [replace(SOFA, subject=subject)])


def test_no_memory_to_decode_means_tiles_and_no_step_again(settings, monkeypatch, unet_batches):
    import diffusers
    import torch

    whole = make(settings, [SOFA, replace(SOFA, seed=2)])
    steps = len(unet_batches)
    forward = diffusers.models.autoencoders.vae.Decoder.forward

    def short_of_memory(self, sample, *args, **kwargs):
        if sample.shape[-1] > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(diffusers.models.autoencoders.vae.Decoder, "forward", short_of_memory)
    tiled = make(settings, [SOFA, replace(SOFA, seed=2)])
    assert len(unet_batches) == 2 * steps
    assert [scene.figures["decoded_in_tiles"] for scene in whole + tiled] == [0, 0, 1, 1]
    monkeypatch.undo()
    with SDXL(**settings).lease() as generate:
        generate([SOFA])
        with generate._shared.use() as model:
            vae = model._pipeline.vae
            vae.enable_tiling()
            vae.tile_sample_min_size, vae.tile_latent_min_size = 32, 4
        expected = generate([SOFA, replace(SOFA, seed=2)])
    assert all(difference(one, other) <= LEVELS for one, other in zip(tiled, expected, strict=True))


@pytest.mark.soak
@pytest.mark.parametrize("how", ["blocks", "whole"])
def test_compiled_a_broken_picture_is_made_again_without_compiling_anew(settings, monkeypatch, how):
    import torch

    compiled = []
    real = torch.compile
    backend = lambda graph, _: compiled.append(1) or graph.forward  # noqa: E731
    monkeypatch.setattr(torch, "compile", lambda *a, **k: real(*a, **k, backend=backend))
    with SDXL(**settings, dtype="bfloat16", compile=how).lease() as generate:
        (sound,) = generate([SOFA])
        before = len(compiled)
        assert before
        with generate._shared.use() as model:
            decoded = model._decoded
            answers = iter([[None]])
            monkeypatch.setattr(model, "_decoded", lambda latents: next(answers, None) or decoded(latents))
        (again,) = generate([SOFA])
    assert (sound.figures["retried_in_float32"], again.figures["retried_in_float32"]) == (0, 1)
    assert len(compiled) == before
    torch._dynamo.reset()


@pytest.mark.parametrize("how", ["blocks", pytest.param("whole", marks=pytest.mark.soak)])
def test_compiled_it_is_traced_without_a_break_and_not_again_for_tiles(settings, monkeypatch, how):
    """Dynamo's tracing (``fullgraph``) is real; the machine code that Inductor would make is left out."""
    import torch

    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **k: real(*a, **k, backend="eager"))
    requests = [replace(SOFA, seed=seed) for seed in range(3)]
    graphs = torch._dynamo.utils.counters["stats"]
    with SDXL(**settings | {"compile": how, "batch_size": 2}).lease() as generate:
        compiled = generate(requests)
        before = graphs["unique_graphs"]
        generate([LARGE, replace(LARGE, seed=2)])
        assert graphs["unique_graphs"] == before > 0, "tiles are what it was compiled for"
    plain = make(settings | {"batch_size": 2}, requests)
    assert all(difference(one, other) <= LEVELS for one, other in zip(compiled, plain, strict=True))
    torch._dynamo.reset()


def test_a_compiler_that_is_missing_stops_before_any_picture(settings, monkeypatch, tmp_path):
    import torch

    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is as before afterwards
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    # As a part of PyTorch that diffusers imports does.
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    cache_dir()
    assert "TORCHINDUCTOR_CACHE_DIR" in os.environ

    def no_compiler(function, **_):
        def call(*_):
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

        return call

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(ModelUnavailable, match=r"No working C\+\+ compiler found.*apt install g\+\+.*compile to off"):
        make(settings | {"compile": "blocks"}, [SOFA])
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "vivid-assets-compiled"), "kept beside the weights"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "ours"))
    with pytest.raises(ModelUnavailable):
        make(settings | {"compile": "blocks"}, [SOFA])
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "ours"), "what is set is left alone"


def test_auto_never_computes_on_the_cpu(settings, monkeypatch):
    """Scenes at full size would take hours there; ``device: cpu`` is how to ask for that."""
    for module in ("generator", "sdxl"):
        monkeypatch.setattr(
            f"resources.scenes.{module}.device_trouble", lambda asked="auto": None if asked == "cpu" else "no GPU"
        )
    with pytest.raises(ModelUnavailable, match="SDXL cannot compute here: no GPU; with device cpu"):
        make(settings | {"device": "auto"}, [SOFA])
    assert SDXL(**settings | {"device": "auto"}).unusable().startswith("SDXL cannot compute here: no GPU")
    assert SDXL(**settings | {"device": "cpu"}).unusable() is None


def test_lightning_takes_a_distilled_unet_of_the_same_shape(settings, tiny_sdxl, tmp_path, unet_batches):
    import diffusers
    from safetensors.torch import save_file

    unet = diffusers.UNet2DConditionModel.from_pretrained(tiny_sdxl / "unet", variant="fp16")
    save_file(unet.state_dict(), tmp_path / "sdxl_lightning_4step_unet.safetensors")
    few = {**settings, "sampler": "lightning-4", "sampler_weights": str(tmp_path), "steps": 0}
    (scene,) = make(few, [SOFA])
    assert scene.figures["steps"] == 4
    assert unet_batches == [1, 1, 1, 1]  # no guidance, no second pass
    assert SDXL(**few).revision != SDXL(**settings).revision


def test_lcm_takes_its_guidance_as_an_input(settings, tmp_path, unet_batches):
    import diffusers

    from benchmarks.speed.architectures import TINY_UNET

    unet = diffusers.UNet2DConditionModel(**TINY_UNET, time_cond_proj_dim=16)
    unet.save_pretrained(tmp_path, variant="fp16")
    few = {**settings, "sampler": "lcm", "sampler_weights": str(tmp_path), "steps": 0}
    requests = [SOFA, replace(SOFA, seed=2)]
    together = make(few, requests)
    assert unet_batches == [2, 2, 2, 2]
    alone = [make(few, [request])[0] for request in requests]
    # Its steps draw new noise: from each picture's own generator, so the batch makes no difference.
    assert all(difference(one, other) <= LEVELS for one, other in zip(together, alone, strict=True))


def test_lcm_from_the_hub_needs_a_commit(settings, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    lcm = SDXL(**settings | {"sampler": "lcm"})
    assert "set sampler_revision to a full commit of latent-consistency/lcm-sdxl" in lcm.missing()
    with pytest.raises(ModelUnavailable, match="sampler_revision"):
        make(settings | {"sampler": "lcm"}, [SOFA])
    pinned = SDXL(**settings | {"sampler": "lcm", "sampler_revision": "a" * 40})
    assert f"vivid models pull latent-consistency/lcm-sdxl@{'a' * 40}`" in pinned.missing()
    assert pinned.revision != lcm.revision


@pytest.mark.parametrize("lacking", ["tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("folder", ["tokenizer", "tokenizer_2"])
def test_a_tokenizer_that_is_not_whole_is_missed_by_name(settings, tiny_sdxl, tmp_path, folder, lacking):
    copy = tmp_path / "model"
    shutil.copytree(tiny_sdxl, copy)
    (copy / folder / lacking).unlink()
    (copy / folder / "vocab.json").touch()
    named = f"{folder}/{lacking}" if "config" in lacking else f"{folder}/merges.txt or {folder}/tokenizer.json"
    assert f"has no {named}. Correct" in SDXL(**settings | {"model": str(copy)}).missing()


def test_a_lora_without_peft_says_what_to_install(settings, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    (tmp_path / "Hyper-SDXL-8steps-lora.safetensors").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r"sampler hyper-8 needs .* peft. Install with: .* install peft"):
        make({**settings, "sampler": "hyper-8", "sampler_weights": str(tmp_path)}, [SOFA])


def test_cuda_on_a_machine_without_is_a_fault(settings, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(MachineFault, match="no CUDA device"):
        make(settings | {"device": "cuda"}, [SOFA])


def test_missing_and_damaged_files_are_named(settings, tiny_sdxl, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    copy = tmp_path / "copy"
    shutil.copytree(tiny_sdxl, copy)
    weights = copy / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="could not be loaded"):
        make(settings | {"model": str(copy)}, [SOFA])
    weights.unlink()
    with pytest.raises(ModelUnavailable, match=r"has no unet/diffusion_pytorch_model\.fp16\.safetensors"):
        make(settings | {"model": str(copy)}, [SOFA])
    with pytest.raises(ModelUnavailable, match="vivid models pull"):
        make({"size": 64, "device": "cpu"}, [SOFA])


def test_what_is_missing_is_known_without_loading(settings, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert SDXL(**settings).missing() is None
    assert "vivid models pull" in SDXL().missing()
    assert SDXL(download=True).missing() is None
    assert "/nowhere does not exist" in SDXL(**settings | {"vae": "/nowhere"}).missing()


def test_the_revision_follows_what_changes_a_scene(settings):
    revision = SDXL(**settings).revision
    assert SDXL(**settings | {"batch_size": 1}, compile="blocks").revision == revision
    for change in ({"steps": 3}, {"guidance": 5.0}, {"dtype": "bfloat16"}, {"size": 128}, {"vae": ""}):
        assert SDXL(**settings | change).revision != revision, change


def test_guidance_ends_where_it_is_asked_to_for_every_scene_of_a_batch(settings, unet_batches):
    requests = [SOFA, replace(SOFA, prompt="a beach"), replace(SOFA, seed=2)]
    part = settings | {"steps": 4, "guided": 0.5}
    together = make(part, requests)
    assert unet_batches == [6, 6, 3, 3]
    del unet_batches[:]
    for one, request in zip(together, requests, strict=True):
        assert difference(one, make(part, [request])[0]) <= LEVELS
    assert unet_batches == [2, 2, 1, 1] * 3
    assert difference(together[0], make(settings | {"steps": 4}, [SOFA])[0]) > LEVELS
    assert SDXL(**part).revision != SDXL(**settings | {"steps": 4}).revision


def test_guidance_ends_where_it_is_painted_in_place_too(settings, unet_batches):
    subject = Subject(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32))
    requests = [replace(SOFA, subject=subject), replace(SOFA, seed=2, subject=subject)]
    scenes = make(settings | {"steps": 2, "guided": 0.5}, requests)
    assert unet_batches == [4, 2]
    assert all(isinstance(scene, Scene) for scene in scenes)


def test_encoders_are_on_the_device_only_while_they_read_new_prompts(settings, monkeypatch):
    import transformers

    moves = []
    move = transformers.CLIPTextModelWithProjection.to
    monkeypatch.setattr(
        transformers.CLIPTextModelWithProjection,
        "to",
        lambda self, *to, **more: (moves.append(to), move(self, *to, **more))[1],
    )
    whole = make(settings, [SOFA, replace(SOFA, prompt="a beach")])
    del moves[:]
    with SDXL(**settings | {"offload": "encoders"}).lease() as generate:
        apart = generate([SOFA, replace(SOFA, prompt="a beach")])
        # To the device with the pipeline and off it, on and off it for the prompts of the batch.
        assert len(moves) == 4
        again = generate([replace(SOFA, seed=5)])
        assert len(moves) == 4, "it has read these prompts"
        generate([replace(SOFA, prompt="a meadow")])
        assert len(moves) == 6
    assert [difference(*pair) for pair in zip(whole, apart, strict=True)] == [0, 0]
    assert isinstance(again[0], Scene)


def test_a_single_file_paints_as_the_folder_that_it_was_made_of(settings, tiny_sdxl, tmp_path, monkeypatch):
    import diffusers

    folder = make(settings | {"vae": ""}, [SOFA])[0]
    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, variant="fp16")
    file = save_sdxl_in_one_file(pipeline, tmp_path / "ours.safetensors")
    single = settings | {"model": str(file), "vae": "", "config": str(tiny_sdxl)}
    assert difference(make(single, [SOFA])[0], folder) == 0
    assert SDXL(**single).revision != SDXL(**single | {"vae": settings["vae"]}).revision
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    lacking = SDXL(**single | {"config": ""})
    assert "Fetch the configuration of stabilityai/stable-diffusion-xl-base-1.0, a few megabytes" in lacking.missing()
    assert not any(name.endswith(".safetensors") for files in lacking.weights()[1:] for name in files.files)


LARGE = replace(SOFA, scale=2)


@pytest.fixture
def seen(monkeypatch):
    """The sides that the UNet, the encoder and the decoder see, by class."""
    import diffusers
    from diffusers.models.autoencoders.vae import Decoder, Encoder

    sides: dict[str, set[tuple[int, ...]]] = {}

    def watch(kind, forward):
        def watched(self, sample, *args, **kwargs):
            sides.setdefault(kind.__name__, set()).add(tuple(sample.shape[-2:]))
            return forward(self, sample, *args, **kwargs)

        # As it was, for who asks for its arguments.
        monkeypatch.setattr(kind, "forward", functools.wraps(forward)(watched))

    for kind in (diffusers.UNet2DConditionModel, Encoder, Decoder):
        watch(kind, kind.forward)
    return sides


def test_a_large_scene_takes_the_memory_of_one_of_the_models_size_and_is_the_same_in_any_batch(settings, seen):
    subject = Subject(np.full((64, 64, 3), 200, np.uint8), np.float32(np.arange(64)[:, None] < 32).repeat(64, 1))
    requests = [
        LARGE,
        SOFA,
        replace(LARGE, prompt="a beach"),
        replace(LARGE, seed=2),
        replace(LARGE, width=130, scale=3),
        replace(LARGE, subject=subject),
    ]
    with SDXL(**settings).lease() as generate:
        together = generate(requests)
        alone = [generate([request])[0] for request in requests]
    square, wide = (128, 128), (192, 288)
    assert [scene.image.shape[:2] for scene in together] == [square, (64, 64), square, square, wide, square]
    assert [scene.figures["batch"] for scene in together] == [3, 1, 3, 3, 1, 1]
    assert [scene.figures["scale"] for scene in together] == [2, 1, 2, 2, 3, 2]
    for one, other in zip(together, alone, strict=True):
        assert difference(one, other) <= LEVELS
    assert difference(together[0], together[2]) > 10
    assert difference(together[0], together[3]) > 10
    assert seen["UNet2DConditionModel"] == {(8, 8), (8, 12)}
    assert max(max(sides) for sides in seen["Encoder"]) <= 96
    assert max(max(sides) for sides in seen["Decoder"]) <= 12


def test_tiles_leave_no_trace(settings, tiny_sdxl, monkeypatch):
    """A denoiser that sees one place at a time says the same in tiles: as diffusers' own call without any does."""
    import diffusers
    import torch

    real = diffusers.UNet2DConditionModel.forward

    @functools.wraps(real)
    def here(self, sample, timestep, encoder_hidden_states, *args, **kwargs):
        return (0.3 * sample + 0.1 * sample.roll(1, dims=1).tanh(),)

    monkeypatch.setattr(diffusers.UNet2DConditionModel, "forward", here)
    small, large = make(settings, [SOFA, LARGE])
    vae = diffusers.AutoencoderKL.from_pretrained(tiny_sdxl / "vae-fix")
    vae.enable_tiling()
    plain = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(tiny_sdxl, variant="fp16", vae=vae)
    plain.to(torch.float32)
    plain.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(plain.scheduler.config)
    enlarged = cv2.resize(small.image, (128, 128), interpolation=cv2.INTER_CUBIC)
    picture = plain(
        LARGE.prompt,
        negative_prompt=LARGE.negative_prompt,
        image=enlarged[None] / np.float32(255),
        strength=0.3,
        num_inference_steps=4,
        guidance_scale=7.5,
        generator=torch.Generator().manual_seed(LARGE.seed + 1),
        output_type="np",
    ).images[0]
    assert difference(large, Scene((picture * 255).round().astype(np.uint8), {})) <= LEVELS


def test_however_tiles_differ_what_they_say_together_has_no_step(tiny_sdxl, monkeypatch):
    import diffusers
    import torch

    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(tiny_sdxl, variant="fp16", add_watermarker=False)
    tiles = itertools.count()

    def other_each_time(self, sample, timestep, encoder_hidden_states):
        return (torch.full_like(sample, next(tiles) % 2),)

    real = diffusers.UNet2DConditionModel.forward
    monkeypatch.setattr(diffusers.UNet2DConditionModel, "forward", functools.wraps(real)(other_each_time))
    for scale, count in ((2, 9), (3, 16), (4, 25)):
        tiles = itertools.count()
        (said,) = over_painter(pipeline, scale).unet(torch.zeros(1, 4, scale * 32, scale * 48), 0, None)
        assert next(tiles) == count
        assert said.max() - said.min() > 0.3
        assert max(float(said.diff(dim=dim).abs().max()) for dim in (-1, -2)) < 0.15


def test_enlarging_is_in_the_key_and_old_keys_hold():
    assert LARGE.key("m") != SOFA.key("m")
    assert SOFA.key("m", 1024) == "b49fae6fb4a8bb9182369ea7279074c9"
    sdxl = SDXL(enlarge=3)
    sizes = [(800, 1200), (1700, 2600), (3000, 4500), (9000, 9000)]
    assert [sdxl.scale(*size) for size in sizes] == [1, 2, 3, 3]
    assert [SDXL().scale(*size) for size in sizes] == [1] * 4
    assert sdxl.revision == SDXL().revision
