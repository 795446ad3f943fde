"""Loading BiRefNet: its own code and weights without transformers' loader, or an ONNX file with its provider."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from resources.batches import PictureError
from resources.device import Device, assert_placed
from resources.errors import MachineFault, ModelUnavailable
from resources.hub import check_digest

Segmenter = Callable[[np.ndarray], np.ndarray]
"""uint8 B×H×W×3 sRGB to probabilities, float32 B×H×W in 0..1. Raises ``PictureError`` if not finite."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PROBE = 256
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}


def load_transformers(folder: Path, device: Device) -> Segmenter:
    """The model of a folder, tried on one small blank picture.

    Args:
        folder: config.json with an ``auto_map``, the Python files it names, model.safetensors. They are run.
        device: where and in which precision.

    Raises:
        ModelUnavailable: config.json names no model class.
        MachineFault: a part is not where it was asked to be.
    """
    segmenter = _TorchSegmenter(load_module(folder, device), device)
    # A precision that some layer lacks is the model's fault, not every picture's.
    segmenter(np.zeros((1, _PROBE, _PROBE, 3), np.uint8))
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
    """The model class that the folder's ``config.json`` names, without its weights.

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
    # No backbone weights from elsewhere: everything is in model.safetensors.
    return model_class(config=config_class.from_dict(written | {"bb_pretrained": False}))


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
            return _checked(logits[:, 0].float().sigmoid().cpu().numpy())


def load_onnx(model: str, sha256: str, size: int | None, device: Device) -> Segmenter:
    """An ONNX file through onnxruntime, on the provider that the device stands for and no other.

    Args:
        model: rembg's name (its file must be there already) or the path of an .onnx file.
        sha256: what the file must have, if not empty.
        size: side that pictures will come at; None if each comes at its own.
        device: cpu, cuda or mps; the precision is the file's own, so float32 must be asked for.

    Raises:
        ModelUnavailable: no such file, another digest, or onnxruntime cannot read it.
        MachineFault: the provider cannot run here.
    """
    import onnxruntime

    file = onnx_file(model)
    if sha256:
        check_digest(file, sha256)
    kind, _, index = device.name.partition(":")
    wanted = _PROVIDERS[kind]
    if wanted not in onnxruntime.get_available_providers():
        raise MachineFault(
            f"The settings ask for {device.name}, but this onnxruntime has no {wanted}. Install the matching "
            "build (onnxruntime-gpu for CUDA), or set device to cpu."
        )
    options = {"device_id": index} if index else {}
    session = onnxruntime.InferenceSession(str(file), providers=[(wanted, options)])
    if session.get_providers()[0] != wanted:
        # onnxruntime takes the CPU when a provider's libraries do not load, with no more than a line on stderr.
        raise MachineFault(f"{wanted} was asked for, but onnxruntime runs {file.name} on {session.get_providers()[0]}.")
    sides = [side for side in session.get_inputs()[0].shape[2:] if isinstance(side, int)]
    if any(side != size for side in sides):
        raise ModelUnavailable(f"{file.name} works at {sides[0]}×{sides[-1]} alone: set size to that, and fit to pad.")
    return _OnnxSegmenter(session, file.name)


def onnx_file(model: str) -> Path:
    """The file of a rembg model, where rembg keeps it, or of a path.

    Raises:
        ModelUnavailable: rembg knows no such model, or its file is not on this machine.
    """
    if model.endswith(".onnx"):
        place = Path(model).expanduser()
        if not place.is_file():
            raise ModelUnavailable(f"{place} does not exist. Correct onnx_model in the settings.")
        return place
    from rembg.sessions import sessions_class

    for session in sessions_class:
        if session.name() == model:
            found = session.resolve_existing(f"{model}.onnx")
            if found is None:
                raise ModelUnavailable(f"{model}.onnx is not on this machine. Fetch it once with `rembg d {model}`.")
            return Path(found)
    raise ModelUnavailable(f"rembg knows no model {model!r}; it has birefnet-general and birefnet-general-lite.")


class _OnnxSegmenter:
    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        source = session.get_inputs()[0]
        self._input, self._output = source.name, session.get_outputs()[0].name
        self._one_by_one = isinstance(source.shape[0], int)
        # U²-Net and IS-Net end in a sigmoid of their own, BiRefNet in logits.
        self._is_logits = "birefnet" in name.lower()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        pixels = ((images.astype(np.float32) / 255 - _MEAN) / _STD).astype(np.float32).transpose(0, 3, 1, 2)
        batches = np.split(pixels, len(pixels)) if self._one_by_one else [pixels]
        raw = np.concatenate([self._session.run([self._output], {self._input: batch})[0] for batch in batches])
        answer = raw[:, 0]
        if self._is_logits:
            answer = 1 / (1 + np.exp(-np.clip(answer, -60, 60)))
        return _checked(answer.astype(np.float32))


def _checked(probabilities: np.ndarray) -> np.ndarray:
    if not np.isfinite(probabilities).all():
        raise PictureError("The model's answer is not finite; in half precision, try dtype bfloat16 or float32.")
    return probabilities
