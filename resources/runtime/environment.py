"""What results are computed with, for the record: libraries, and where models compute in which precision."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from resources.runtime.lease import models_in_use

_LIBRARIES = (
    "vivid-assets",
    "numpy",
    "numba",
    "opencv-python-headless",
    "pillow",
    "onnxruntime",
    "ncnn",
    "torch",
    "diffusers",
    "transformers",
    "open_clip_torch",
)
"""Those whose version can change a pixel."""


def environment() -> str:
    """The installed libraries with their versions, and the models that are loaded now with device and precision.

    >>> environment()  # doctest: +SKIP
    'vivid-assets 0.1.0, numpy 2.4.0, …, torch 2.15.0; SDXL on NVIDIA L4 (float16)'
    """
    return "; ".join([_installed(), *models_in_use()])


@cache
def _installed() -> str:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
