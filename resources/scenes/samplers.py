"""Samplers for SDXL: the scheduler, steps and guidance that belong together, and the weights they need."""

from dataclasses import dataclass, field
from typing import Any, Literal

from resources.weights.hub import Weights

SamplerName = Literal["dpm++", "lightning-4", "lightning-8", "lcm", "hyper-8"]


@dataclass(frozen=True)
class Sampler:
    """How latents are denoised."""

    scheduler: str
    """Class name in diffusers."""
    options: dict[str, Any] = field(default_factory=dict)
    """What differs from the model's own scheduler configuration."""
    steps: int = 25
    guidance: float = 7.5
    """Classifier-free guidance scale; at 1 or less there is none and a step costs half."""
    guided: float = 1.0
    """Share of the steps, from the first, that have guidance."""
    unet: Weights | None = None
    """A distilled UNet in the place of the model's: a file (Lightning) or a diffusers folder (LCM)."""
    lora: Weights | None = None
    """A distillation as a LoRA, fused into the UNet when it is loaded; needs the package peft."""


SAMPLERS: dict[str, Sampler] = {
    # Both options are diffusers' defaults: they are named so that a default that changes does not change a scene.
    "dpm++": Sampler("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "final_sigmas_type": "zero"}),
    "lightning-4": Sampler(
        "EulerDiscreteScheduler",
        {"timestep_spacing": "trailing"},
        steps=4,
        guidance=0.0,
        unet=Weights(
            "ByteDance/SDXL-Lightning",
            "c9a24f48e1c025556787b0c58dd67a091ece2e44",
            ("sdxl_lightning_4step_unet.safetensors",),
        ),
    ),
    "lightning-8": Sampler(
        "EulerDiscreteScheduler",
        {"timestep_spacing": "trailing"},
        steps=8,
        guidance=0.0,
        unet=Weights(
            "ByteDance/SDXL-Lightning",
            "c9a24f48e1c025556787b0c58dd67a091ece2e44",
            ("sdxl_lightning_8step_unet.safetensors",),
        ),
    ),
    # Its guidance is an input of the UNet, not a second pass.
    "lcm": Sampler(
        "LCMScheduler",
        steps=4,
        guidance=8.0,
        # No commit that anybody has tried is known here: the settings must name one.
        unet=Weights("latent-consistency/lcm-sdxl", "", ("config.json", "diffusion_pytorch_model.fp16.safetensors")),
    ),
    "hyper-8": Sampler(
        "DDIMScheduler",
        {"timestep_spacing": "trailing"},
        steps=8,
        guidance=0.0,
        lora=Weights(
            "ByteDance/Hyper-SD",
            "bc08d970a87c74c71209491d64e3525845698863",
            ("Hyper-SDXL-8steps-lora.safetensors",),
        ),
    ),
}
"""By name. The few-step ones follow their model cards."""
