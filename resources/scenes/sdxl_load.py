"""Loading SDXL from local folders: parts, scheduler, distilled weights, precision and place."""

from pathlib import Path
from typing import Any

from resources.errors import ModelUnavailable, first_line
from resources.runtime.caches import keep_compiled_code
from resources.runtime.device import Device, assert_placed
from resources.scenes.pipelines import load_single_file, quiet_bars
from resources.scenes.samplers import Sampler
from resources.scenes.sdxl_model import SdxlModel
from resources.weights.hub import Weights


def load_sdxl(
    *,
    model: Path,
    config: Path,
    variant: str | None,
    vae: Path | None,
    sampler: Sampler,
    download: bool,
    compiled: str,
    encoders_wait: bool,
    device: Device,
) -> SdxlModel:
    """Load the pipeline from local folders in diffusers' layout.

    Args:
        model: folder of the whole pipeline, or a single file of its weights.
        config: folder of its parts' configurations; the model's own, or what describes a single file.
        variant: ``fp16`` for the files of that name.
        vae: folder of another VAE; None for the model's own, which runs in float32 where it asks for that.
        sampler: scheduler, and the distilled weights it needs.
        download: whether those may be fetched.
        compiled: ``off``, ``blocks`` or ``whole``.
        encoders_wait: whether the text encoders are on the device only while they read prompts.
        device: where and in which precision.

    Raises:
        ModelUnavailable: distilled weights are missing, or a compiler, or a single file is no SDXL.
        MachineFault: a part is not where it was asked to be.
    """
    import diffusers
    import torch

    quiet_bars()
    parts: dict[str, Any] = {}
    if vae:
        parts["vae"] = diffusers.AutoencoderKL.from_pretrained(vae, dtype=device.torch_dtype)
    if sampler.unet:
        parts["unet"] = _distilled_unet(sampler.unet.folder(download=download), sampler.unet, config, device)
    if model.is_file():
        pipeline = load_single_file(model, config, device, add_watermarker=False, **parts)
    else:
        pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(
            model,
            variant=variant,
            dtype=device.torch_dtype,
            use_safetensors=True,
            add_watermarker=False,
            local_files_only=True,
            **parts,
        )
    if sampler.lora:
        _fuse(pipeline, sampler.lora.folder(download=download) / sampler.lora.files[0])
    scheduler = getattr(diffusers, sampler.scheduler)
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **sampler.options)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device.name)
    for name in ("unet", "text_encoder", "text_encoder_2", "vae"):
        assert_placed(getattr(pipeline, name), device, f"SDXL's {name}")
    if device.dtype == "float16" and pipeline.vae.config.force_upcast:
        # Its activations leave float16's range: black pictures (which the fp16-fix VAE was made for).
        pipeline.vae.to(torch.float32)
    if device.is_cuda:
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
    loaded = SdxlModel(pipeline, sampler, device, encoders_wait=encoders_wait)
    if compiled != "off":
        _assert_compiles(device)
        loaded.compile(compiled)
    return loaded


def _assert_compiles(device: Device) -> None:
    """Compile a line of arithmetic, so that a compiler that is missing is found now, and not by every picture."""
    import torch

    keep_compiled_code()
    try:
        torch.compile(lambda values: values * 2 + 1, fullgraph=True)(torch.ones(8, device=device.name))
    except Exception as error:
        reason = first_line(error)
        raise ModelUnavailable(
            f"torch.compile does not work on this machine: {reason}. It needs a C++ compiler (Debian: apt install "
            "g++); or set compile to off in the settings of sdxl."
        ) from error


def _distilled_unet(place: Path, weights: Weights, config: Path, device: Device) -> Any:
    import diffusers
    from safetensors.torch import load_file

    if "config.json" in weights.files:
        return diffusers.UNet2DConditionModel.from_pretrained(
            place, dtype=device.torch_dtype, variant="fp16", use_safetensors=True
        )
    unet = diffusers.UNet2DConditionModel.from_config(diffusers.UNet2DConditionModel.load_config(config / "unet"))
    unet.load_state_dict(load_file(place if place.is_file() else place / weights.files[0]))
    return unet.to(device.torch_dtype)


def _fuse(pipeline: Any, file: Path) -> None:
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
