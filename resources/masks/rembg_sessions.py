"""The installed rembg's own sessions: which there are, what each feeds its network, and how it reads the answer.

Everything is asked of rembg's code, without its network and without the stretching of each answer between its minimum
and maximum, so a session that the next rembg brings needs nothing here.
"""

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.masks.onnx_net import Reading

MATTES = ("birefnet", "bria")
"""Beginnings of the names of networks that answer with an alpha, soft where the subject is."""
_CLASSES = frozenset({"u2net_cloth_seg"})
_SIDE = 64


@cache
def sessions() -> dict[str, Any]:
    """The classes of rembg's sessions by their names, without the rest of rembg.

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
    return {session.name(): session for session in sessions_class}


def session_named(name: str) -> Any:
    """The class of that name. Raises ValueError: the installed rembg has none; the message lists what it has."""
    if name not in sessions():
        raise ValueError(f"The installed rembg has no model {name!r}; it has {', '.join(sessions())}.")
    return sessions()[name]


def unusable(name: str) -> str | None:
    """Why a session of rembg makes no masks here, in a sentence; None for those that do."""
    session = session_named(name)
    if not session.is_local():
        return f"rembg's {name} sends each picture to a service on the internet, which is not done here."
    if name.endswith("_custom"):
        return f"rembg's {name} has no weights of its own: name your file as the tier onnx:/a/file.onnx."
    if name == "sam":
        return "rembg's sam finds what one points at, and points at nothing by itself: it cannot be a mask tier."
    return None


def file_of(name: str) -> Path | None:
    """Where rembg keeps the network of that name; None if it is not on this machine."""
    found = session_named(name).resolve_existing(f"{name}.onnx")
    return None if found is None else Path(found)


def pull(name: str) -> Path:
    """Let rembg fetch the network of that name and compare its digest, unless it is here.

    Raises:
        ModelUnavailable: rembg's release page cannot be reached.
        ValueError: the installed rembg has no such model.
    """
    session = session_named(name)
    try:
        return Path(session.download_models())
    except MachineFault:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"{name} could not be fetched from rembg's release page ({first_line(error)}). Check the network, or put "
            f"{name}.onnx into rembg's folder by hand."
        ) from error


def fed(name: str, image: np.ndarray) -> np.ndarray:
    """What rembg feeds the network for a picture: float32 3×H×W.

    Args:
        name: of the session.
        image: uint8 H×W×3 sRGB.
    """
    try:
        _predict(name, image, _give_back)
    except _Fed as caught:
        return caught.pixels
    raise ModelUnavailable(f"The installed rembg's {name} runs no network on a picture, which is not known here.")


def reading_of(name: str) -> Reading:
    """What rembg takes the network's output for: its answer to a made-up output tells."""
    if name in _CLASSES:
        return "classes"
    height, width = fed(name, np.zeros((_SIDE, _SIDE, 3), np.uint8)).shape[1:]
    ramp = np.linspace(0.0, 4.0, width, dtype=np.float32)[None, None, None].repeat(height, axis=2)
    (mask,) = _predict(name, np.zeros((height, width, 3), np.uint8), lambda _: [ramp])
    # A ramp that is only stretched is in its middle half as bright; after a sigmoid .79.
    middle = np.asarray(mask)[height // 2, width // 2] / 255
    return "logits" if middle > 0.65 else "probabilities"


class _Fed(Exception):
    """Carries what the network was fed."""

    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__()
        self.pixels = pixels


def _give_back(pixels: np.ndarray) -> list[np.ndarray]:
    raise _Fed(pixels[0])


def _predict(name: str, image: np.ndarray, run: Any) -> Any:
    """Rembg's own ``predict`` with ``run`` in the network's place."""
    from PIL import Image

    session = session_named(name)
    made = session.__new__(session)  # its __init__ would load the network, or fetch it
    made.inner_session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="pixels")],
        run=lambda _names, given: run(next(iter(given.values()))),
    )
    return made.predict(Image.fromarray(image))
