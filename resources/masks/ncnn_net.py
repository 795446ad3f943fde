"""Published ONNX weights as an ncnn network, which on a CPU takes half of onnxruntime's time.

Its 3×3 convolutions go by Winograd's algorithm (Lavin and Gray 2016), still in float32.
The weights are converted once, by pnnx, into a folder beside them. Its name says which weights it was made of, and
digests inside say whether it is whole. Answers are onnxruntime's to within 2e-4, and the
same whatever else is asked at the time.
"""

import hashlib
import json
import logging
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from resources.errors import MachineFault, ModelUnavailable
from resources.weights import pull as weights
from resources.weights.registry import OnnxWeight

_log = logging.getLogger(__name__)

_PARAM, _BIN, _DIGESTS = "net.param", "net.bin", "digests.json"
_MOST_SECONDS = 600  # U²-Net's 176 MB take ten


class NcnnNet:
    """A network of one input and the first of its outputs. Threads may ask it at the same time."""

    def __init__(self, weight: OnnxWeight, input_shape: tuple[int, ...]) -> None:
        """Load the weights, converted before or now.

        Raises:
            ModelUnavailable: the weights are not here, damaged, or cannot be converted or loaded.

        """
        try:
            import ncnn

            converter = version("pnnx")
        except ImportError as error:
            raise ModelUnavailable(f"The package {error.name}, which U²-Net needs, is not installed.") from error
        self._matrix = ncnn.Mat
        folder = weights.path(weight.name).with_name(f"{weight.name}-{weight.sha256[:12]}-pnnx{converter}.ncnn")
        with tempfile.TemporaryDirectory(prefix="vivid-ncnn-") as aside:
            if not _is_whole(folder):
                folder = _convert_once(weight, input_shape, folder, Path(aside))
            self._net = ncnn.Net()
            self._net.opt.use_vulkan_compute = False
            # A thread to a picture: most layers are too small to be divided.
            self._net.opt.num_threads = 1
            for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
                setattr(self._net.opt, half, False)
            if self._net.load_param(str(folder / _PARAM)) or self._net.load_model(str(folder / _BIN)):
                raise ModelUnavailable(f"ncnn cannot load {folder}; remove it, and it is made again.")

    def run(self, x: np.ndarray) -> np.ndarray:
        """The first output for ``x`` (float32 C×H×W), float32.

        Raises:
            MemoryError: there is none for a layer.
            RuntimeError: ncnn gives up for another reason.

        """
        with self._net.create_extractor() as extractor:
            extractor.input("in0", self._matrix(x))
            status, output = extractor.extract("out0")
            if status == -100:
                raise MemoryError("ncnn found no memory for a layer")
            if status:
                raise RuntimeError(f"ncnn gave up with {status}")
            return np.array(output)


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / _DIGESTS).read_bytes())
        return bool(digests == _digests(folder))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for name in (_PARAM, _BIN):
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _convert_once(weight: OnnxWeight, input_shape: tuple[int, ...], folder: Path, aside: Path) -> Path:
    """The converted network in ``folder``; in ``aside`` where nobody may write beside the weights."""
    try:
        with weights.locked(folder):
            if not _is_whole(folder):
                _convert_beside(weight, input_shape, folder)
        return folder
    except ModelUnavailable:
        raise
    except MachineFault as fault:
        _log.warning(
            "%s is converted for this process alone: %s `vivid models pull %s` does it once, where it may write.",
            *(weight.name, fault, weight.name),
        )
        _convert(weight, input_shape, aside)
        return aside


def _convert_beside(weight: OnnxWeight, input_shape: tuple[int, ...], folder: Path) -> None:
    """Convert into a folder of another name first, so that ``folder`` is whole or not there."""
    prefix = f".{folder.name}-"
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            _convert(weight, input_shape, made)
            shutil.rmtree(folder, ignore_errors=True)
            made.chmod(0o755)
            made.replace(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ModelUnavailable(f"{weight.name} could not be converted in {folder.parent}: {error.strerror}.") from error


def _convert(weight: OnnxWeight, input_shape: tuple[int, ...], folder: Path) -> None:
    """Convert verified weights into ``folder``."""
    source = weights.verify(weight.name)
    package = find_spec("pnnx")
    places = (package.submodule_search_locations if package else None) or [""]
    converter = shutil.which("pnnx", path=places[0])
    if converter is None:
        raise ModelUnavailable("The package pnnx, which converts weights for ncnn, is incomplete: reinstall it.")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="vivid-pnnx-", dir=folder) as place:
        # It writes a dozen files beside its input.
        (Path(place) / "net.onnx").symlink_to(source.resolve())
        shape = f"inputshape=[{','.join(map(str, input_shape))}]f32"
        command = [converter, "net.onnx", shape, "fp16=0"]
        try:
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=_MOST_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ModelUnavailable(f"{source} could not be converted for ncnn in {_MOST_SECONDS} s.") from error
        made = {name: Path(place) / name.replace("net", "net.ncnn") for name in (_PARAM, _BIN)}
        if done.returncode or not all(file.is_file() for file in made.values()):
            said = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
            raise ModelUnavailable(f"{source} could not be converted for ncnn (pnnx ended: {said[-1]}).")
        for name, file in made.items():
            file.replace(folder / name)
    (folder / _DIGESTS).write_text(json.dumps(_digests(folder)))
    _log.info("%s converted for ncnn in %.0f s", weight.name, time.perf_counter() - started)
