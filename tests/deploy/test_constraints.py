"""deploy/constraints.txt pins all that is asked for, at versions that are allowed, and the image is made with it."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def test_every_requirement_is_pinned_at_a_version_that_it_allows():
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(pin.name): pin for pin in (Requirement(line) for line in lines if line[0] != "#")}
    assert not any(pin.extras for pin in pins.values()), "pip takes no extras here"
    assert all(str(pin.specifier).startswith("==") for pin in pins.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    for requirement in map(Requirement, asked):
        pin = pins[canonicalize_name(requirement.name)]
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{requirement} is pinned at {version}"


def test_the_image_is_made_with_them():
    text = (ROOT / "deploy/kubernetes/Dockerfile").read_text()
    assert "COPY deploy/constraints.txt" in text and "--constraint constraints.txt" in text
