"""A seed's noise is drawn in float32 whatever a model computes in: in half precision it is another on some PyTorch."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from resources.scenes.request import Scene, SceneRequest, Subject
from resources.scenes.samplers import SAMPLERS, Sampler
from resources.scenes.sdxl import SDXL
from resources.scenes.text_to_image import TextToImage
from tests.support.tiny_pipelines import FAMILIES, save_tiny

pytestmark = pytest.mark.slow

SOFA = SceneRequest("a red sofa", "people", 1, 64, 64)


@contextmanager
def watched():
    """The precisions that ``torch.randn`` is called in."""
    import torch
    from torch.overrides import TorchFunctionMode

    seen = set()

    class Drawn(TorchFunctionMode):
        def __torch_function__(self, function, types, given=(), named=None):
            if function is torch.randn:
                seen.add(str((named or {}).get("dtype") or torch.float32))
            return function(*given, **named or {})

    with Drawn():
        yield seen


def drawn(resource, requests):
    with resource.lease() as generate:
        generate(requests[:1])  # loaded, so that only what a scene draws is seen
        with watched() as seen:
            made = generate(requests)
    for scene in made:
        assert isinstance(scene, Scene), scene
    return seen


@pytest.mark.parametrize("scheduler", ["DPMSolverMultistepScheduler", "LCMScheduler"])
def test_sdxl_draws_in_float32(tiny_sdxl, scheduler, monkeypatch):
    """LCM's scheduler draws noise in each step, too."""
    monkeypatch.setitem(SAMPLERS, "dpm++", Sampler(scheduler))
    subject = Subject(np.zeros((64, 64, 3), np.uint8), np.float32(np.arange(64)[:, None] < 32).repeat(64, 1))
    requests = [SOFA, replace(SOFA, scale=2), replace(SOFA, subject=subject)]
    resource = SDXL(
        model=str(tiny_sdxl),
        vae=str(tiny_sdxl / "vae-fix"),
        size=64,
        steps=4,
        device="cpu",
        dtype="bfloat16",
        enlarge=2,
    )
    assert drawn(resource, requests) == {"torch.float32"}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_pipelines_draw_in_float32(tmp_path, family):
    model = str(save_tiny(family, tmp_path / "model"))
    resource = TextToImage(model=model, size=64, steps=1, device="cpu", dtype="bfloat16", enlarge=2)
    assert drawn(resource, [SOFA, replace(SOFA, scale=2)]) == {"torch.float32"}
