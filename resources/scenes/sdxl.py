"""SDXL: scenes from prompts."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from resources.errors import ModelUnavailable
from resources.resource import Taste
from resources.runtime.device import Device, DType, decide, device_trouble
from resources.runtime.lease import lease
from resources.runtime.packages import demand
from resources.scenes.generator import Enlarging
from resources.scenes.maker import SceneMaker
from resources.scenes.samplers import SAMPLERS, Sampler, SamplerName
from resources.scenes.sdxl_load import load_sdxl
from resources.scenes.sdxl_model import SdxlModel
from resources.weights.hub import Weights
from resources.weights.model_files import SDXL_OPTIONAL, VAE
from resources.weights.model_files import sdxl as sdxl_files

_log = logging.getLogger(__name__)

_ROOMY = 12 << 30
"""Bytes free on a GPU from which all parts stay there: all of it has taken 9.0 GiB (docs/measurements/models.md)."""


class SdxlLook(Taste):
    """How a background is painted: entries of SDXL's, steps with an end."""

    steps: int = Field(0, ge=0, le=150)
    guidance: float = Field(-1.0, ge=-1, le=50)


class SDXL(Enlarging):
    """Stable Diffusion XL through diffusers, with DPM-Solver++ or a few-step sampler."""

    title: ClassVar[str] = "SDXL"
    purpose: ClassVar[str] = "backgrounds from a prompt"
    licence: ClassVar[str] = "OpenRAIL++-M"
    for_catalogues: ClassVar[type[BaseModel] | None] = SdxlLook
    paints_around: ClassVar[bool] = True
    of_the_machine: ClassVar[frozenset[str]] = Enlarging.of_the_machine | {"compile", "offload"}

    model: str = Field(
        default="stabilityai/stable-diffusion-xl-base-1.0",
        description="Hub name, a folder (/…, ./…) in diffusers' layout, or a single .safetensors file.",
    )
    model_revision: str = Field(default="462165984030d82259a11f4367a4eed129e94a7b", description="The hub's commit.")
    config: str = Field(
        default="",
        description="For a single file: folder of a pipeline of its kind; empty for the base model's configuration.",
    )
    variant: str = Field(default="fp16", description="Which files of the model: fp16, or empty for float32 files.")
    vae: str = Field(
        default="madebyollin/sdxl-vae-fp16-fix",
        description="A decoder that holds in half precision; empty for the model's own, which then runs in float32.",
    )
    vae_revision: str = Field(default="207b116dae70ace3637169f1ddd2434b91b3a8cd", description="The hub's commit.")
    sampler: SamplerName = Field(default="dpm++", description="dpm++ or a few-step one with weights of its own.")
    sampler_weights: str = Field(default="", description="A local copy of the few-step weights, if not from the hub.")
    sampler_revision: str = Field(
        default="", description="The hub's commit of the few-step weights; empty for the known one, which lcm has not."
    )
    steps: int = Field(default=0, ge=0, description="Denoising steps; 0 for the sampler's own (25 for dpm++).")
    guidance: float = Field(default=-1.0, description="Guidance scale; negative for the sampler's own (7.5 for dpm++).")
    guided: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the steps that have guidance; the others cost half, and the scene is another.",
    )
    size: int = Field(default=1024, ge=32, description="Side of the square bucket; others have about its area.")
    dtype: DType = Field(default="auto", description="auto is float16 on CUDA and float32 elsewhere.")
    batch_size: int = Field(default=8, ge=1, description="Scenes at once; halved when memory runs out.")
    compile: Literal["off", "blocks", "whole"] = Field(
        default="off",
        description="torch.compile: the UNet's repeated blocks (a minute, once) or the whole (minutes per bucket).",
    )
    offload: Literal["auto", "off", "encoders"] = Field(
        default="auto",
        description="encoders: the text encoders, 1.5 GiB, are on the GPU only while they read new prompts. auto: so "
        "where less than 12 GiB of it are free.",
    )
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key and the scene cache need of this model. Loads and imports nothing.

        Batch size and compilation are not in it: they leave the picture the same but for rounding.

        Raises:
            ModelUnavailable: a local folder is not there.
        """
        sampler = self.sampling
        parts = (
            self._model_weights().identity,
            self._vae_weights().identity if self.vae else "its own VAE, by its own statistics",
            self.sampler,
            sampler.steps,
            sampler.guidance,
            [weights.identity for weights in (sampler.unet, sampler.lora) if weights],
            self.dtype,
            self.size,
            *([sampler.guided] if sampler.guided < 1 else []),
            *([self._config().identity] if self._model_weights().is_file else []),
        )
        return "sdxl-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @contextmanager
    def lease(self) -> Iterator[SceneMaker]:
        """A generator for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype} {self.compile} {self.offload}"
        with lease(key, self._load, self._device, what=f"SDXL ({self.model}, {self.sampler})") as shared:
            yield SceneMaker(shared, self.size, self.batch_size, "SDXL", fill=self.compile != "off")

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched.

        Imports no PyTorch. What only loading can show (a damaged file, a device that is not there) is not seen.
        """
        try:
            self._demand()
            for weights in self.weights():
                if weights.is_local or not self.download:
                    self._place(weights, download=False)
        except ModelUnavailable as error:
            return str(error)
        return None

    def demand_packages(self) -> None:
        """See that what the sampler needs is installed. Raises ModelUnavailable."""
        if self.sampling.lora:
            demand(f"The sampler {self.sampler}", ["peft"])

    def _demand(self) -> None:
        """See that the packages are installed, and that the weights have a commit. Raises ModelUnavailable."""
        sampler = self.sampling
        for weights in (sampler.unet, sampler.lora):
            if weights and not weights.is_local and not weights.revision:
                raise ModelUnavailable(
                    f"The sampler {self.sampler} has no commit of its own here: set sampler_revision to a full commit "
                    f"of {weights.source} on the hub, or sampler_weights to a folder that holds a copy."
                )
        modules = ["torch", "diffusers", "transformers", "accelerate", *(["peft"] if sampler.lora else [])]
        demand(f"SDXL with the sampler {self.sampler}", modules)

    def weights(self) -> list[Weights]:
        """All the files that the settings need."""
        sampler = self.sampling
        model = self._model_weights()
        own = [model, *([self._config()] if model.is_file else []), *([self._vae_weights()] if self.vae else [])]
        return own + [weights for weights in (sampler.unet, sampler.lora) if weights]

    def _device(self) -> Device:
        if self.device == "auto" and device_trouble():
            raise ModelUnavailable(str(self.unusable()))
        return decide(self.device, self.dtype)

    def _model_weights(self) -> Weights:
        files = sdxl_files(self.variant, own_vae=not self.vae)
        variant = None if self.variant == "fp16" else self.variant
        return Weights(self.model, self.model_revision, files, SDXL_OPTIONAL, variant)

    def _config(self) -> Weights:
        """What says how the parts of a single file are built, without any weights."""
        base = type(self).model_fields
        source, revision = self.config or base["model"].default, base["model_revision"].default
        names = [name for name in sdxl_files("", own_vae=True) if not name.endswith(".safetensors")]
        return Weights(source, revision, tuple(names), SDXL_OPTIONAL)

    def _place(self, weights: Weights, *, download: bool) -> Path:
        """Where the files are. Raises ModelUnavailable."""
        try:
            return weights.folder(download=download)
        except ModelUnavailable as error:
            if weights != self._config() or weights.is_local:
                raise
            raise ModelUnavailable(
                f"{self.model} is a single file, which does not say how its parts are built. Fetch the configuration "
                f"of {weights.source}, a few megabytes, with `vivid models pull`, or name a folder that has it as "
                "config under [sdxl] in the settings."
            ) from error

    def _vae_weights(self) -> Weights:
        return Weights(self.vae, self.vae_revision, VAE)

    @property
    def sampling(self) -> Sampler:
        """How latents are denoised, with what the settings change of it."""
        sampler = SAMPLERS[self.sampler]
        if self.steps:
            sampler = replace(sampler, steps=self.steps)
        if self.guidance >= 0:
            sampler = replace(sampler, guidance=self.guidance)
        if sampler.guidance > 1:
            sampler = replace(sampler, guided=self.guided)
        other: dict[str, Any] = {"source": self.sampler_weights} if self.sampler_weights else {}
        if self.sampler_revision:
            other["revision"] = self.sampler_revision
        return replace(
            sampler,
            unet=sampler.unet and replace(sampler.unet, **other),
            lora=sampler.lora and replace(sampler.lora, **other),
        )

    def _encoders_wait(self, device: Device) -> bool:
        if self.offload != "auto" or not device.is_cuda:
            return self.offload == "encoders"
        import torch

        free, _ = torch.cuda.mem_get_info(device.name)
        if free >= _ROOMY:
            return False
        _log.info("SDXL: %.1f GiB of the GPU are free, so its text encoders wait outside (offload).", free / 2**30)
        return True

    def _load(self, device: Device) -> SdxlModel:
        self._demand()
        model = self._model_weights()
        place = self._place(model, download=self.download)
        return load_sdxl(
            model=place,
            config=self._place(self._config(), download=self.download) if model.is_file else place,
            variant=self.variant or None,
            vae=self._vae_weights().folder(download=self.download) if self.vae else None,
            sampler=self.sampling,
            download=self.download,
            compiled=self.compile,
            encoders_wait=self._encoders_wait(device),
            device=device,
        )
