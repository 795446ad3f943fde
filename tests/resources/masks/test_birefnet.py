"""BiRefNet: a folder of custom code as the real one's."""

import sys

import numpy as np
import pytest

from resources.errors import ModelUnavailable
from resources.masks.birefnet import BiRefNet
from resources.runtime.batches import PictureError

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tiny_birefnet):
    return {
        "model": str(tiny_birefnet),
        "trust_remote_code": True,
        "device": "cpu",
        "size": 64,
        "batch_size": 4,
    }


def two_halves(height: int, width: int) -> np.ndarray:
    """Dark on the left, light on the right."""
    image = np.full((height, width, 3), 20, np.uint8)
    image[:, width // 2 :] = 230
    return image


def masks(settings, images):
    with BiRefNet(**settings).lease() as model:
        return model.probabilities(images)


@pytest.mark.parametrize("fit", ["pad", "squash", "dynamic"])
def test_probabilities_lie_where_the_picture_says_at_its_own_size(settings, fit):
    images = [two_halves(*size) for size in ((50, 90), (90, 50), (300, 40), (64, 64), (5, 7))]
    for image, mask in zip(images, masks(settings | {"fit": fit}, images), strict=True):
        assert mask.shape == image.shape[:2]
        assert mask.dtype == np.float32
        quarter = image.shape[1] // 4
        assert mask[:, : quarter or 1].max() < 0.1
        assert mask[:, -(quarter or 1) :].min() > 0.9


def test_a_picture_without_a_subject_is_not_stretched_to_one(settings):
    dark = np.full((40, 40, 3), 20, np.uint8)
    dark[10:20, 10:20] = 25
    (mask,) = masks(settings, [dark])
    assert mask.max() < 0.01


def test_a_batch_gives_what_single_pictures_give(settings):
    images = [two_halves(40 + 10 * n, 60) for n in range(5)]
    together = masks(settings, images)
    alone = [masks(settings, [image])[0] for image in images]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one - other).max() < 1e-5


def test_a_picture_that_the_model_refuses_is_alone(settings):
    images = [two_halves(40, 40), np.full((40, 40, 3), 255, np.uint8), two_halves(40, 40)]
    first, second, third = masks(settings, images)
    assert isinstance(second, ValueError)
    assert "too bright" in str(second)
    assert first.shape == third.shape == (40, 40)


def test_answers_that_are_not_finite_are_that_pictures_failure(settings, monkeypatch):
    from resources.masks import birefnet_load

    monkeypatch.setattr(birefnet_load, "_PROBE", 32)
    with BiRefNet(**settings).lease() as model:
        model.probabilities([two_halves(40, 40)])
        with model._workers[0]._shared.use() as segmenter:
            segmenter._module.scale.data.fill_(float("nan"))
        (broken,) = model.probabilities([two_halves(40, 40)])
    assert isinstance(broken, PictureError)
    assert "not finite" in str(broken)


def test_it_runs_in_the_half_precision_that_is_asked_for(settings):
    import torch

    with BiRefNet(**settings, dtype="bfloat16").lease() as model:
        (mask,) = model.probabilities([two_halves(40, 40)])
        with model._workers[0]._shared.use() as segmenter:
            assert {parameter.dtype for parameter in segmenter._module.parameters()} == {torch.bfloat16}
    assert mask.dtype == np.float32
    assert mask[:, 30:].min() > 0.9


def test_a_precision_that_a_layer_lacks_is_refused_by_name(settings, tiny_birefnet, monkeypatch):
    """BiRefNet's deformable convolution does not compute in bfloat16 on a CPU."""
    code = (tiny_birefnet / "birefnet.py").read_text()
    deformed = """        from torchvision.ops import deform_conv2d
        offset = torch.zeros(len(x), 2, *x.shape[-2:], dtype=x.dtype)
        x = deform_conv2d(x, offset, torch.eye(3, dtype=x.dtype).view(3, 3, 1, 1))
        logits ="""
    (tiny_birefnet / "birefnet.py").write_text(code.replace("        logits =", deformed))
    # Python looks for this code where the tests before had theirs.
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModelUnavailable, match=r"BiRefNet does not compute in bfloat16 on cpu .*dtype to auto or flo"):
        masks(settings | {"dtype": "bfloat16"}, [two_halves(40, 40)])
    (mask,) = masks(settings, [two_halves(40, 40)])
    assert mask[:, 30:].min() > 0.9


def test_code_from_a_repository_needs_consent(settings):
    with pytest.raises(ModelUnavailable, match="trust_remote_code = true"):
        masks(settings | {"trust_remote_code": False}, [two_halves(8, 8)])


def test_code_from_the_hub_needs_a_full_commit():
    branch = {"trust_remote_code": True, "model_revision": "main", "device": "cpu"}
    with pytest.raises(ModelUnavailable, match="must be a full commit"):
        masks(branch, [two_halves(8, 8)])


