"""What set-up compiles is what the pipeline calls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_AHEAD = """
from vivid_assets.kernels import compile_kernels
compile_kernels()
"""
_USE = """
import sys
from pathlib import Path
from vivid_assets.demo.catalogue import write_demo_catalogue
from vivid_assets.imaging.backdrop.render import read_prompt, render
from vivid_assets.imaging.io.codec import decode, resize_to_fit
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.ladder import Ladder

folder = Path(sys.argv[1])
write_demo_catalogue(folder)
pictures = [decode(path.read_bytes()) for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg")]
assert len(pictures) > 8
masks = Ladder([gradient_tier()]).masks([resize_to_fit(picture.rgb) for picture in pictures])
for picture, mask in zip(pictures, masks):
    blend_native(picture.rgb, Alpha(mask.alpha, mask.origin), render(read_prompt("blue paper"), 300, 400, seed=1))
"""
_TELL = """
import json, sys
from numba.core.dispatcher import Dispatcher
kernels = {
    f"{name}.{member}": value
    for name, module in sorted(sys.modules.items())
    if name.startswith("vivid_assets.") and module is not None
    for member, value in vars(module).items()
    if isinstance(value, Dispatcher) and value.py_func.__module__ == name
    # What is written into its callers is never compiled by itself.
    and value.targetoptions.get("inline") != "always"
}
print(json.dumps({
    name: [[str(types) for types in kernel.signatures], sum(kernel.stats.cache_misses.values())]
    for name, kernel in kernels.items()
}))
"""


def told(program: str, *arguments: str, **environment: str) -> dict[str, tuple[list[str], int]]:
    """Of each kernel the types that ``program`` called it with, and for how many of them it had to be compiled."""
    command = [sys.executable, "-c", program + _TELL, *arguments]
    done = subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)
    return json.loads(done.stdout)


@pytest.mark.soak
def test_a_run_calls_nothing_that_set_up_has_not_compiled(tmp_path: Path) -> None:
    """In the cache that set-up filled, which all tests share: what others put there is no excuse."""
    ahead = told(_AHEAD)
    used = told(_USE, str(tmp_path / "catalogue"))
    assert len(used) > 20
    unforeseen = {name: {*types} - {*ahead[name][0]} for name, (types, _) in used.items()}
    assert not any(unforeseen.values()), unforeseen
    assert not [name for name, (_, missed) in used.items() if missed], "kept from one process to the next"


@pytest.mark.soak
def test_set_up_compiles_every_kernel(tmp_path: Path) -> None:
    """From nothing: a kernel that comes out of the cache within another one does not show that it was called."""
    ahead = told(_AHEAD, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
    assert not [name for name, (types, _) in ahead.items() if not types]
