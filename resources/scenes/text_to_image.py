"""Any text-to-image pipeline that the installed diffusers knows, such as FLUX, Stable Diffusion 3.5 or Z-Image."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from resources.errors import ModelUnavailable
from resources.resource import Taste
from resources.runtime.device import Device, DType, decide, device_trouble
from resources.runtime.lease import lease
from resources.runtime.packages import demand
from resources.scenes.generator import SceneGenerator
from resources.scenes.maker import SceneMaker
from resources.scenes.offload import Offload, choose, sizes
from resources.scenes.text_to_image_model import TextToImageModel, load_pipeline
from resources.weights.hub import Weights
from resources.weights.pipeline_files import absent_parts, needed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taught:
    """What a model was trained for, where that differs from its pipeline's defaults."""

    steps: int
    guidance: float
    longest: int = 0
    """Most tokens of a prompt; 0 for the pipeline's own limit."""


TAUGHT = {
    "black-forest-labs/FLUX.1-schnell": Taught(4, 0.0, 256),
    "stabilityai/stable-diffusion-3.5-large-turbo": Taught(4, 0.0),
    "Tongyi-MAI/Z-Image-Turbo": Taught(8, 0.0),
}
"""By hub name, as their publishers and diffusers have it; of all others the pipeline's defaults hold."""


class TextToImageLook(Taste):
    """How a background is painted by another pipeline: entries of TextToImage's, steps with an end."""

    steps: int = Field(0, ge=0, le=150)
    guidance: float = Field(-1.0, ge=-1, le=50)


class TextToImage(SceneGenerator):
    """A text-to-image pipeline of diffusers, whichever it is."""

    purpose: ClassVar[str] = "backgrounds from a prompt, by another pipeline"
    for_catalogues: ClassVar[type[BaseModel] | None] = TextToImageLook
    of_the_machine: ClassVar[frozenset[str]] = SceneGenerator.of_the_machine | {"offload"}
    is_fetched_whole: ClassVar[bool] = True

    model: str = Field(default="", description="Hub name or a folder (/…, ./…) in diffusers' layout.")
    model_revision: str = Field(default="", description="The hub's commit.")
    variant: str = Field(default="", description="Which files of the model, such as fp16; empty for those without.")
    steps: int = Field(default=0, ge=0, description="Denoising steps; 0 for the model's own.")
    guidance: float = Field(default=-1.0, description="Guidance scale; negative for the model's own.")
    dtype: DType = Field(default="auto", description="auto is bfloat16 on CUDA and float32 elsewhere.")
    offload: Literal["auto", "off", "model", "sequential"] = Field(
        default="auto",
        description="What does not compute waits in the machine's memory: whole models, or layer by layer (slow). "
        "auto: as little as fits the GPU.",
    )
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key and the scene cache need of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: no model is named, or a local folder is not there.
        """
        parts = (self._files().identity, self.variant, self.taught, self.dtype, self.size)
        return "text-to-image-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @property
    def called(self) -> str:
        """What it is called in messages: the pipeline, once one is named."""
        return self.model or "text_to_image"

    @property
    def taught(self) -> Taught:
        """Steps, guidance and limit as the settings and the model have them; 0 and -1 leave it to the pipeline."""
        known = TAUGHT.get(self.model, Taught(0, -1.0))
        steps = self.steps or known.steps
        return Taught(steps, self.guidance if self.guidance >= 0 else known.guidance, known.longest)

    @contextmanager
    def lease(self) -> Iterator[SceneMaker]:
        """A generator for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype} {self.offload}"
        with lease(key, self._load, self._device, what=self.model) as shared:
            yield SceneMaker(shared, self.size, self.batch_size, self.model)

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched."""
        try:
            demand("diffusers", ["torch", "diffusers", "transformers", "accelerate"])
            if self._files().is_local or not self.download:
                self._folder(download=False)
        except ModelUnavailable as error:
            return str(error)
        return None

    def pull(self) -> list[Path]:
        """Fetch all weights from the hub, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached.
        """
        return [self._folder(download=True)]

    def weights(self) -> list[Weights]:
        """The repository; which of its files are needed is known when it is asked."""
        return [self._files()]

    def _files(self) -> Weights:
        if not self.model:
            raise ModelUnavailable(
                'The generator text_to_image has no model: name one in the settings, as in model = "ORG/NAME" with '
                "model_revision, a full commit."
            )
        return Weights(self.model, self.model_revision, ("model_index.json",), variant=self.variant or None)

    def _folder(self, *, download: bool) -> Path:
        """The pipeline's folder, with all parts in it."""
        files = self._files()
        if download and not files.is_local:
            from resources.weights.pull import listed

            _, there = listed(files.source, files.revision)
            files = replace(files, files=needed(there, self.variant))
        place = files.folder(download=download)
        try:
            absent = absent_parts(place, self.variant)
        except (OSError, ValueError, json.JSONDecodeError) as error:
            raise ModelUnavailable(f"{place}/model_index.json cannot be read: {error}") from error
        if absent:
            remedy = "Correct the path in the settings." if files.is_local else f"Fetch it with `{files.pull_command}`."
            raise ModelUnavailable(f"{self.model}: {place} has no {', '.join(absent)}. {remedy}")
        return place

    def _device(self) -> Device:
        if self.device == "auto" and device_trouble():
            raise ModelUnavailable(str(self.unusable()))
        return decide(self.device, self.dtype, half="bfloat16")

    def _load(self, device: Device) -> TextToImageModel:
        if self.offload not in ("auto", "off") and not device.is_cuda:
            raise ModelUnavailable(
                f"offload = {self.offload!r} is for a GPU, and this is {device.name}: set it to off."
            )
        folder = self._folder(download=self.download)
        offload = self._fitting(folder, device) if self.offload == "auto" else self.offload
        return TextToImageModel(load_pipeline(folder, self.variant, device, offload), self.taught, device)

    def _fitting(self, folder: Path, device: Device) -> Offload:
        if not device.is_cuda:
            return "off"
        import torch

        free, _ = torch.cuda.mem_get_info(device.name)
        way, why = choose(sizes(folder, self.variant, device.torch_dtype.itemsize), free)
        _log.log(logging.INFO if way == "off" else logging.WARNING, "%s: %s", self.model, why)
        return way
