"""ViTMatte through its lease, with a small model of its class and random weights."""

import shutil

import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.masks.vitmatte import VitMatte
from resources.runtime.batches import PictureError

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tiny_vitmatte):
    return {"model": str(tiny_vitmatte), "device": "cpu"}


def picture(height=50, width=77, seed=0):
    """Noise, and a trimap with all three values."""
    trimap = np.zeros((height, width), np.float32)
    trimap[10:-10, 10:-10] = 0.5
    trimap[20:-20, 20:-20] = 1
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8), trimap


def solved(settings, *pictures):
    with VitMatte(**settings).lease() as model:
        return model.alphas([image for image, _ in pictures], [trimap for _, trimap in pictures])


def test_it_answers_as_transformers_own_processor_and_model_do(settings, tiny_vitmatte):
    import torch
    from transformers import VitMatteForImageMatting, VitMatteImageProcessor

    image, trimap = picture()
    # The processor has bytes for a trimap; its half is 128/255.
    given = VitMatteImageProcessor()(images=image, trimaps=np.rint(trimap * 255).astype(np.uint8), return_tensors="pt")
    with torch.inference_mode():
        expected = VitMatteForImageMatting.from_pretrained(tiny_vitmatte).eval()(**given).alphas[0, 0].numpy()
    (alpha,) = solved(settings, (image, np.rint(trimap * 255).astype(np.float32) / 255))
    assert alpha.shape == (50, 77)
    assert alpha.dtype == np.float32
    np.testing.assert_allclose(alpha, expected[:50, :77], atol=1e-4)
    assert np.ptp(alpha) > 0.1


def test_what_goes_with_a_picture_does_not_change_its_answer(settings):
    pictures = [picture(50, 77), picture(64, 96, seed=1), picture(150, 80, seed=2), picture(33, 65, seed=3)]
    together = solved(settings | {"batch_size": 4}, *pictures)
    for one, answer in zip(pictures, together, strict=True):
        np.testing.assert_allclose(answer, solved(settings, one)[0], atol=1e-4)


def test_a_picture_that_breaks_the_model_is_alone(settings):
    with VitMatte(**settings).lease() as model:
        inner = model._batches._function

        def refuses(pictures):
            if not all(image.any() for image, _ in pictures):
                raise ValueError("black")
            return inner(pictures)

        model._batches._function = refuses
        black = (picture()[0] * 0, picture()[1])
        first, second, third = model.alphas(*zip(picture(), black, picture(seed=1), strict=True))
    assert isinstance(second, ValueError)
    assert first.shape == third.shape == (50, 77)


def test_weights_that_are_not_finite_are_said(settings):
    with VitMatte(**settings).lease() as model:
        model.alphas(*zip(picture(), strict=True))
        with model._shared.use() as solver:
            next(solver.args[0].parameters()).data.fill_(float("nan"))
        (broken,) = model.alphas(*zip(picture(), strict=True))
    assert isinstance(broken, PictureError)
    assert "not finite" in str(broken)


def test_out_of_memory_halves_the_batch(settings):
    with VitMatte(**settings | {"batch_size": 4}).lease() as model:
        seen = []
        inner = model._batches._function

        def crowded(pictures):
            seen.append(len(pictures))
            if len(pictures) > 1:
                raise RuntimeError("CUDA out of memory.")
            return inner(pictures)

        model._batches._function = crowded
        answers = model.alphas(*zip(*[picture(seed=n) for n in range(4)], strict=True))
    assert [answer.shape for answer in answers] == [(50, 77)] * 4
    assert seen == [4, 2, 1, 1, 1, 1]


def test_it_runs_in_the_half_precision_that_is_asked_for(settings):
    import torch

    with VitMatte(**settings, dtype="bfloat16").lease() as model:
        (alpha,) = model.alphas(*zip(picture(), strict=True))
        with model._shared.use() as solver:
            assert {one.dtype for one in solver.args[0].parameters()} == {torch.bfloat16}
    assert alpha.dtype == np.float32
    assert np.abs(alpha - solved(settings, picture())[0]).mean() < 0.05


def test_nothing_is_loaded_before_the_first_call_and_nothing_kept_after(settings):
    with VitMatte(**settings).lease() as model:
        assert model._shared.loads == 0
        model.alphas(*zip(picture(), strict=True))
        assert model._shared.loads == 1
    assert model._shared._model is None


def test_a_device_that_is_not_there_is_a_fault(settings):
    with pytest.raises(MachineFault, match="no CUDA device"):
        solved(settings | {"device": "cuda"}, picture())


def test_weights_that_are_not_here_are_a_fault_with_the_command_that_gets_them(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"vitmatte-small.*vivid models pull"):
        solved({"device": "cpu"}, picture())


def test_weights_that_lack_a_part_are_refused(settings, tiny_vitmatte, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_vitmatte, tmp_path / "lacking")
    weights = load_file(folder / "model.safetensors")
    lost = next(iter(weights))
    save_file({name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors")
    with pytest.raises(ModelUnavailable, match=rf"does not fit its config\.json: no .*{lost.split('.')[-1]}"):
        solved(settings | {"model": str(folder)}, picture())


def test_the_revision_is_of_weights_band_and_precision(settings):
    revision = VitMatte(**settings).revision
    assert revision == VitMatte(**settings | {"batch_size": 1, "device": "auto"}).revision
    others = [settings | {"band": 0.02}, settings | {"dtype": "bfloat16"}, {}, {"model_revision": "0" * 40}]
    assert len({revision, *(VitMatte(**other).revision for other in others)}) == 5
