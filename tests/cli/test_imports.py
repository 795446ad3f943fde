"""What a command must not load: modules by name, since their seconds are another machine's."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

HEAVY = {"dagster", "numba", "torch", "onnxruntime", "ncnn", "transformers", "diffusers", "scipy", "skimage"}
ARRAYS = {"numpy", "cv2", "PIL", "pyarrow", "pandas", "fsspec", "huggingface_hub"}

_PROGRAM = """
import json, sys
from vivid_assets.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def loaded(tmp_path):
    """``loaded("catalogue", "status")``: the packages that a process has loaded when the command is done."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIVID_", "DAGSTER_"))}

    def run(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout.splitlines()[-1]))

    return run


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = np.full((90, 90, 3), 214, np.uint8)
    picture[30:60, 30:60] = (180, 40, 30)
    Image.fromarray(picture).save(folder / "a.png")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("replace",),
        ("mask",),
        ("blend",),
        ("demo",),
        ("ui",),
        ("models",),
        ("models", "pull"),
        ("catalogue",),
        *(("catalogue", name) for name in ("add", "scan", "run", "retry", "status", "estimate")),
    ],
)
def test_help_loads_no_library_of_arrays_and_no_dagster(loaded, command):
    assert not loaded(*command, "--help") & (HEAVY | ARRAYS)


@pytest.mark.slow
def test_add_status_and_a_scan_of_nothing_new_load_no_dagster(loaded, folder):
    assert not loaded("catalogue", "add", "spring", folder) & HEAVY
    assert not loaded("catalogue", "status") & HEAVY
    first = loaded("catalogue", "scan", "spring")
    assert "dagster" in first, "new shards are registered as its partitions"
    assert not first & (HEAVY - {"dagster"})
    assert not loaded("catalogue", "scan", "spring") & HEAVY
    assert not loaded("catalogue", "status") & HEAVY


@pytest.mark.slow
def test_one_picture_loads_neither_dagster_nor_a_network_that_it_does_not_ask(loaded, folder):
    found = loaded("replace", folder / "a.png", "--background", "#ffffff", "--tiers", "gradients")
    assert not found & {"dagster", "torch", "onnxruntime", "ncnn", "transformers", "diffusers", "pyarrow"}
