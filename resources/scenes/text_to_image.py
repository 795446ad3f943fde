"""Any text-to-image pipeline that the installed diffusers knows, such as FLUX, Stable Diffusion 3.5 or Z-Image."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from resources.errors import ModelUnavailable
from resources.resource import Taste
from resources.runtime.device import Device, DType, decide, device_trouble
from resources.runtime.lease import lease
from resources.runtime.packages import demand
from resources.scenes.generator import Enlarging
from resources.scenes.maker import SceneMaker
from resources.scenes.offload import ACTIVATIONS, Offload, choose, held, place, sizes
from resources.scenes.pipelines import beside, load_pipeline, load_single_file, reuse_steps
from resources.scenes.text_to_image_model import TextToImageModel
from resources.weights.hub import Weights, after_colon
from resources.weights.licences import UNKNOWN, licence_at, without_consent
from resources.weights.pipeline_files import absent_parts, needed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taught:
    """What a model was trained for, where that differs from its pipeline's defaults."""

    steps: int
    guidance: float
    longest: int = 0
    """Most tokens of a prompt; 0 for the pipeline's own limit."""
    # The scene's key has it beside this.
    size: int = field(default=0, repr=False)
    """Side of its square picture where that is not 1024."""


TAUGHT = {
    "black-forest-labs/FLUX.1-schnell": Taught(4, 0.0, 256),
    "stabilityai/stable-diffusion-3.5-large-turbo": Taught(4, 0.0),
    "stabilityai/sdxl-turbo": Taught(1, 0.0, size=512),
    "stable-diffusion-v1-5/stable-diffusion-v1-5": Taught(0, -1.0, size=512),
    "Tongyi-MAI/Z-Image-Turbo": Taught(8, 0.0),
}
"""By hub name, as their publishers have it; of others the pipeline's defaults hold."""


class TextToImageLook(Taste):
    """How a background is painted by another pipeline: entries of TextToImage's, steps with an end."""

    steps: int = Field(0, ge=0, le=150)
    guidance: float = Field(-1.0, ge=-1, le=50)


