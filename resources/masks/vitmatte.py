"""ViTMatte (Yao et al. 2023): alpha solved by a network inside a trimap's unknown band, in batches, on a GPU or not."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from resources.errors import ModelUnavailable
from resources.resource import Resource, Taste
from resources.runtime.batches import Batches, PictureError
from resources.runtime.device import Device, DeviceName, DType, assert_placed, decide
from resources.runtime.lease import Shared, lease
from resources.runtime.packages import demand
from resources.runtime.probing import probe
from resources.weights.hub import Weights
from resources.weights.model_files import VITMATTE

_PATCH = 32
"""The network halves the picture to 1/16, and its image processor pads to twice that."""
_PROBE = 64

Solver = Callable[[np.ndarray], np.ndarray]
"""float32 B×H×W×4 (sRGB in -1..1 and the trimap in 0..1, sides multiples of 32) to alpha, float32 B×H×W in 0..1."""


class VitMatteLook(Taste):
    """How wide an edge is solved: an entry of VitMatte's."""

    band: float = Field(0.01, gt=0, le=0.1)


class VitMatte(Resource):
    """ViTMatte's alphas. The lease is a ``MattingModel``: pictures and trimaps in, alphas out."""

    for_catalogues: ClassVar[type[BaseModel] | None] = VitMatteLook

    model: str = Field(default="hustvl/vitmatte-small-composition-1k", description="Hub name or a folder (/…, ./…).")
    model_revision: str = Field(default="6a58ad7646403c1df626fbd746900aec7361ea1d", description="The hub's commit.")
    band: float = Field(
        default=0.01, gt=0, le=0.1, description="How far from an edge is solved, as a share of the longest side."
    )
    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: DType = Field(default="auto", description="auto is float16 on CUDA and float32 elsewhere.")
    batch_size: int = Field(default=4, ge=1, description="Pictures at once; halved when memory runs out.")
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key needs of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: a local folder is not there.
        """
        parts = (self.weights.identity, self.band, self.dtype)
        return "vitmatte-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @property
    def weights(self) -> Weights:
        """The files that are loaded."""
        return Weights(self.model, self.model_revision, VITMATTE)

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched."""
        try:
            demand("ViTMatte", ("torch", "transformers"))
            if self.weights.is_local or not self.download:
                self.weights.folder()
        except ModelUnavailable as error:
            return str(error)
        return None

    @contextmanager
    def lease(self) -> Iterator["Matter"]:
        """A matting model for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype}"
        device = partial(decide, self.device, self.dtype)
        with lease(key, self._load, device, what=f"ViTMatte ({self.model})") as shared:
            yield Matter(shared, self.band, self.batch_size)

    def _load(self, device: Device) -> Solver:
        demand("ViTMatte", ("torch", "transformers"))
        return load_solver(self.weights.folder(download=self.download), device)


class Matter:
    """A leased ViTMatte; implements ``MattingModel``."""

    name = "vitmatte"

    def __init__(self, shared: Shared[Solver], band: float, batch_size: int) -> None:
        self.band = band
        self._shared = shared
        self._batches: Batches[tuple[np.ndarray, np.ndarray], np.ndarray] = Batches(self._infer, batch_size, "ViTMatte")

    def alphas(self, images: Sequence[np.ndarray], trimaps: Sequence[np.ndarray]) -> list[np.ndarray | Exception]:
        """The network's alpha, also where the trimap knows better: what to keep of it is the caller's choice.

        Pictures are padded to the next multiple of 32 and go together where that makes them equal, so that none's
        answer depends on the others.

        Args:
            images: uint8 H×W×3 sRGB each; sizes may differ.
            trimaps: float32 H×W each, of its picture's size: 0 wall, 1 subject, 0.5 unknown.

        Returns:
            Per picture float32 H×W in 0..1; an exception as an entry is that picture's failure.

        Raises:
            ModelUnavailable: on the first call: no weights, or they cannot be loaded.
            MachineFault: the device that was asked for is not there, or it has failed.
        """
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, trimap in enumerate(trimaps):
            groups.setdefault(_padded_size(trimap), []).append(index)
        answers: dict[int, np.ndarray | Exception] = {}
        for indices in groups.values():
            found = self._batches([(images[index], trimaps[index]) for index in indices])
            answers.update(zip(indices, found, strict=True))
        return [answers[index] for index in range(len(trimaps))]

    def _infer(self, pictures: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        # As the model's image processor does: 0 beyond the picture, after scaling.
        pixels = np.zeros((len(pictures), *_padded_size(pictures[0][1]), 4), np.float32)
        for place, (image, trimap) in zip(pixels, pictures, strict=True):
            height, width = trimap.shape
            place[:height, :width, :3] = image / np.float32(127.5) - 1
            place[:height, :width, 3] = trimap
        with self._shared.use() as solve:
            solved = solve(pixels)
        return [
            alpha[: trimap.shape[0], : trimap.shape[1]] for alpha, (_, trimap) in zip(solved, pictures, strict=True)
        ]


def load_solver(folder: Path, device: Device) -> Solver:
    """The model of a folder, tried on one small blank picture.

    Args:
        folder: config.json and model.safetensors, as transformers saves them.
        device: where and in which precision.

    Raises:
        ModelUnavailable: weights are missing in the file, or of another shape.
        MachineFault: a part is not where it was asked to be.
    """
    from transformers import VitMatteForImageMatting

    loaded: Any = VitMatteForImageMatting.from_pretrained(
        folder, dtype=device.torch_dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    module, info = loaded
    # transformers fills such weights with random numbers and a line of warning.
    if wrong := sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]])):
        raise ModelUnavailable(f"{folder}/model.safetensors does not fit its config.json: no {wrong[0]}.")
    module.eval().to(device.name)
    assert_placed(module, device, "ViTMatte")
    solver = partial(_solve, module, device)
    probe("ViTMatte", device, lambda: solver(np.zeros((1, _PROBE, _PROBE, 4), np.float32)))
    return solver


def _solve(module: Any, device: Device, pixels: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        given = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device.name, device.torch_dtype)
        alphas = module(pixel_values=given).alphas[:, 0].float().cpu().numpy()
    if not np.isfinite(alphas).all():
        raise PictureError("ViTMatte's answer is not finite; in half precision, try dtype bfloat16 or float32.")
    return np.asarray(alphas)


def _padded_size(trimap: np.ndarray) -> tuple[int, int]:
    height, width = trimap.shape
    return height + -height % _PATCH, width + -width % _PATCH
