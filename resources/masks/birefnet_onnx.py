"""Mask networks as ONNX files through onnxruntime: rembg's and others of the same interface."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.runtime.batches import PictureError
from resources.runtime.device import Device, decide
from resources.weights.hub import check_digest

Segmenter = Callable[[np.ndarray], np.ndarray]
"""uint8 B×H×W×3 sRGB to probabilities, float32 B×H×W in 0..1. Raises ``PictureError`` if not finite."""

OnnxInput = Literal["auto", "imagenet", "imagenet_max", "isnet", "isnet_anime"]
OnnxOutput = Literal["auto", "probabilities", "logits"]

_log = logging.getLogger(__name__)

_IMAGENET = (0.485, 0.456, 0.406)
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_BEYOND = 0.01
"""A sigmoid's answer leaves 0..1 by rounding at most; logits leave it by whole units."""


@dataclass(frozen=True)
class Normalisation:
    """What a network was trained to see: the picture as 0..1, minus ``mean``, divided by ``std``."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    by_maximum: bool = False
    """Whether a picture is first divided by its own largest value, and not by 255."""

    def of(self, images: np.ndarray) -> np.ndarray:
        """float32 B×3×H×W from uint8 B×H×W×3."""
        largest = images.max(axis=(1, 2, 3), keepdims=True).clip(1) if self.by_maximum else 255
        pixels = (images.astype(np.float32) / largest - self.mean) / self.std
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)


NORMALISATIONS: dict[OnnxInput, Normalisation] = {
    "imagenet": Normalisation(_IMAGENET, (0.229, 0.224, 0.225)),
    "imagenet_max": Normalisation(_IMAGENET, (0.229, 0.224, 0.225), by_maximum=True),
    "isnet": Normalisation((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)),
    "isnet_anime": Normalisation(_IMAGENET, (1.0, 1.0, 1.0)),
}
"""BiRefNet and RMBG-2.0; U²-Net and its kin; IS-Net and BEN; IS-Net for drawings."""

KNOWN: dict[str, OnnxInput] = {
    **dict.fromkeys(
        (
            "birefnet-general",
            "birefnet-general-lite",
            "birefnet-general-fp16",
            "birefnet-portrait",
            "birefnet-dis",
            "birefnet-hrsod",
            "birefnet-cod",
            "birefnet-massive",
            "bria-rmbg",
        ),
        "imagenet",
    ),
    **dict.fromkeys(("u2net", "u2netp", "u2net_human_seg", "silueta"), "imagenet_max"),
    "isnet-general-use": "isnet",
    "isnet-anime": "isnet_anime",
}
"""rembg's models that answer with one mask, by rembg's name, and what each was trained to see."""


def normalisation_of(model: str, given: OnnxInput) -> OnnxInput:
    """What the settings say; with ``auto``, what is known of rembg's model of this name or file name.

    Raises:
        ModelUnavailable: nothing is known.
    """
    if given != "auto":
        return given
    name = Path(model).stem if is_path(model) else model
    if name not in KNOWN:
        raise ModelUnavailable(
            f"How pictures are to be normalised for {model} is not known: set onnx_input to imagenet (BiRefNet, "
            "RMBG-2.0), imagenet_max (U²-Net), isnet (IS-Net, BEN) or isnet_anime."
        )
    return KNOWN[name]


def is_path(model: str) -> bool:
    """Whether ``model`` is a file of the user's, and not rembg's name."""
    return model.endswith(".onnx")


def onnx_file(model: str) -> Path:
    """The file of a rembg model, where rembg keeps it, or of a path.

    Raises:
        ModelUnavailable: rembg has no such mask model, or its file is not on this machine.
    """
    if is_path(model):
        place = Path(model).expanduser()
        if not place.is_file():
            raise ModelUnavailable(f"{place} does not exist. Correct onnx_model in the settings.")
        return place
    found = _session(model).resolve_existing(f"{model}.onnx")
    if found is None:
        raise ModelUnavailable(f"{model}.onnx is not on this machine. Fetch it once with `vivid models pull {model}`.")
    return Path(found)


def pull_onnx(model: str) -> Path:
    """Let rembg fetch the file of its model ``model`` and compare its digest, unless it is here.

    Raises:
        ModelUnavailable: rembg has no such mask model, or its release page cannot be reached.
    """
    if is_path(model):
        return onnx_file(model)
    try:
        return Path(_session(model).download_models())
    except MachineFault:
        raise
    except Exception as error:
        reason = first_line(error)
        raise ModelUnavailable(
            f"{model} could not be fetched from rembg's release page ({reason}). Check the network, or put "
            f"{model}.onnx into rembg's folder by hand."
        ) from error


def _session(model: str) -> Any:
    if model not in KNOWN:
        raise ModelUnavailable(f"rembg knows no mask model {model!r}; there are: {', '.join(KNOWN)}.")
    return next(session for session in rembg_sessions() if session.name() == model)


@cache
def rembg_sessions() -> list[Any]:
    """The classes of rembg's sessions, without the rest of rembg.

    Importing it whole has numba compile all of pymatting, which takes the better part of a minute the first time, for
    functions that nobody calls here.
    """
    whole = sys.modules.get("rembg")
    if whole is None:
        spec = find_spec("rembg")
        assert spec is not None, "a requirement of this package"
        sys.modules["rembg"] = module_from_spec(spec)
    try:
        from rembg.sessions import sessions_class
    finally:
        # Who imports rembg later gets all of it.
        if whole is None:
            del sys.modules["rembg"]
    return list(sessions_class)


def decide_provider(device: str) -> Device:
    """The device that onnxruntime computes on: what the settings ask for, or with ``auto`` what it has.

    Raises:
        MachineFault: the device that was asked for is not there.
    """
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "auto" and _PROVIDERS["cuda"] not in there:
        why = f"device auto: this onnxruntime has {', '.join(there)}, and no CUDA as onnxruntime-gpu has; on the CPU."
        _log.info("%s", why)
        return Device("cpu", "float32", why)
    return decide(device, "float32", heavy=True)


def load_onnx(
    file: Path, *, sha256: str, size: int | None, normalisation: OnnxInput, output: OnnxOutput, device: Device
) -> Segmenter:
    """An ONNX file through onnxruntime, on the provider that the device stands for and no other.

    Args:
        file: the network.
        sha256: what the file must have, if not empty.
        size: side that pictures will come at; None if each comes at its own.
        normalisation: what it was trained to see; not ``auto``.
        output: what it ends in; ``auto`` is measured on one picture.
        device: cpu, cuda or mps; the precision is the file's own, so float32 must be asked for.

    Raises:
        ModelUnavailable: another digest, or onnxruntime cannot read it, or it works at another size.
        MachineFault: the provider cannot run here.
    """
    import onnxruntime

    if sha256:
        check_digest(file, sha256)
    kind, _, index = device.name.partition(":")
    wanted = _PROVIDERS[kind]
    if wanted not in onnxruntime.get_available_providers():
        raise MachineFault(
            f"The settings request {device.name}, but this onnxruntime has no {wanted}. Install the matching "
            "build (onnxruntime-gpu for CUDA), or set device to auto or cpu."
        )
    options = {"device_id": index} if index else {}
    session = onnxruntime.InferenceSession(str(file), providers=[(wanted, options)])
    if session.get_providers()[0] != wanted:
        # onnxruntime takes the CPU when a provider's libraries do not load, with no more than a line on stderr.
        raise MachineFault(
            f"{wanted} was requested, but onnxruntime runs {file.name} on {session.get_providers()[0]}: the libraries "
            "of that provider do not load. Repair them, or set device to cpu."
        )
    sides = [side for side in session.get_inputs()[0].shape[2:] if isinstance(side, int)]
    if any(side != size for side in sides):
        raise ModelUnavailable(
            f"{file.name} works at {sides[0]}×{sides[-1]} alone: set size to that, and fit to squash."
        )
    segmenter = _OnnxSegmenter(session, file.name, NORMALISATIONS[normalisation], output)
    if output == "auto":
        segmenter.measure(size or 256)
    return segmenter


class _OnnxSegmenter:
    def __init__(self, session: Any, name: str, normalisation: Normalisation, output: OnnxOutput) -> None:
        self._session = session
        self._name = name
        self._normalisation = normalisation
        source = session.get_inputs()[0]
        self._input, self._output = source.name, session.get_outputs()[0].name
        self._dtype = np.float16 if source.type == "tensor(float16)" else np.float32
        self._one_by_one = isinstance(source.shape[0], int)
        self._is_logits = output == "logits"

    def measure(self, side: int) -> None:
        """Whether the network ends in logits, seen on a picture with something in it: only logits leave 0..1."""
        rows, columns = np.mgrid[:side, :side] - side / 2
        picture = np.full((1, side, side, 3), 200, np.uint8)
        picture[0, rows**2 + columns**2 < (side / 4) ** 2] = (180, 40, 30)
        answer = self._raw(picture)
        self._is_logits = bool(_leaves(answer))
        _log.info(
            "%s answers a test picture with %.2f to %.2f, taken for %s",
            *(self._name, answer.min(), answer.max(), "logits" if self._is_logits else "probabilities"),
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        answer = self._raw(images)
        if self._is_logits:
            answer = 1 / (1 + np.exp(-np.clip(answer, -60, 60)))
        elif np.isfinite(answer).all() and _leaves(answer):
            raise ModelUnavailable(
                f"{self._name} answered {answer.min():.2f} to {answer.max():.2f}, which are no probabilities: set "
                'onnx_output = "logits" in the settings of birefnet if it ends without a sigmoid.'
            )
        return checked(answer.astype(np.float32))

    def _raw(self, images: np.ndarray) -> np.ndarray:
        pixels = self._normalisation.of(images).astype(self._dtype, copy=False)
        batches = np.split(pixels, len(pixels)) if self._one_by_one else [pixels]
        raw = [self._session.run([self._output], {self._input: batch})[0] for batch in batches]
        answer: np.ndarray = np.concatenate(raw)[:, 0].astype(np.float32)
        return answer


def _leaves(answer: np.ndarray) -> bool:
    return bool(answer.min() < -_BEYOND or answer.max() > 1 + _BEYOND)


def checked(probabilities: np.ndarray) -> np.ndarray:
    """``probabilities``, clipped to 0..1. Raises PictureError when they are not finite."""
    if not np.isfinite(probabilities).all():
        raise PictureError("The model's answer is not finite; in half precision, try dtype bfloat16 or float32.")
    return probabilities.clip(0, 1)
