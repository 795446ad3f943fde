"""U²-Net with rembg's weights: raw probabilities, one session per process, the provider that was asked for.

rembg's own ``predict`` stretches each answer between its minimum and maximum, so "nothing there" comes out
at full contrast, and it downloads what is missing in the middle of a run. Here the network's output is handed
on as it is, and a missing weight is said at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from resources.errors import ModelUnavailable

#: sha256 of the published weights: rembg release v0.0.0.
WEIGHTS = {
    "u2net": "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
    "u2netp": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
}
INPUT_SIDE = 320
#: Pictures in flight at once.
CALLERS = 2
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
            threads: of one inference; 0 takes all cores.

        Raises:
            ModelUnavailable: the weights are not on this machine; the message names the command to run.
            ValueError: another name.

        """
        if name not in WEIGHTS:
            raise ValueError(f"one of {sorted(WEIGHTS)}, not {name!r}")
        self.name = name
        self.revision = revision(name)
        self._providers = tuple(providers)
        self._threads = threads
        self._path = weights_path(name)
        if self._path is None:
            raise ModelUnavailable(f"the weights of {name} are not on this machine: run `vivid models pull {name}`")

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See ``MaskModel``: uint8 H×W×3 sRGB in, float32 H×W in 0..1 out, absolute.

        Raises:
            ModelUnavailable: the weights are damaged, or the provider asked for cannot run here.

        """
        session = _session(self.name, self._providers, self._threads)
        source, target = session.get_inputs()[0].name, session.get_outputs()[0].name

        def answer(image: np.ndarray) -> np.ndarray:
            raw = session.run([target], {source: preprocess(image)})[0][0, 0]
            height, width = image.shape[:2]
            full = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
            return np.clip(full, 0.0, 1.0)

        if len(images) < 2:
            return [answer(image) for image in images]
        # The network takes one picture at a time; a second caller fills the gaps between its layers.
        with ThreadPoolExecutor(CALLERS) as pool:
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
    """Short digest of the published weights; needs no file."""
    return WEIGHTS[name][:12]


def weights_path(name: str) -> Path | None:
    """Find the weights as rembg does.

    That is ``U2NET_HOME``, else ``REMBG_HOME`` or ``~/.rembg``, else ``~/.u2net``.

    Returns:
        The file, or ``None``.

    """
    legacy = Path(os.environ.get("U2NET_HOME") or Path(os.environ.get("XDG_DATA_HOME", "~")) / ".u2net").expanduser()
    if os.environ.get("U2NET_HOME"):
        home = legacy
    elif os.environ.get("XDG_DATA_HOME"):
        home = Path(os.environ.get("REMBG_HOME") or Path(os.environ["XDG_DATA_HOME"]) / "rembg").expanduser()
    else:
        home = Path(os.environ.get("REMBG_HOME", "~/.rembg")).expanduser()
    for candidate in (home / "models" / name / f"{name}.onnx", legacy / f"{name}.onnx"):
        if candidate.is_file():
            return candidate
    return None


def _session(name: str, providers: tuple[str, ...], threads: int) -> Any:
    path = weights_path(name)
    if path is None:
        raise ModelUnavailable(f"the weights of {name} are not on this machine: run `vivid models pull {name}`")
    key = (name, str(path), providers, threads)
    with _LOCK:
        if key not in _SESSIONS:
            if _digest(path) != WEIGHTS[name]:
                raise ModelUnavailable(
                    f"{path} is damaged or not {name}'s: delete it and run `vivid models pull {name}`"
                )
            _SESSIONS[key] = _open(name, providers, threads)
        return _SESSIONS[key]


def _open(name: str, providers: tuple[str, ...], threads: int) -> Any:
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
    session = onnxruntime.InferenceSession(str(weights_path(name)), options, providers=list(providers))
    active = session.get_providers()
    if active[0] != providers[0]:
        # onnxruntime falls to the CPU by itself when a provider's libraries do not load.
        raise ModelUnavailable(f"{providers[0]} was asked for, but onnxruntime runs {name} on {active[0]}")
    return session


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
