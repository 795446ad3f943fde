"""Mask networks as ONNX files through onnxruntime, and the pictures before and after them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime.batches import Batches, PictureError
from resources.runtime.device import Device, decide
from resources.runtime.lease import Shared

Reading = Literal["probabilities", "logits", "classes"]
"""What a network ends in: probabilities 0..1; logits; a logit for each class, the background's first."""

_log = logging.getLogger(__name__)

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_BEYOND = 0.01
"""A sigmoid's answer leaves 0..1 by rounding at most; logits leave it by whole units."""


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


class OnnxNet:
    """A loaded network, on the provider that the device stands for and no other.

    Args:
        file: the network.
        device: cpu, cuda or mps; the precision is the file's own.
        reading: what the output is.
        output: its name; the first if empty.

    Raises:
        ModelUnavailable: onnxruntime cannot read the file, or it has no such output.
        MachineFault: the provider cannot run here.
    """

    def __init__(self, file: Path, device: Device, reading: Reading, output: str = "") -> None:
        self._session = _session(file, device)
        self._name = file.name
        self._reading = reading
        source = self._session.get_inputs()[0]
        outputs = [one.name for one in self._session.get_outputs()]
        if output and output not in outputs:
            raise ModelUnavailable(f"{file.name} has no output {output!r}; it has {', '.join(outputs)}.")
        self._input, self._output = source.name, output or outputs[0]
        self._dtype = np.float16 if source.type == "tensor(float16)" else np.float32
        self._one_by_one = isinstance(source.shape[0], int)
        self._sides = tuple(source.shape[2:4])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities, float32 B×H×W in 0..1, for normalised pictures, float32 B×3×H×W.

        Raises:
            ModelUnavailable: the network works at another size, or does not answer as it should.
            PictureError: an answer is not finite.
        """
        given = zip(self._sides, pixels.shape[2:], strict=False)
        if any(isinstance(side, int) and side != other for side, other in given):
            raise ModelUnavailable(
                f"{self._name} works at {self._sides[0]}×{self._sides[1]} alone, and is given "
                f"{pixels.shape[2]}×{pixels.shape[3]}: correct its size."
            )
        pixels = pixels.astype(self._dtype, copy=False)
        batches = np.split(pixels, len(pixels)) if self._one_by_one else [pixels]
        raw = np.concatenate([self._session.run([self._output], {self._input: batch})[0] for batch in batches])
        return self._read(raw.astype(np.float32))

    def _read(self, raw: np.ndarray) -> np.ndarray:
        """``raw`` is B×C×H×W, or B×H×W."""
        planes = raw[:, None] if raw.ndim == 3 else raw
        if planes.ndim != 4 or (planes.shape[1] == 1) == (self._reading == "classes"):
            raise ModelUnavailable(
                f"{self._name} answers with the shape {'×'.join(map(str, raw.shape))}, which is no mask read as "
                f"{self._reading}."
            )
        if not np.isfinite(planes).all():
            raise PictureError("The network's answer is not finite.")
        if self._reading == "classes":
            odds = np.exp(planes - planes.max(axis=1, keepdims=True))
            return np.asarray(1.0 - odds[:, 0] / odds.sum(axis=1), np.float32)
        answer = planes[:, 0]
        if self._reading == "logits":
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(answer, -60, 60))), np.float32)
        if answer.min() < -_BEYOND or answer.max() > 1 + _BEYOND:
            raise ModelUnavailable(
                f"{self._name} answered {answer.min():.2f} to {answer.max():.2f}, which are no probabilities: they are "
                "logits if it ends without a sigmoid."
            )
        return np.asarray(answer.clip(0, 1))


class OnnxMasks:
    """A leased network; implements ``MaskModel``.

    Args:
        shared: the network.
        prepare: a picture (uint8 H×W×3 sRGB) as the network sees it, float32 3×H×W.
        batch_size: pictures of one shape at once.
        what: its name in messages.
    """

    def __init__(
        self, shared: Shared[OnnxNet], prepare: Callable[[np.ndarray], np.ndarray], batch_size: int, what: str
    ) -> None:
        self._shared = shared
        self._prepare = prepare
        self._batches: Batches[np.ndarray, np.ndarray] = Batches(self._infer, batch_size, what)

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray | Exception]:
        """See ``MaskModel``: raw probabilities, never stretched.

        Raises:
            ModelUnavailable: on the first call: the network cannot be loaded, or its answer cannot be read.
            MachineFault: the device or provider that was asked for is not there, or it has failed.
        """
        return self._batches(images)

    def _infer(self, images: list[np.ndarray]) -> list[np.ndarray]:
        with self._shared.use() as net:
            answers = net(np.stack([self._prepare(image) for image in images]))
        return [_at_size(answer, image.shape[:2]) for answer, image in zip(answers, images, strict=True)]


def _at_size(answer: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An answer (float32, 0..1), stretched to a picture of ``size`` (height, width)."""
    return np.asarray(np.clip(cv2.resize(answer, size[::-1], interpolation=cv2.INTER_CUBIC), 0.0, 1.0))


def _session(file: Path, device: Device) -> Any:
    import onnxruntime

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
    return session
