"""BiRefNet: masks on a GPU in batches, through transformers or through rembg's ONNX file."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import dagster as dg
import numpy as np
from pydantic import Field

from resources.batches import Batches
from resources.birefnet_load import Segmenter, load_onnx, load_transformers
from resources.device import Device, DType, decide
from resources.errors import ModelUnavailable
from resources.fit import fitted, unfitted
from resources.hub import Weights
from resources.lease import Shared, lease


class BiRefNet(dg.ConfigurableResource):
    """BiRefNet's masks. The lease is a ``MaskModel``: uint8 pictures in, float32 probabilities out."""

    runtime: Literal["transformers", "onnx"] = Field(
        "transformers",
        description="transformers: the quick way on a GPU; runs code from the model's repository. onnx: rembg's "
        "file through onnxruntime; runs no such code.",
    )
    model: str = Field("ZhengPeng7/BiRefNet", description="Hub name or a folder (/…, ./…), for transformers.")
    model_revision: str = Field("e2bf8e4460fc8fa32bba5ea4d94b3233d367b0e4", description="The hub's commit.")
    trust_remote_code: bool = Field(
        False, description="Consent to run the Python files of the model's repository, at model_revision."
    )
    onnx_model: str = Field("birefnet-general", description="rembg's name, or the path of an .onnx file.")
    onnx_sha256: str = Field("", description="The ONNX file must have this SHA-256, if set.")
    size: int = Field(1024, ge=32, description="Side that the model works at: 1024; 2048 for BiRefNet_HR.")
    fit: Literal["pad", "squash", "dynamic"] = Field(
        "pad",
        description="pad: aspect kept, the rest filled up. squash: as the model card does. dynamic: each picture "
        "at its own shape, for BiRefNet_dynamic.",
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: DType = Field("auto", description="auto is float16 on CUDA and float32 elsewhere.")
    batch_size: int = Field(8, ge=1, description="Pictures at once; halved when memory runs out.")
    download: bool = Field(False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key needs of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: a local folder or file is not there.
        """
        if self.runtime == "onnx":
            local = Weights(self.onnx_model, "")
            weights = local.identity if local.is_local else self.onnx_model
        else:
            weights = self._weights().identity
        parts = (self.runtime, weights, self.size, self.fit, self.dtype)
        return "birefnet-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @contextmanager
    def lease(self) -> Iterator["MaskMaker"]:
        """A mask model for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype}"
        with lease(key, self._load, lambda: decide(self.device, self.dtype)) as shared:
            yield MaskMaker(shared, self)

    def pull(self) -> Path:
        """Fetch the weights from the hub, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached, or the ONNX way is set, whose file rembg keeps.
        """
        if self.runtime == "onnx":
            raise ModelUnavailable(f"Fetch rembg's file with `rembg d {self.onnx_model}`.")
        return self._weights().folder(download=True)

    def _weights(self) -> Weights:
        return Weights(self.model, self.model_revision, ("config.json", "*.py", "model.safetensors"))

    def _load(self, device: Device) -> Segmenter:
        if self.runtime == "onnx":
            return load_onnx(self.onnx_model, self.onnx_sha256, device)
        if not self.trust_remote_code:
            raise ModelUnavailable(
                f"{self.model} runs Python code from its repository (revision {self.model_revision or 'local'}). Read "
                "it and consent with trust_remote_code: true in the settings, or set runtime: onnx."
            )
        return load_transformers(self._weights().folder(download=self.download), device)


class MaskMaker:
    """A leased BiRefNet; implements ``MaskModel``."""

    name = "birefnet"

    def __init__(self, shared: Shared[Segmenter], settings: BiRefNet) -> None:
        self.revision = settings.revision
        self._shared = shared
        self._settings = settings
        self._batches: Batches[np.ndarray, np.ndarray] = Batches(self._infer, settings.batch_size)

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray | Exception]:
        """Raw probabilities, never stretched: a picture without a subject stays near 0.

        Args:
            images: uint8 H×W×3 sRGB each; sizes may differ.

        Returns:
            Per picture float32 H×W in 0..1 at its own size; an exception as an entry is that picture's failure.

        Raises:
            ModelUnavailable: on the first call: no weights, no consent, or they cannot be loaded.
            MachineFault: the device or provider that was asked for is not there, or it has failed.
        """
        shapes = [self._shape(image) for image in images]
        answers: dict[int, np.ndarray | Exception] = {}
        for shape in sorted(set(shapes)):
            indices = [index for index, other in enumerate(shapes) if other == shape]
            answers.update(zip(indices, self._batches([images[index] for index in indices]), strict=True))
        return [answers[index] for index in range(len(images))]

    def _infer(self, images: list[np.ndarray]) -> list[np.ndarray]:
        shape = self._shape(images[0])
        keep = self._settings.fit == "pad"
        pixels = np.stack([fitted(image, shape, keep_aspect=keep) for image in images])
        with self._shared.use() as model:
            masks = model(pixels)
        return [unfitted(mask, image.shape[:2], keep_aspect=keep) for mask, image in zip(masks, images, strict=True)]

    def _shape(self, image: np.ndarray) -> tuple[int, int]:
        """Height and width that the model sees this picture at."""
        side = self._settings.size
        if self._settings.fit != "dynamic":
            return side, side
        height, width = image.shape[:2]
        scale = (side * side / (height * width)) ** 0.5
        # The backbone halves the picture five times.
        return max(32, round(height * scale / 32) * 32), max(32, round(width * scale / 32) * 32)
