"""U²-Net with rembg's weights: raw probabilities, one network per process.

rembg's own ``predict`` stretches each answer between its minimum and maximum, so "nothing there" comes out
at full contrast, and it downloads what is missing in the middle of a run. Here the network's output is handed
on as it is, and a missing weight is said at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import ClassVar

import cv2
import numpy as np

from resources.errors import ModelUnavailable
from resources.masks.ncnn_net import NcnnNet
from resources.masks.tier import MaskModel, MaskTier
from resources.runtime.warm import kept_warm
from resources.weights import pull as weights
from resources.weights.registry import OnnxWeight

U2NETS = ("u2net", "u2netp")
INPUT_SIDE = 320
#: Pictures in flight at once, at most: each holds up to half a gigabyte of activations.
MOST_CALLERS = 8
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_NETS: dict[tuple[str, str], NcnnNet] = {}
_LOCK = Lock()


class U2Net:
    """A ``MaskModel`` on the CPU. Cheap to make; the weights load with the first picture."""

    def __init__(self, name: str = "u2netp") -> None:
        """Check the name and find the weights.

        Args:
            name: ``u2net`` (176 MB) or ``u2netp`` (4.6 MB).

        Raises:
            ModelUnavailable: the weights are not on this machine; the message names the command to run.
            ValueError: another name.

        """
        self.name = name
        self.revision = revision(name)
        weights.path(name)  # that they are not here is said now, and not with the first picture

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See ``MaskModel``: uint8 H×W×3 sRGB in, float32 H×W in 0..1 out, absolute.

        Raises:
            ModelUnavailable: the weights, or what they were converted to, cannot be loaded.
            MemoryError: there is none for a picture.

        """
        net = load(self.name)

        def answer(image: np.ndarray) -> np.ndarray:
            raw = net.run(preprocess(image))[0]
            height, width = image.shape[:2]
            full = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
            return np.asarray(np.clip(full, 0.0, 1.0))

        # A picture on each core: most layers are too small to be divided.
        callers = min(len(images), os.cpu_count() or 1, MOST_CALLERS)
        if callers < 2:
            return [answer(image) for image in images]
        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(answer, images))


class U2NetTier(MaskTier):
    """U²-Net on the CPU."""

    purpose: ClassVar[str] = "masks on machines without a GPU"
    licence: ClassVar[str] = "Apache-2.0"
    net: ClassVar[str] = "u2net"

    @property
    def revision(self) -> str:
        """The weights' digest. That of weights that are damaged is another: their masks are made again."""
        return revision(self.net) if weights.available(self.net) else "none"

    def missing(self) -> str | None:
        """Weights that are here but damaged are not missing: loading them says what is wrong."""
        try:
            weights.path(self.net)
        except ModelUnavailable as error:
            return str(error)
        return None

    def fetched(self) -> Sequence[str]:
        """Its weights' name."""
        return [self.net]

    def pull(self) -> Sequence[Path]:
        """Fetch the weights. Raises ModelUnavailable."""
        return [weights.pull(self.net)]

    def prepare(self) -> None:
        """Convert the weights to what the CPU computes with."""
        load(self.net)

    @contextmanager
    def lease(self) -> Iterator[MaskModel]:
        """The network, which stays in this process, or in a Ray actor, when the lease ends."""
        yield kept_warm(U2Net(self.net))


class U2NetPTier(U2NetTier):
    """U²-Net with a fortieth of the weights."""

    purpose: ClassVar[str] = "masks, small and quick"
    net: ClassVar[str] = "u2netp"


def preprocess(image: np.ndarray) -> np.ndarray:
    """As rembg normalises: resized to 320×320, divided by its own maximum, ImageNet mean and deviation.

    Args:
        image: uint8 H×W×3 sRGB.

    Returns:
        float32 3×320×320.

    """
    from PIL import Image

    small = np.asarray(Image.fromarray(image).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.LANCZOS))
    scaled = small.astype(np.float32) / max(float(small.max()), 1e-6)
    return np.ascontiguousarray(((scaled - _MEAN) / _STD).transpose(2, 0, 1))


def revision(name: str) -> str:
    """Short digest of the published weights; needs no file. Raises ValueError for a name that has none."""
    return _weight(name).sha256[:12]


def load(name: str) -> NcnnNet:
    """The network, once a process. Raises as ``NcnnNet`` does."""
    with _LOCK:
        key = name, str(weights.path(name))
        if key not in _NETS:
            try:
                _NETS[key] = NcnnNet(_weight(name), (1, 3, INPUT_SIDE, INPUT_SIDE))
            except OSError as error:
                # A folder or a disk that is at fault, and no picture.
                raise ModelUnavailable(f"{name} could not be loaded: {error}") from error
        return _NETS[key]


def _weight(name: str) -> OnnxWeight:
    weight = weights.get(name)
    if not isinstance(weight, OnnxWeight) or name not in U2NETS:
        raise ValueError(f"{name} is no U²-Net: there are {' and '.join(U2NETS)}.")
    return weight
