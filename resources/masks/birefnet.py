"""BiRefNet, and any model of its interface on the hub: masks on a GPU in batches."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from resources.errors import ModelUnavailable
from resources.masks.birefnet_load import Segmenter, load_transformers
from resources.masks.letterbox import fitted, unfitted
from resources.masks.tier import MaskTier
from resources.runtime.batches import Batches
from resources.runtime.device import Device, DeviceName, DType, decide
from resources.runtime.lease import Shared, lease
from resources.runtime.packages import demand
from resources.weights.hub import COMMIT, Weights, after_colon
from resources.weights.licences import CARD, licence_at, without_consent
from resources.weights.model_files import BIREFNET
from resources.weights.remote_code import packages

_TAUGHT: dict[str, dict[str, Any]] = {
    "ZhengPeng7/BiRefNet_HR": {"size": 2048},
    "ZhengPeng7/BiRefNet_HR-matting": {"size": 2048},
    "ZhengPeng7/BiRefNet_512x512": {"size": 512},
    "ZhengPeng7/BiRefNet_dynamic": {"fit": "dynamic"},
    "ZhengPeng7/BiRefNet_dynamic-matting": {"fit": "dynamic"},
}
"""What a model was trained for, where it is not 1024×1024; by its model card."""


class BiRefNet(MaskTier):
    """BiRefNet's masks. The lease is a ``MaskModel``: uint8 pictures in, float32 probabilities out."""

    title: ClassVar[str] = "BiRefNet"
    purpose: ClassVar[str] = "masks, the best of these"
    answers: ClassVar[Literal["probability", "matte"]] = "matte"

    model: str = Field(default="ZhengPeng7/BiRefNet", description="Hub name or a folder (/…, ./…).")
    model_revision: str = Field(default="e2bf8e4460fc8fa32bba5ea4d94b3233d367b0e4", description="The hub's commit.")
    trust_remote_code: bool = Field(
        default=False, description="Consent to run the Python files of the model's repository, at model_revision."
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
    non_commercial: bool = Field(
        default=False, description="Consent to models whose licence forbids commercial use, such as RMBG-2.0."
    )
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def licence(self) -> str:  # type: ignore[override]
        """The model's, as its publisher states it."""
        return _licence(self.weights()[0])

    def of_model(self, model: str) -> "BiRefNet":
        """The tier of another model of this interface: ``ORG/NAME@COMMIT``, or a folder.

        It works at the size and shape that it was trained for, where that is known and the settings say nothing.

        Raises:
            ValueError: it is neither.
        """
        name, commit = after_colon("birefnet", model)
        known = {key: value for key, value in _TAUGHT.get(name, {}).items() if key not in self.model_fields_set}
        return self.model_copy(update=known | {"model": name, "model_revision": commit, "hr_model": ""})

    @property
    def revision(self) -> str:
        """What a row's key needs of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: a local folder or file is not there.
        """
        weights = [variant.weights.identity for variant in self._variants()]
        parts = ("transformers", weights, self.size, self.fit, self.dtype, self.hr_from if self.hr_model else None)
        return "birefnet-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @contextmanager
    def lease(self) -> Iterator["MaskMaker"]:
        """A mask model for as long as the block runs: loaded on its first call, freed when the block ends."""
        with ExitStack() as held:
            workers = []
            for variant in self._variants():
                key = f"{self.revision} {variant.size} {self.device} {self.dtype}"
                load = partial(self._load, variant)
                what = f"BiRefNet ({variant.weights.source})"
                shared = held.enter_context(lease(key, load, self._device, what=what))
                workers.append(_Worker(shared, variant.size, self.fit, variant.batch_size))
            yield MaskMaker(self.revision, workers, self.hr_from)

    def missing(self) -> str | None:
        """What the model lacks here, all of it, in sentences; None when its weights are here or may be fetched.

        Imports no PyTorch. What only loading can show is not seen.
        """
        lacking: dict[str, None] = {}  # in order, each once

        def look(find: Callable[[], object]) -> None:
            try:
                find()
            except ModelUnavailable as error:
                lacking[str(error)] = None

        look(lambda: demand("BiRefNet", ("torch", "torchvision", "transformers")))
        for weights in self.weights():
            look(partial(self.assert_consent, weights))
            if weights.is_local or not self.download:
                look(partial(self._folder, weights))
        return " ".join(lacking) or None

    def weights(self) -> list[Weights]:
        """All the files that the settings need of the hub, or of folders."""
        return [variant.weights for variant in self._variants()]

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
        if self.hr_model:
            # Four times the pixels, so a quarter of the pictures at once.
            large = _files(self.hr_model, self.hr_revision)
            variants.append(_Variant(large, 2 * self.size, max(1, self.batch_size // 4)))
        return variants

    def _device(self) -> Device:
        return decide(self.device, self.dtype, heavy=True)

    def _load(self, variant: "_Variant", device: Device) -> Segmenter:
        self.assert_consent(variant.weights)
        return load_transformers(self._folder(variant.weights), device)

    def assert_consent(self, weights: Weights) -> None:
        """See that the licence was accepted and the code of a repository may run. Raises ModelUnavailable."""
        refusal = without_consent(weights.source, _licence(weights), "birefnet", non_commercial=self.non_commercial)
        if refusal:
            raise ModelUnavailable(refusal)
        if not self.trust_remote_code:
            raise ModelUnavailable(
                f"{weights.source} runs Python code from its repository (revision {weights.revision or 'local'}). "
                "Read it and consent with trust_remote_code = true in the settings, or take the tier "
                "rembg:birefnet-general, which runs no such code."
            )
        if not weights.is_local and not COMMIT.fullmatch(weights.revision):
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
    return Weights(model, revision, BIREFNET, (CARD,))


def _licence(weights: Weights) -> str:
    return "MIT" if weights.source.startswith("ZhengPeng7/") else licence_at(weights)
