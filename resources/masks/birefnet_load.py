"""Loading BiRefNet: its own code and weights, without transformers' loader."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.runtime.batches import PictureError
from resources.runtime.device import Device, assert_placed
from resources.runtime.probing import probe

Segmenter = Callable[[np.ndarray], np.ndarray]
"""uint8 B×H×W×3 sRGB to probabilities, float32 B×H×W in 0..1. Raises ``PictureError`` if not finite."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PROBE = 256


def load_transformers(folder: Path, device: Device) -> Segmenter:
    """The model of a folder, tried on one small blank picture.

    Args:
        folder: config.json with an ``auto_map``, the Python files it names, model.safetensors. They are run.
        device: where and in which precision.

    Raises:
        ModelUnavailable: config.json names no model class, or some layer lacks the precision.
        MachineFault: a part is not where it was asked to be.
    """
    segmenter = _TorchSegmenter(load_module(folder, device), device)
    probe("BiRefNet", device, lambda: segmenter(np.zeros((1, _PROBE, _PROBE, 3), np.uint8)))
    return segmenter


def load_module(folder: Path, device: Device) -> Any:
    """The folder's ``torch.nn.Module`` with its weights, placed; see ``load_transformers``."""
    from safetensors.torch import load_file

    module = make_module(folder)
    module.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    module.eval().to(device=device.name, dtype=device.torch_dtype)
    assert_placed(module, device, "BiRefNet")
    return module


def make_module(folder: Path) -> Any:
    """The model class that the folder's ``config.json`` names, its weights undefined.

    transformers' ``from_pretrained`` breaks BiRefNet's code since 4.56 (it builds on the meta device, where the
    backbone's ``.item()`` fails, and reads ``config`` and ``all_tied_weights_keys``, which that code replaces or
    lacks). So the class is taken from transformers' machinery for remote code and made here.
    """
    from transformers import PretrainedConfig
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    written, _ = PretrainedConfig.get_config_dict(folder, local_files_only=True)
    names = written.get("auto_map", {})
    if "AutoModelForImageSegmentation" not in names:
        raise ModelUnavailable(f"{folder}/config.json names no model class for image segmentation.")
    config_class: Any = PretrainedConfig
    if "AutoConfig" in names:
        config_class = get_class_from_dynamic_module(names["AutoConfig"], str(folder), local_files_only=True)
    model_class: Any = get_class_from_dynamic_module(
        names["AutoModelForImageSegmentation"], str(folder), local_files_only=True
    )
    with _no_random_weights():
        # No backbone weights from elsewhere: everything is in model.safetensors.
        return model_class(config=config_class.from_dict(written | {"bb_pretrained": False}))


def _no_random_weights() -> Any:
    """A context in which drawing random numbers into a parameter does nothing.

    Two hundred million of them take seconds, and all are replaced by the file's.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    drawing = {torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.erfinv_}

    class Undrawn(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function in drawing and isinstance(args[0], torch.nn.Parameter):
                return args[0]
            return function(*args, **(kwargs or {}))

    return Undrawn()


class _TorchSegmenter:
    def __init__(self, module: Any, device: Device) -> None:
        import torch

        self._module = module
        self._device = device
        self._mean = torch.tensor(_MEAN, device=device.name).view(1, 3, 1, 1)
        self._std = torch.tensor(_STD, device=device.name).view(1, 3, 1, 1)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        import torch

        device, half = self._device, self._device.dtype != "float32"
        # Autocast besides half weights: the model's code makes float32 tensors of its own inside, which would
        # meet half weights and raise.
        cast = torch.autocast(device.name.partition(":")[0], device.torch_dtype, enabled=half)
        with torch.inference_mode(), cast:
            # Bytes go to the device and become floats there: a quarter of the transfer.
            pixels = torch.from_numpy(images).to(device.name).permute(0, 3, 1, 2).float() / 255
            answer = self._module(((pixels - self._mean) / self._std).to(device.torch_dtype))
            last = answer[-1] if isinstance(answer, (list, tuple)) else answer
            logits = last["logits"] if isinstance(last, dict) else last
            probabilities = logits[:, 0].float().sigmoid().cpu().numpy()
        if not np.isfinite(probabilities).all():
            raise PictureError("The model's answer is not finite; in half precision, try dtype bfloat16 or float32.")
        return np.asarray(probabilities)
