"""What set-up compiles is what the pipeline calls."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_AHEAD = """
import json
from vivid_assets.kernels import compile_kernels, kernels
compile_kernels()
print(json.dumps([name for name, kernel in kernels().items() if not kernel.signatures]))
"""
_USE = """
import json, sys
from pathlib import Path
from vivid_assets.demo_pictures import write_demo_catalogue
from vivid_assets.imaging.backdrop import read_prompt, render
from vivid_assets.imaging.codec import decode, resize_to_fit
from vivid_assets.imaging.matte import Alpha
from vivid_assets.imaging.native import blend_native
from vivid_assets.kernels import kernels
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.ladder import Ladder

folder = Path(sys.argv[1])
write_demo_catalogue(folder)
pictures = [decode(path.read_bytes()) for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg")]
assert len(pictures) > 8
masks = Ladder([gradient_tier()]).masks([resize_to_fit(picture.rgb) for picture in pictures])
for picture, mask in zip(pictures, masks):
    blend_native(picture.rgb, Alpha(mask.alpha, mask.origin), render(read_prompt("blue paper"), 300, 400, seed=1))
print(json.dumps({name: sum(kernel.stats.cache_misses.values()) for name, kernel in kernels().items()}))
"""


def test_a_run_finds_every_kernel_compiled(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def run(program: str, *arguments: str):
        command = [sys.executable, "-c", program, *arguments]
        return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)

    assert run(_AHEAD) == [], "kernels that were not called"
    missed = run(_USE, str(tmp_path / "catalogue"))
    assert len(missed) > 20
    assert not [name for name, count in missed.items() if count]
