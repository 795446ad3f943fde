"""U²-Net with rembg's weights: raw probabilities, one session per process, the provider that was asked for.

rembg's own ``predict`` stretches each answer between its minimum and maximum, so "nothing there" comes out
at full contrast, and it downloads what is missing in the middle of a run. Here the network's output is handed
on as it is, and a missing weight is said at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from resources import weights
from resources.errors import ModelUnavailable

INPUT_SIDE = 320
#: Pictures in flight at once, at most: each holds a few hundred megabytes of activations.
MOST_CALLERS = 8
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_SESSIONS: dict[tuple[Any, ...], Any] = {}
_LOCK = Lock()


class U2Net:
    """A ``MaskModel`` over rembg's U²-Net session. Cheap to make; the weights load with the first picture."""

    def __init__(
        self, name: str = "u2netp", providers: Sequence[str] = ("CPUExecutionProvider",), threads: int = 0
    ) -> None:
        """Check the name and find the weights.

        Args:
            name: ``u2net`` (176 MB) or ``u2netp`` (4.6 MB).
            providers: onnxruntime providers in order of preference; the first must be the one that runs.
            threads: of one inference; 0 shares all cores among the pictures in flight.

        Raises:
            ModelUnavailable: the weights are not on this machine; the message names the command to run.
            ValueError: another name.

        """
        self.name = name
        self.revision = revision(name)
        self._providers = tuple(providers)
        self._threads = threads
        weights.path(name)  # that they are not here is said now, and not with the first picture

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See ``MaskModel``: uint8 H×W×3 sRGB in, float32 H×W in 0..1 out, absolute.

        Raises:
            ModelUnavailable: the weights are damaged, or the provider asked for cannot run here.

        """
        cores = os.cpu_count() or 1
        callers = max(1, min(len(images), cores, MOST_CALLERS))
        # The network takes one picture at a time. A picture on each core needs a fifth less time than all cores on one
        # picture after the other: most layers are too small to be divided.
        session = _session(self.name, self._providers, self._threads or max(1, cores // callers))
        source, target = session.get_inputs()[0].name, session.get_outputs()[0].name

        def answer(image: np.ndarray) -> np.ndarray:
            raw = session.run([target], {source: preprocess(image)})[0][0, 0]
            height, width = image.shape[:2]
            full = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
            return np.clip(full, 0.0, 1.0)

        if len(images) < 2:
            return [answer(image) for image in images]
        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(answer, images))


def preprocess(image: np.ndarray) -> np.ndarray:
    """As rembg normalises: resized to 320×320, divided by its own maximum, ImageNet mean and deviation.

    Args:
        image: uint8 H×W×3 sRGB.

    Returns:
        float32 1×3×320×320.

    """
    from PIL import Image

    small = np.asarray(Image.fromarray(image).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.LANCZOS))
    scaled = small.astype(np.float32) / max(float(small.max()), 1e-6)
    return np.ascontiguousarray(((scaled - _MEAN) / _STD).transpose(2, 0, 1)[None])


def revision(name: str) -> str:
    """Short digest of the published weights; needs no file. Raises ValueError for a name that has none."""
    weight = weights.get(name)
    if not isinstance(weight, weights.OnnxWeight):
        raise ValueError(f"{name} is no U²-Net: there are u2net and u2netp.")
    return weight.sha256[:12]


def _session(name: str, providers: tuple[str, ...], threads: int) -> Any:
    key = (name, str(weights.path(name)), providers, threads)
    with _LOCK:
        if key not in _SESSIONS:
            _SESSIONS[key] = _open(weights.verify(name), providers, threads)
        return _SESSIONS[key]


def _open(file: Path, providers: tuple[str, ...], threads: int) -> Any:
    import onnxruntime

    missing = [provider for provider in providers if provider not in onnxruntime.get_available_providers()]
    if missing:
        raise ModelUnavailable(
            f"onnxruntime on this machine has no {', '.join(missing)}; "
            "install the matching build or change the providers setting"
        )
    options = onnxruntime.SessionOptions()
    # Waiting threads that spin take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads:
        options.intra_op_num_threads = threads
    # The session that rembg makes for its weights, without importing rembg: that brings pymatting, which compiles
    # itself for half a minute in a fresh installation, and nothing of it is used here.
    session = onnxruntime.InferenceSession(str(file), options, providers=list(providers))
    active = session.get_providers()
    if active[0] != providers[0]:
        # onnxruntime falls to the CPU by itself when a provider's libraries do not load.
        raise ModelUnavailable(f"{providers[0]} was asked for, but onnxruntime runs {file.name} on {active[0]}")
    return session
