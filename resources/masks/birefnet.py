"""BiRefNet: masks on a GPU in batches, through transformers or through rembg's ONNX file."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from resources.errors import ModelUnavailable
from resources.masks.birefnet_load import load_transformers
from resources.masks.birefnet_onnx import (
    OnnxInput,
    OnnxOutput,
    Segmenter,
    decide_provider,
    is_path,
    load_onnx,
    normalisation_of,
    onnx_file,
    pull_onnx,
)
from resources.masks.letterbox import fitted, unfitted
from resources.masks.tier import MaskTier
from resources.runtime.batches import Batches
from resources.runtime.device import Device, DeviceName, DType, decide
from resources.runtime.lease import Shared, lease
from resources.runtime.packages import demand
from resources.weights.hub import Weights
from resources.weights.model_files import BIREFNET
from resources.weights.remote_code import packages


class BiRefNet(MaskTier):
    """BiRefNet's masks. The lease is a ``MaskModel``: uint8 pictures in, float32 probabilities out."""

    title: ClassVar[str] = "BiRefNet"
    purpose: ClassVar[str] = "masks, the best of these"
    licence: ClassVar[str] = "MIT"
    answers: ClassVar[Literal["probability", "matte"]] = "matte"

    runtime: Literal["transformers", "onnx"] = Field(
        default="transformers",
        description="transformers: the quick way on a GPU; runs code from the model's repository. onnx: rembg's "
        "file through onnxruntime; runs no such code.",
    )
    model: str = Field(default="ZhengPeng7/BiRefNet", description="Hub name or a folder (/…, ./…), for transformers.")
    model_revision: str = Field(default="e2bf8e4460fc8fa32bba5ea4d94b3233d367b0e4", description="The hub's commit.")
    trust_remote_code: bool = Field(
        default=False, description="Consent to run the Python files of the model's repository, at model_revision."
    )
    onnx_model: str = Field(default="birefnet-general", description="rembg's name, or the path of an .onnx file.")
    onnx_sha256: str = Field(default="", description="The ONNX file must have this SHA-256, if set.")
    onnx_input: OnnxInput = Field(
        default="auto",
        description="How the ONNX network was trained to see pictures; auto knows it of rembg's models.",
    )
    onnx_output: OnnxOutput = Field(
        default="auto", description="What the ONNX network ends in; auto measures it on one picture."
    )
    size: int = Field(default=1024, ge=32, description="Side that the model works at: 1024; 2048 for BiRefNet_HR.")
    fit: Literal["pad", "squash", "dynamic"] = Field(
        default="squash",
        description="squash: stretched, as the model card does. pad: aspect kept, the rest filled up. dynamic: each "
        "picture at its own shape, for BiRefNet_dynamic.",
    )
    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: DType = Field(default="auto", description="auto is float16 on CUDA and float32 elsewhere.")
    hr_model: str = Field(
        default="", description="For large pictures: ZhengPeng7/BiRefNet_HR or a folder; empty for none."
    )
    hr_revision: str = Field(
        default="a7a562f6fd16021180f2f4348f4de003a2d3d1e1",
        description="The hub's commit of hr_model; by default of ZhengPeng7/BiRefNet_HR.",
    )
    hr_from: int = Field(
        default=1536, ge=1, description="Longest side in pixels from which hr_model answers, at twice size."
    )
    batch_size: int = Field(default=8, ge=1, description="Pictures at once; halved when memory runs out.")
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key needs of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: a local folder or file is not there.
        """
        if self.runtime == "onnx":
            model = self.onnx_model
            if is_path(model):
                model = Weights(str(Path(model).expanduser().absolute()), "").identity
            weights = [model, self.onnx_input, self.onnx_output]
        else:
            weights = [variant.weights.identity for variant in self._variants()]
        parts = (self.runtime, weights, self.size, self.fit, self.dtype, self.hr_from if self.hr_model else None)
        return "birefnet-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @contextmanager
    def lease(self) -> Iterator["MaskMaker"]:
        """A mask model for as long as the block runs: loaded on its first call, freed when the block ends."""
        with ExitStack() as held:
            workers = []
            for variant in self._variants():
                key = f"{self.revision} {variant.size} {self.device} {self.dtype}"
                load = partial(self._load, variant)
                what = f"BiRefNet ({self.onnx_model if self.runtime == 'onnx' else variant.weights.source})"
                shared = held.enter_context(lease(key, load, self._device, what=what))
                workers.append(_Worker(shared, variant.size, self.fit, variant.batch_size))
            yield MaskMaker(self.revision, workers, self.hr_from)

    def missing(self) -> str | None:
        """What the model lacks here, all of it, in sentences; None when its weights are here or may be fetched.

        Imports no PyTorch for the transformers way. What only loading can show is not seen.
        """
        lacking: dict[str, None] = {}  # in order, each once

        def look(find: Callable[[], object]) -> None:
            try:
                find()
            except ModelUnavailable as error:
                lacking[str(error)] = None

        if self.runtime == "onnx":
            look(lambda: demand("BiRefNet as an ONNX file", ("onnxruntime", "rembg")))
            look(lambda: normalisation_of(self.onnx_model, self.onnx_input))
            if not lacking:
                look(lambda: onnx_file(self.onnx_model))
        else:
            look(lambda: demand("BiRefNet", ("torch", "torchvision", "transformers")))
            for weights in self.weights():
                look(partial(self.assert_consent, weights))
                if weights.is_local or not self.download:
                    look(partial(self._folder, weights))
        return " ".join(lacking) or None

    def pull(self) -> list[Path]:
        """Fetch the weights, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub, or rembg's page, cannot be reached.
        """
        if self.runtime == "onnx":
            return [pull_onnx(self.onnx_model)]
        return [weights.folder(download=True) for weights in self.weights()]

    def weights(self) -> list[Weights]:
        """All the files that the settings need of the hub, or of folders; none with the runtime ``onnx``."""
        return [] if self.runtime == "onnx" else [variant.weights for variant in self._variants()]

    def fetched(self) -> Sequence[Weights | str]:
        """The files on the hub, or the name of rembg's model."""
        if self.runtime == "onnx":
            return [] if is_path(self.onnx_model) else [self.onnx_model]
        return self.weights()

    def refusal(self) -> str | None:
        """Why the code of a repository may not run, in a sentence."""
        for weights in self.weights():
            try:
                self.assert_consent(weights)
            except ModelUnavailable as error:
                return str(error)
        return None

    @property
    def at_once(self) -> int:
        """A batch."""
        return self.batch_size

    def check_longest(self, longest: int) -> None:
        """See that ``hr_model``, if there is one, is reached. Raises ValueError."""
        if self.hr_model and longest < self.hr_from:
            raise ValueError(
                f"birefnet.hr_model answers for pictures from {self.hr_from} pixels, but prepared_images.longest makes "
                f"none larger than {longest}: raise that, or lower birefnet.hr_from"
            )

    def _folder(self, weights: Weights) -> Path:
        """The model's folder, whose code finds all that it imports. Raises ModelUnavailable."""
        folder = weights.folder(download=self.download)
        demand(f"The code of {weights.source}", packages(folder))
        return folder

    def _variants(self) -> list["_Variant"]:
        """The model, and after it the one for large pictures if there is one."""
        variants = [_Variant(_files(self.model, self.model_revision), self.size, self.batch_size)]
        if self.hr_model and self.runtime == "transformers":
            # Four times the pixels, so a quarter of the pictures at once.
            large = _files(self.hr_model, self.hr_revision)
            variants.append(_Variant(large, 2 * self.size, max(1, self.batch_size // 4)))
        return variants

    def _device(self) -> Device:
        if self.runtime == "transformers":
            return decide(self.device, self.dtype, heavy=True)
        if self.dtype not in ("auto", "float32"):
            raise ModelUnavailable(f"rembg's ONNX file computes in float32, not in {self.dtype}: set dtype to auto.")
        return decide_provider(self.device)

    def _load(self, variant: "_Variant", device: Device) -> Segmenter:
        if self.runtime == "onnx":
            return load_onnx(
                onnx_file(self.onnx_model),
                sha256=self.onnx_sha256,
                size=None if self.fit == "dynamic" else self.size,
                normalisation=normalisation_of(self.onnx_model, self.onnx_input),
                output=self.onnx_output,
                device=device,
            )
        self.assert_consent(variant.weights)
        return load_transformers(self._folder(variant.weights), device)

    def assert_consent(self, weights: Weights) -> None:
        """See that the code of a repository may run. Raises ModelUnavailable."""
        if not self.trust_remote_code:
            raise ModelUnavailable(
                f"{weights.source} runs Python code from its repository (revision {weights.revision or 'local'}). "
                'Read it and consent with trust_remote_code = true in the settings, or set runtime = "onnx".'
            )
        if not weights.is_local and not re.fullmatch(r"[0-9a-f]{40}", weights.revision):
            raise ModelUnavailable(
                f"{weights.source} runs Python code, so its revision must be a full commit, not {weights.revision!r}: "
                "whoever can move a branch could run code here."
            )


class MaskMaker:
    """A leased BiRefNet; implements ``MaskModel``."""

    name = "birefnet"

    def __init__(self, revision: str, workers: list["_Worker"], hr_from: int) -> None:
        self.revision = revision
        self._workers = workers
        self._hr_from = hr_from

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
        groups: dict[tuple[Any, ...], list[int]] = {}
        for index, image in enumerate(images):
            worker = self._workers[-1] if max(image.shape[:2]) >= self._hr_from else self._workers[0]
            groups.setdefault((self._workers.index(worker), worker.shape(image)), []).append(index)
        answers: dict[int, np.ndarray | Exception] = {}
        for (number, _), indices in groups.items():
            found = self._workers[number].batches([images[index] for index in indices])
            answers.update(zip(indices, found, strict=True))
        return [answers[index] for index in range(len(images))]


@dataclass(frozen=True)
class _Variant:
    weights: Weights
    size: int
    batch_size: int


class _Worker:
    """One loaded model with its size and what batch of it fits."""

    def __init__(self, shared: Shared[Segmenter], size: int, fit: str, batch_size: int) -> None:
        self._shared = shared
        self._size = size
        self._fit = fit
        self.batches: Batches[np.ndarray, np.ndarray] = Batches(self._infer, batch_size, "BiRefNet")

    def shape(self, image: np.ndarray) -> tuple[int, int]:
        """Height and width that the model sees this picture at."""
        if self._fit != "dynamic":
            return self._size, self._size
        height, width = image.shape[:2]
        scale = self._size / (height * width) ** 0.5
        # The backbone halves the picture five times.
        return max(32, round(height * scale / 32) * 32), max(32, round(width * scale / 32) * 32)

    def _infer(self, images: list[np.ndarray]) -> list[np.ndarray]:
        shape = self.shape(images[0])
        keep = self._fit == "pad"
        pixels = np.stack([fitted(image, shape, keep_aspect=keep) for image in images])
        with self._shared.use() as model:
            masks = model(pixels)
        return [unfitted(mask, image.shape[:2], keep_aspect=keep) for mask, image in zip(masks, images, strict=True)]


def _files(model: str, revision: str) -> Weights:
    return Weights(model, revision, BIREFNET)