def test_large_pictures_go_to_the_model_for_them(settings, tiny_birefnet):
    large = settings | {"hr_model": str(tiny_birefnet), "hr_from": 100}
    with BiRefNet(**large).lease() as model:
        sizes = [(50, 50), (60, 120), (99, 20), (300, 300)]
        answers = model.probabilities([two_halves(*size) for size in sizes])
        assert [answer.shape for answer in answers] == sizes
        seen = []
        for worker in model._workers:
            with worker._shared.use() as segmenter:
                seen.append(segmenter._module.seen[1:])  # after the probe
    # Two small ones at once, the large ones one by one at twice the side.
    assert seen == [[(2, 3, 64, 64)], [(1, 3, 128, 128)] * 2]
    assert BiRefNet(**large).revision != BiRefNet(**settings).revision


def test_missing_and_foreign_weights_are_named(settings, tiny_birefnet, monkeypatch, tmp_path):
    from safetensors.torch import save_file
    from torch import zeros

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    file = tiny_birefnet / "model.safetensors"
    save_file({"scale": zeros(1)}, file)
    with pytest.raises(ModelUnavailable, match="could not be loaded"):
        masks(settings, [two_halves(8, 8)])
    file.unlink()
    with pytest.raises(ModelUnavailable, match=r"has no model\.safetensors"):
        masks(settings, [two_halves(8, 8)])
    with pytest.raises(ModelUnavailable, match="vivid models pull"):
        masks({"trust_remote_code": True, "device": "cpu"}, [two_halves(8, 8)])


def test_what_is_missing_is_known_without_loading(settings, tiny_birefnet, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert BiRefNet(**settings).missing() is None
    assert "consent" in BiRefNet(**settings | {"trust_remote_code": False}).missing()
    assert "vivid models pull" in BiRefNet(trust_remote_code=True).missing()
    assert BiRefNet(trust_remote_code=True, download=True).missing() is None
    (tiny_birefnet / "model.safetensors").unlink()
    assert "model.safetensors" in BiRefNet(**settings).missing()


def test_the_revision_follows_what_changes_a_mask(settings, tiny_birefnet):
    revision = BiRefNet(**settings).revision
    assert BiRefNet(**settings | {"batch_size": 1}).revision == revision
    assert BiRefNet(**settings, fit="squash").revision == revision, "as the model card does it"
    assert BiRefNet(**settings, fit="pad").revision != revision
    assert BiRefNet(**settings | {"size": 32}).revision != revision
    (tiny_birefnet / "birefnet.py").write_text("# other code")
    assert BiRefNet(**settings).revision != revision


def test_another_model_of_the_interface_by_its_name(tiny_birefnet):
    commit = "a" * 40
    tier = BiRefNet(trust_remote_code=True).of_model(f"ZhengPeng7/BiRefNet_HR@{commit}")
    (files,) = tier.weights()
    assert (files.source, files.revision, tier.size) == ("ZhengPeng7/BiRefNet_HR", commit, 2048)
    assert BiRefNet(size=768).of_model(f"ZhengPeng7/BiRefNet_HR@{commit}").size == 768, "the settings say so"
    assert BiRefNet().of_model(f"ZhengPeng7/BiRefNet_dynamic@{commit}").fit == "dynamic"
    assert BiRefNet().of_model(f"someone/else@{commit}").size == 1024
    for wrong in ("BiRefNet_HR", "ZhengPeng7/BiRefNet_HR", "ZhengPeng7/BiRefNet_HR@main"):
        with pytest.raises(ValueError, match="name it with a full commit"):
            BiRefNet().of_model(wrong)
    folder = BiRefNet(trust_remote_code=True, device="cpu", size=64).of_model(str(tiny_birefnet))
    assert folder.missing() is None
    (mask,) = masks(folder.model_dump(), [two_halves(50, 90)])
    assert mask[:, -20:].min() > 0.9


def test_a_model_whose_licence_forbids_commercial_use_is_refused_without_consent(tiny_birefnet):
    tier = BiRefNet(trust_remote_code=True).of_model("briaai/RMBG-2.0@" + "b" * 40)
    assert "forbids commercial use: consent with non_commercial = true under [birefnet]" in tier.refusal()
    assert tier.model_copy(update={"non_commercial": True}).refusal() is None
    copy = BiRefNet(trust_remote_code=True).of_model(str(tiny_birefnet))
    assert (copy.licence, copy.refusal()) == ("see its publisher", None)
    (tiny_birefnet / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    assert "(cc-by-nc-4.0) forbids commercial use" in copy.missing()


def test_random_weights_that_the_file_replaces_are_not_drawn(tiny_birefnet):
    """Nor is anything else that the code draws lost."""
    code = tiny_birefnet / "birefnet.py"
    drawn = "        torch.nn.init.trunc_normal_(self.scale, mean=7.0)\n        self.drawn = torch.rand(3)\n"
    drawn += "        self.plain = torch.zeros(1).normal_(mean=9.0, std=0.1)\n        self.seen = []\n"
    code.write_text(code.read_text().replace("        self.seen = []\n", drawn))
    from resources.masks.birefnet_load import make_module

    module = make_module(tiny_birefnet)
    assert float(module.scale.detach()) < 5
    assert module.drawn.std() > 0
    assert float(module.plain) > 8
