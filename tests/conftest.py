"""What several test modules need. Pictures are made in code or come with scikit-image; none is stored."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from PIL import Image
from xdist.scheduler import LoadFileScheduling

from resources.weights import pull as weights

# What starts the tests may ignore signals, as a shell does for what it runs in the background, and every process that
# they start would inherit that.
if threading.current_thread() is threading.main_thread():
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)

# On a busy machine any example may take long: what is slow is not wrong.
hypothesis.settings.register_profile("vivid", deadline=None)
hypothesis.settings.load_profile("vivid")

SHARED = {
    "diffusers": {"tiny_sdxl", "tiny_families"},
    "models": {"tiny_clip", "tiny_birefnet", "tiny_vitmatte", "open_clip_tokenizer"},
    "live Dagster": {"tests.support.operator"},
}
"""What takes long to set up and is shared by tests of several files is set up once, in one worker."""


LONG = 4
"""Minutes of a live Dagster that come first. All that are live at once would leave the processors idle."""


class ByFile(LoadFileScheduling):
    """A file's tests share a worker and what it has set up.

    Those with models share one, too, which imports diffusers once, and those with a live Dagster, which starts once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return next((kind for kind in SHARED if _shares(file, kind)), file)


@cache
def _shares(file: str, kind: str) -> bool:
    text = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    return any(name in text for name in SHARED[kind])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Who works together (pytest-xdist's hook)."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that none of the workers waits for another at the end; what computes beside what waits."""

    def order(item: pytest.Item) -> tuple[float, bool]:
        live = item.get_closest_marker("live")
        minutes = live.kwargs["minutes"] if live else 0
        return -minutes if minutes >= LONG else 0, item.get_closest_marker("slow") is None

    items.sort(key=order)


@pytest.fixture(scope="session")
def u2netp() -> Path:
    """The real U²-NetP weights where rembg finds them; fetched once, then kept. For slow tests."""
    return weights.pull("u2netp")


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``StableDiffusionXLPipeline`` of a few hundred thousand weights; ``vae-fix`` inside is its VAE apart."""
    from benchmarks.speed.architectures import save_sdxl

    # What diffusers and transformers have imported stays: no collection needs to look at it again.
    gc.freeze()
    return save_sdxl(tmp_path_factory.mktemp("sdxl"), tiny=True)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open_clip model with the real tokenizer."""
    from benchmarks.speed.architectures import save_clip

    return save_clip(tmp_path_factory.mktemp("clip"), tiny=True)


@pytest.fixture
def hub_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own for the code of models, and none of the code that earlier tests have imported."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "transformers_modules"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def tiny_birefnet(tmp_path: Path, hub_code: None) -> Path:
    """A model folder as BiRefNet's: custom code, configuration, weights.

    Its logit is the picture's normalised brightness, so that its answer can be foreseen.
    """
    from benchmarks.speed.architectures import save_tiny_birefnet

    return save_tiny_birefnet(tmp_path / "birefnet")


@pytest.fixture(scope="session")
def tiny_vitmatte(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``VitMatteForImageMatting`` of random weights, large enough for its answers to differ."""
    import torch
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    torch.manual_seed(0)
    backbone = VitDetConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_channels=4,
        image_size=64,
        pretrain_image_size=64,
        window_block_indices=[0],
        window_size=3,
        use_relative_position_embeddings=True,
        out_features=["stage2"],
        initializer_range=0.5,
    )
    config = VitMatteConfig(
        backbone_config=backbone,
        hidden_size=32,
        convstream_hidden_sizes=[4, 8, 16],
        fusion_hidden_sizes=[16, 8, 8, 4],
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("vitmatte")
    VitMatteForImageMatting(config).save_pretrained(folder)
    return folder


class FakeCuda:
    """The memory of two GPUs, as ``torch.cuda`` would tell it."""

    def __init__(self) -> None:
        self.held, self.peaks = [0, 0], [0, 0]

    def take(self, index: int, size: int) -> None:
        self.held[index] += size
        self.peaks[index] = max(self.peaks[index], self.held[index])

    def reset(self, index: int) -> None:
        self.peaks[index] = self.held[index]


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """Two GPUs in ``torch.cuda``'s place, on which nothing can be computed but memory can be taken."""
    import torch

    cuda = FakeCuda()
    for name, answer in {
        "is_initialized": lambda: True,
        "device_count": lambda: 2,
        "get_device_name": lambda index: f"Some GPU {index}",
        "mem_get_info": lambda _: (80 << 30, 96 << 30),
        "memory_allocated": lambda index: cuda.held[index],
        "max_memory_allocated": lambda index: cuda.peaks[index],
        "max_memory_reserved": lambda index: cuda.peaks[index] + (1 << 30),
        "reset_peak_memory_stats": cuda.reset,
        "empty_cache": lambda: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return cuda


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real photograph with fine detail: uint8, 512 × 512 × 3. Read-only, since all tests share it."""
    from skimage import data

    picture = data.astronaut()
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def as_file() -> Callable[..., bytes]:
    """``as_file(array_or_image, "TIFF", compression="lzw")``: a file's bytes as Pillow writes them."""

    def write(picture: np.ndarray | Image.Image, format_: str, **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        stream = BytesIO()
        image.save(stream, format_, **options)
        return stream.getvalue()

    return write


class PostgreSQL:
    """A server in a folder of its own, on a socket of its own."""

    def __init__(self):
        pytest.importorskip("dagster_postgres", reason="dagster-postgres is not installed")
        homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        initdb = str(homes[-1] / "initdb") if homes else shutil.which("initdb")
        if initdb is None:
            if os.environ.get("VIVID_REQUIRE_POSTGRES"):
                pytest.fail("no PostgreSQL server is installed, and VIVID_REQUIRE_POSTGRES is set")
            pytest.skip("no PostgreSQL server is installed")
        self._databases = 0
        # Not below pytest's folder: nobody else may look into that one, and the server refuses to run as root.
        self._bin, self._root = Path(initdb).parent, Path(tempfile.mkdtemp(prefix="vivid-postgres-"))
        self._user = {"user": "postgres"} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(self._root, "postgres")
        data = self._root / "data"
        self._call("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync")
        options = f"-k {self._root} -c listen_addresses=''"
        self._call("pg_ctl", "-D", str(data), "-w", "-l", str(self._root / "log"), "-o", options, "start")

    def new_database(self) -> str:
        """An empty database of its own: the URL that says where."""
        self._databases += 1
        name = f"vivid{self._databases}"
        self._call("createdb", "-h", str(self._root), "-U", "postgres", name)
        return f"postgresql+psycopg2://postgres@/{name}?host={self._root}"

    def _call(self, program, *arguments):
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._root,
            **self._user,
        )

    def stop(self):
        self._call("pg_ctl", "-D", str(self._root / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._root)


@pytest.fixture(scope="session")
def new_database():
    """``new_database()``: the URL of an empty database of a PostgreSQL server that runs as long as the tests."""
    server = PostgreSQL()
    yield server.new_database
    server.stop()