class TextToImage(Enlarging):
    """A text-to-image pipeline of diffusers, whichever it is."""

    purpose: ClassVar[str] = "backgrounds from a prompt, by another pipeline"
    for_catalogues: ClassVar[type[BaseModel] | None] = TextToImageLook
    of_the_machine: ClassVar[frozenset[str]] = Enlarging.of_the_machine | {"offload"}
    is_fetched_whole: ClassVar[bool] = True

    model: str = Field(
        default="", description="Hub name, a folder (/…, ./…) in diffusers' layout, or a .safetensors file of one."
    )
    model_revision: str = Field(default="", description="The hub's commit.")
    config: str = Field(
        default="",
        description="For a single file: a folder, or ORG/NAME@COMMIT on the hub, of a pipeline of its kind.",
    )
    variant: str = Field(default="", description="Which files of the model, such as fp16; empty for those without.")
    steps: int = Field(default=0, ge=0, description="Denoising steps; 0 for the model's own.")
    guidance: float = Field(default=-1.0, description="Guidance scale; negative for the model's own.")
    step_cache: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Change of the first block, as a share, below which a step reuses the rest of the one before; 0: "
        "none does. Scenes are another, and made one by one.",
    )
    dtype: DType = Field(default="auto", description="auto is bfloat16 on CUDA and float32 elsewhere.")
    offload: Literal["auto", "off", "model", "sequential"] = Field(
        default="auto",
        description="What does not compute waits in the machine's memory: whole models, or layer by layer (slow). "
        "auto: as little as fits the GPU.",
    )
    non_commercial: bool = Field(
        default=False, description="Consent to models whose licence forbids commercial use, such as FLUX.1-dev."
    )
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @model_validator(mode="after")
    def _check_cache(self) -> "TextToImage":
        if self.step_cache and self.enlarge > 1:
            raise ValueError("enlarge needs step_cache 0: a step of one tile must not reuse another tile's")
        return self

    def of_model(self, model: str) -> "TextToImage":
        """The generator of that pipeline: ``ORG/NAME@COMMIT``, a folder, or a single file.

        It paints at the size that it was trained for, where that is known and the settings say nothing.

        Raises:
            ValueError: it is neither.
        """
        name, commit = after_colon("text_to_image", model)
        update: dict[str, Any] = {"model": name, "model_revision": commit}
        if (known := TAUGHT.get(name)) and known.size and "size" not in self.model_fields_set:
            update["size"] = known.size
        return self.model_copy(update=update)

    @property
    def revision(self) -> str:
        """What a row's key and the scene cache need of this model. Loads and imports nothing.

        Raises:
            ModelUnavailable: no model is named, or a local folder is not there.
        """
        files = self._files()
        parts: tuple[Any, ...] = (files.identity, self.variant, self.taught, self.dtype, self.size)
        if files.is_file:
            parts += (self._config().identity,)
        if self.step_cache:
            parts += (self.step_cache,)
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
        # Without the size.
        return Taught(steps, self.guidance if self.guidance >= 0 else known.guidance, known.longest)

    @property
    def licence(self) -> str:  # type: ignore[override]
        """The model's, as its publisher states it."""
        return licence_at(self._files()) if self.model else UNKNOWN

    def memory(self) -> int | None:
        """That of the weights in half precision, if they are here, and of what is computed beside them."""
        files = self._files()
        try:
            weights = None if files.is_file else sizes(files.folder(), self.variant, 2)
        except ModelUnavailable:
            return None
        return sum(weights.values()) + ACTIVATIONS if weights else None

    def refusal(self) -> str | None:
        """Why it is not used although it was named: a licence without consent."""
        return without_consent(self.model, self.licence, "text_to_image", non_commercial=self.non_commercial)

    @contextmanager
    def lease(self) -> Iterator[SceneMaker]:
        """A generator for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype} {self.offload}"
        with lease(key, self._load, self._device, what=self.model) as shared:
            # The cache decides for a whole batch, and a scene must not depend on what is made beside it.
            yield SceneMaker(shared, self.size, 1 if self.step_cache else self.batch_size, self.model)

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched."""
        try:
            demand("diffusers", ["torch", "diffusers", "transformers", "accelerate"])
            for files in self.weights():
                if files.is_local or not self.download:
                    self._place(files, download=False)
        except ModelUnavailable as error:
            return str(error)
        return self.refusal()

    def pull(self) -> list[Path]:
        """Fetch all weights from the hub, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached.
        """
        return [self._place(files, download=True) for files in self.weights()]

    def weights(self) -> list[Weights]:
        """The repository; which of its files are needed is known when it is asked. With a single file, its pipeline's.

        Raises:
            ModelUnavailable: the settings name none.
        """
        files = self._files()
        return [files, self._config()] if files.is_file else [files]

    def _files(self) -> Weights:
        if not self.model:
            raise ModelUnavailable(
                'The generator text_to_image has no model: name one in the settings, as in model = "ORG/NAME" with '
                "model_revision, a full commit."
            )
        return Weights(self.model, self.model_revision, ("model_index.json",), variant=self.variant or None)

    def _config(self) -> Weights:
        """What says how the parts of a single file are built."""
        if not self.config:
            raise ModelUnavailable(
                f"{self.model} is a single file, which does not say how its parts are built. Name a pipeline of its "
                'kind in the settings, as in config = "ORG/NAME@COMMIT" or a folder.'
            )
        try:
            name, commit = after_colon("config", self.config)
        except ValueError as error:
            raise ModelUnavailable(str(error)) from error
        return Weights(name, commit, ("model_index.json",), variant=self.variant or None)

    def _place(self, files: Weights, *, download: bool) -> Path:
        """The pipeline's folder, with all parts in it; or the single file, beside which less is needed."""
        if files.is_file:
            return files.folder()
        own = self._files()
        file = own.folder() if own.is_file else None
        if download and not files.is_local:
            from resources.weights.pull import listed

            _, there = listed(files.source, files.revision)
            names = needed(there, self.variant)
            files = replace(files, files=beside(file, names) if file else names)
        folder = files.folder(download=download)
        try:
            absent = absent_parts(folder, self.variant)
        except (OSError, ValueError, json.JSONDecodeError) as error:
            raise ModelUnavailable(f"{folder}/model_index.json cannot be read: {error}") from error
        if file:
            absent = [*beside(file, absent)]
        if absent:
            remedy = "Correct the path in the settings." if files.is_local else f"Fetch it with `{files.pull_command}`."
            raise ModelUnavailable(f"{files.source}: {folder} has no {', '.join(absent)}. {remedy}")
        return folder

    def _device(self) -> Device:
        if self.device == "auto" and device_trouble():
            raise ModelUnavailable(str(self.unusable()))
        return decide(self.device, self.dtype, half="bfloat16")

    def _load(self, device: Device) -> TextToImageModel:
        if self.offload not in ("auto", "off") and not device.is_cuda:
            raise ModelUnavailable(
                f"offload = {self.offload!r} is for a GPU, and this is {device.name}: set it to off."
            )
        first, *described = [self._place(files, download=self.download) for files in self.weights()]
        if refusal := self.refusal():
            raise ModelUnavailable(refusal)
        if described:
            pipeline = load_single_file(first, described[0], device, self.variant)
        else:
            pipeline = load_pipeline(first, self.variant, device)
        if self.step_cache:
            reuse_steps(pipeline, self.step_cache)
        place(pipeline, device, self._fitting(pipeline, device) if self.offload == "auto" else self.offload)
        return TextToImageModel(pipeline, self.taught, device)

    def _fitting(self, pipeline: Any, device: Device) -> Offload:
        if not device.is_cuda:
            return "off"
        import torch

        free, _ = torch.cuda.mem_get_info(device.name)
        way, why = choose(held(pipeline), free)
        _log.log(logging.INFO if way == "off" else logging.WARNING, "%s: %s", self.model, why)
        return way
