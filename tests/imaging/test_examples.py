"""The examples in the docstrings of imaging are what a reader tries first: they run."""

import doctest
import importlib
import pkgutil

import pytest

from vivid_assets import imaging

MODULES = [
    module.name for module in pkgutil.walk_packages(imaging.__path__, "vivid_assets.imaging.") if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


@pytest.mark.parametrize("room", ["core", "io", "analysis", "matte", "blend", "backdrop"])
def test_every_room_has_examples(room: str) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES if name.startswith(f"vivid_assets.imaging.{room}.")]
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) > 1
