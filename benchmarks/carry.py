"""Wheels for a machine without a network that has PyTorch: gather them here, install them there.

python benchmarks/carry.py gather wheels/     # where there is a package index
python benchmarks/models.py --wheels wheels/  # where there is not; installs nothing outside a temporary folder
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOTS = ("diffusers", "transformers", "accelerate", "open_clip_torch", "dagster", "opencv-python-headless", "pydantic")
# What comes with PyTorch, or must match it: never carried.
WITH_TORCH = ("torch", "torchvision", "triton", "numpy", "sympy", "networkx", "setuptools")


def closure(roots: tuple[str, ...] = ROOTS) -> dict[str, str]:
    """Versions of the packages that ``roots`` need, as they are installed here."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found or name in WITH_TORCH or name.startswith("nvidia-"):
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = package.version
        for line in package.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def gather(folder: Path) -> None:
    """Download the wheels of everything that the benchmark needs besides PyTorch. Needs pip."""
    packages = [f"{name}=={version}" for name, version in sorted(closure().items())]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(folder), *packages],
        check=True,
    )


def unpack(folder: Path) -> None:
    """Make the wheels importable in this process and its children, from a temporary folder."""
    place = Path(tempfile.mkdtemp(prefix="wheels-"))
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "gather":
        sys.exit(__doc__)
    gather(Path(sys.argv[2]))
