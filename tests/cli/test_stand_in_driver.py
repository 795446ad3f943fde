"""On a machine with an NVIDIA driver: a stand-in for it, compiled here, shows one device and can do nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from resources.scenes.sdxl import SDXL
from resources.store.store import Store
from resources.weights.hub import Weights
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.catalogue.source import register
from vivid_assets.rows.tables import read_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stand-in is Linux's libcuda.so.1"),
]

DRIVER = """
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
"""


@pytest.fixture
def vivid(tmp_path):
    """``vivid(*arguments, driver=12020, **environment)``: the command on such a machine, with empty model folders."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        if os.environ.get("VIVID_REQUIRE_COMPILER"):
            pytest.fail("no C compiler is installed, and VIVID_REQUIRE_COMPILER is set")
        pytest.skip("no C compiler is installed")

    def run(*arguments, driver, **environment):
        place = tmp_path / f"driver {driver}"
        place.mkdir(exist_ok=True)
        (place / "driver.c").write_text(DRIVER.replace("VERSION", str(driver)))
        library = str(place / "libcuda.so.1")
        subprocess.run([compiler, "-shared", "-fPIC", "-nostdlib", "-o", library, str(place / "driver.c")], check=True)
        return subprocess.run(
            [str(Path(sys.executable).with_name("vivid")), *arguments],
            cwd=Path(__file__).parents[2],
            env=os.environ
            | {"LD_LIBRARY_PATH": str(place), "HF_HOME": str(tmp_path / "hub"), "COLUMNS": "400", "NO_COLOR": "1"}
            | environment,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.soak
def test_the_demo_passes_and_says_which_generator_and_why(vivid, tmp_path, u2netp):
    done = vivid("demo", "--folder", str(tmp_path / "demo"), driver=13020)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, said + done.stderr
    assert "Backgrounds by the drawn backdrop. SDXL cannot compute here: PyTorch" in said
    assert "the NVIDIA driver (up to CUDA 13.2) shows" in said
    rows = read_rows(Store(root=str(tmp_path / "demo" / "store")), BACKGROUNDS, "demo-00000")
    assert rows
    assert {row["generator"] for row in rows.values()} <= {"backdrop", "own"}


def in_the_hub_s_cache(weights: Weights, folder: Path, cache: Path) -> None:
    """``folder`` as the snapshot of ``weights``."""
    place = cache / "hub" / f"models--{weights.source.replace('/', '--')}" / "snapshots" / weights.revision
    shutil.copytree(folder, place)


def test_with_a_driver_that_pytorch_refuses_sdxl_computes_nothing(vivid, tmp_path, tiny_sdxl, monkeypatch):
    """All weights are here; on the CPU they would compute, for hours at full size."""
    model, vae = SDXL().weights()
    in_the_hub_s_cache(model, tiny_sdxl, tmp_path / "hub")
    in_the_hub_s_cache(vae, tiny_sdxl / "vae-fix", tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))
    assert SDXL().missing() is None
    pictures, store = tmp_path / "pictures", str(tmp_path / "store")
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), np.full((160, 160, 3), 200, np.uint8))
    settings = tmp_path / "vivid.toml"
    settings.write_text('[masks]\ntiers = ["gradients"]\n[sdxl]\nsize = 64\nsteps = 1\n')
    at = {"driver": 12020, "VIVID_SETTINGS": str(settings)}
    register(Store(root=store), "spring", str(pictures))
    done = vivid("catalogue", "run", "spring", "--store", store, **at)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, said + done.stderr
    assert "SDXL cannot compute here: PyTorch" in said
    assert "the NVIDIA driver (up to CUDA 12.2) shows" in said
    assert "too old" in said
    assert read_rows(Store(root=store), BACKGROUNDS, "spring-00000")["a.png"]["generator"] == "backdrop"

    settings.write_text(settings.read_text() + '[backgrounds]\ngenerator = "sdxl"\n')
    insisted = vivid("replace", str(pictures / "a.png"), "--prompt", "teal paper", **at)
    assert insisted.returncode == 1 and "too old" in insisted.stderr
