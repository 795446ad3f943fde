"""Room for what libraries keep between runs, where neither the installation nor the home folder can be written to.

Containers run so: with a file system that is read-only, or as a user who has no home.
"""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

_PACKAGES = Path(__file__).parents[2]


def find_room_for_caches() -> None:
    """Point the libraries that would fail or start from nothing to a temporary folder; what is set is left alone."""
    if "HOME" not in os.environ and os.path.expanduser("~") in ("~", "/"):  # noqa: PTH111 - Path.home() raises
        os.environ["HOME"] = str(_temporary())
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    # Compiled kernels lie beside the code, or else in the home folder.
    if not (may_write(_PACKAGES / "vivid_assets/imaging/__pycache__") or may_write(caches / "numba")):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(_temporary() / "numba"))
    # The code that comes with a model's weights is copied there before it is loaded.
    if not may_write(Path(os.environ.get("HF_HOME") or caches / "huggingface") / "modules"):
        os.environ.setdefault("HF_MODULES_CACHE", str(_temporary() / "huggingface-modules"))


def keep_compiled_code() -> None:
    """Have ``torch.compile`` keep its code beside the weights, where it outlives a restart; what is set is left alone.

    By default it is in the folder for temporary files, and a part of PyTorch that diffusers imports writes that default
    into the environment, as if somebody had set it.
    """
    from huggingface_hub import constants
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    folder = Path(constants.HF_HOME) / "vivid-assets-compiled"
    if os.environ.get("TORCHINDUCTOR_CACHE_DIR") in (None, default_cache_dir()) and may_write(folder):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


def may_write(folder: Path) -> bool:
    """Whether this process may make ``folder``, or files in it where it is there already."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@cache
def _temporary() -> Path:
    """A folder of this user's alone, the same in every run; code is loaded from it, so nobody else may write there."""
    folder = Path(tempfile.gettempdir()) / f"vivid-assets-{getattr(os, 'getuid', lambda: 'caches')()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="vivid-assets-"))
    if os.name == "posix" and not (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    ):
        return Path(tempfile.mkdtemp(prefix="vivid-assets-"))
    return folder
