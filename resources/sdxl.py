"""SDXL: scenes from prompts."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from resources.batches import Batches
from resources.device import Device, DeviceName, DType, decide, device_trouble
from resources.errors import MachineFault, ModelUnavailable
from resources.hub import Weights
from resources.lease import Shared, lease
from resources.model_files import SDXL_OPTIONAL, VAE
from resources.model_files import sdxl as sdxl_files
from resources.packages import demand
from resources.resource import Resource
from resources.samplers import SAMPLERS, Sampler, SamplerName
from resources.scenes import Scene, SceneRequest, bucket
from resources.sdxl_load import load_sdxl
from resources.sdxl_model import SdxlModel


class SDXL(Resource):
    """Stable Diffusion XL through diffusers, with DPM-Solver++ or a few-step sampler."""

    model: str = Field(
        default="stabilityai/stable-diffusion-xl-base-1.0",
        description="Hub name or a folder (/…, ./…) in diffusers' layout.",
    )
    model_revision: str = Field(default="462165984030d82259a11f4367a4eed129e94a7b", description="The hub's commit.")
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
    size: int = Field(default=1024, ge=32, description="Side of the square bucket; others have about its area.")
    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: DType = Field(default="auto", description="auto is float16 on CUDA and float32 elsewhere.")
    batch_size: int = Field(default=8, ge=1, description="Scenes at once; halved when memory runs out.")
    compile: Literal["off", "blocks", "whole"] = Field(
        default="off",
        description="torch.compile: the UNet's repeated blocks (a minute, once) or the whole (minutes per bucket).",
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
        )
        return "sdxl-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    @contextmanager
    def lease(self) -> Iterator["SceneMaker"]:
        """A generator for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype} {self.compile}"
        with lease(key, self._load, self._device, what=f"SDXL ({self.model}, {self.sampler})") as shared:
            yield SceneMaker(shared, self.size, self.batch_size, fill=self.compile != "off")

    def key(self, request: SceneRequest) -> str:
        """The digest of everything that the scene depends on."""
        return request.key(self.revision, self.size)

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched.

        Imports no PyTorch. What only loading can show (a damaged file, a device that is not there) is not seen.
        """
        try:
            self._demand()
            for weights in self.weights():
                if weights.is_local or not self.download:
                    weights.folder()
        except ModelUnavailable as error:
            return str(error)
        return None

    def unusable(self) -> str | None:
        """Why no scene can be made here, in a sentence; None when the device can be had and nothing is ``missing``.

        ``auto`` is a GPU: on a CPU a scene takes minutes to hours, so that must be asked for. Imports PyTorch only
        where a driver shows a GPU.
        """
        if trouble := device_trouble(self.device):
            ask = "" if self.device != "auto" else "; with device cpu in the settings it computes on the CPU, slowly"
            return f"SDXL cannot compute here: {trouble}{ask}."
        return self.missing()

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

    def pull(self) -> list[Path]:
        """Fetch all weights from the hub, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached.
        """
        return [weights.folder(download=True) for weights in self.weights()]

    def weights(self) -> list[Weights]:
        """All the files that the settings need."""
        sampler = self.sampling
        own = [self._model_weights(), *([self._vae_weights()] if self.vae else [])]
        return own + [weights for weights in (sampler.unet, sampler.lora) if weights]

    def _device(self) -> Device:
        if self.device == "auto" and device_trouble():
            raise ModelUnavailable(str(self.unusable()))
        return decide(self.device, self.dtype)

    def _model_weights(self) -> Weights:
        files = sdxl_files(self.variant, own_vae=not self.vae)
        variant = None if self.variant == "fp16" else self.variant
        return Weights(self.model, self.model_revision, files, SDXL_OPTIONAL, variant)

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
        other: dict[str, Any] = {"source": self.sampler_weights} if self.sampler_weights else {}
        if self.sampler_revision:
            other["revision"] = self.sampler_revision
        return replace(
            sampler,
            unet=sampler.unet and replace(sampler.unet, **other),
            lora=sampler.lora and replace(sampler.lora, **other),
        )

    def _load(self, device: Device) -> SdxlModel:
        self._demand()
        return load_sdxl(
            model=self._model_weights().folder(download=self.download),
            variant=self.variant or None,
            vae=self._vae_weights().folder(download=self.download) if self.vae else None,
            sampler=self.sampling,
            download=self.download,
            compiled=self.compile,
            device=device,
        )


class SceneMaker:
    """A leased SDXL: call it with requests."""

    def __init__(self, shared: Shared[SdxlModel], size: int, batch_size: int, *, fill: bool) -> None:
        self._shared = shared
        self._size = size
        self._fill = fill
        self._batches: Batches[SceneRequest, Scene | Exception] = Batches(self._make, batch_size, "SDXL")

    def __call__(self, requests: Sequence[SceneRequest]) -> list[Scene | Exception]:
        """The scenes, in the order of the requests; an exception as an entry is that scene's failure.

        Requests of equal shape are made together, over different prompts and seeds. Give all that there are:
        what is given one by one is made one by one.

        Raises:
            ModelUnavailable: on the first call, if weights are not here or cannot be loaded.
            MachineFault: the device that was asked for is not there or has failed, or not one scene fits.
        """
        groups: dict[tuple, list[int]] = {}
        scenes: dict[int, Scene | Exception] = {}
        for index, request in enumerate(requests):
            try:
                groups.setdefault(self._alike(request), []).append(index)
            except MachineFault:
                raise
            except Exception as error:
                # Without the traceback, whose frames hold the model beyond its lease.
                scenes[index] = error.with_traceback(None)
        for indices in groups.values():
            made = self._batches([requests[index] for index in indices])
            scenes.update(zip(indices, made, strict=True))
        return [scenes[index] for index in range(len(requests))]

    def _alike(self, request: SceneRequest) -> tuple:
        """What requests must have in common to be made in one batch."""
        with self._shared.use() as model:
            words = model.words(request)
        return *bucket(request.height, request.width, self._size), request.subject is not None, words

    def _make(self, requests: list[SceneRequest]) -> list[Scene | Exception]:
        # A compiled model is compiled anew for each batch size, so there are few: 1, 2, 4, … and the full one.
        slots = slots_for(len(requests), self._batches.size) if self._fill else len(requests)
        filled = requests + [requests[-1]] * (slots - len(requests))
        sides = bucket(requests[0].height, requests[0].width, self._size)
        with self._shared.use() as model:
            return model.make(filled, sides)[: len(requests)]


def slots_for(count: int, largest: int) -> int:
    """The batch that ``count`` scenes are made in by a compiled model: the next power of two, at most ``largest``."""
    return min(largest, 1 << (count - 1).bit_length())
