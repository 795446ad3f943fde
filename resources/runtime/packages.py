"""Which Python packages a model needs and this environment lacks. Imports none of them."""

import importlib.util
import shlex
import sys
from collections.abc import Iterable

from resources.errors import ModelUnavailable

_CALLED = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "open_clip": "open_clip_torch",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages that are called otherwise than the module that is imported."""


def demand(what: str, modules: Iterable[str]) -> None:
    """See that all ``modules`` can be imported, without importing them.

    Raises:
        ModelUnavailable: some are not installed; the message says how to install them.
    """
    lacking = sorted({_CALLED.get(name, name) for name in modules if not _is_installed(name)})
    if lacking:
        raise ModelUnavailable(
            f"{what} needs {'packages that are' if len(lacking) > 1 else 'a package that is'} not installed: "
            f"{', '.join(lacking)}. Install with: {install_command()} {' '.join(lacking)}"
        )


def install_command() -> str:
    """What installs into this environment, up to the packages' names."""
    python = shlex.quote(sys.executable)
    # An environment that uv made has no pip.
    return f"{python} -m pip install" if _is_installed("pip") else f"uv pip install --python {python}"


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a module that was made by hand has no spec
        return module in sys.modules
