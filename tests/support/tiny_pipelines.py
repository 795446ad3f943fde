"""Text-to-image pipelines of diffusers' real classes with a few thousand random weights each; needs no network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.architectures import (
    TINY_CLIP_MERGES,
    clip_tokenizer,
    clip_vocabulary,
    qwen_tokenizer,
    z_image_pipeline,
)

_CLIP = clip_vocabulary(TINY_CLIP_MERGES) | {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 32,
}


def save_tiny(family: str, folder: Path) -> Path:
    """A pipeline of ``FAMILIES`` in diffusers' layout."""
    import torch

    torch.manual_seed(0)
    FAMILIES[family]().save_pretrained(folder, safe_serialization=True)
    return folder


def _stable_diffusion() -> Any:
    import diffusers
    import transformers

    return diffusers.StableDiffusionPipeline(
        vae=_vae(latents=4, scaling_factor=0.18215),
        text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**_CLIP)).eval(),
        tokenizer=clip_tokenizer(),
        unet=diffusers.UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
            cross_attention_dim=32,
            norm_num_groups=4,
        ),
        scheduler=diffusers.DDIMScheduler(
            beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _stable_diffusion_3() -> Any:
    import diffusers
    import transformers

    config = transformers.CLIPTextConfig(**_CLIP)
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=32,
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,
            caption_projection_dim=32,
            pooled_projection_dim=64,
        ),
        text_encoder=transformers.CLIPTextModelWithProjection(config).eval(),
        text_encoder_2=transformers.CLIPTextModelWithProjection(config).eval(),
        text_encoder_3=_t5(64),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        tokenizer_3=_t5_tokenizer(),
        vae=_vae(latents=4, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def _flux() -> Any:
    import diffusers
    import transformers

    return diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=[4, 4, 8],
        ),
        text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**_CLIP)).eval(),
        text_encoder_2=_t5(32),
        tokenizer=clip_tokenizer(),
        tokenizer_2=_t5_tokenizer(),
        vae=_vae(latents=4, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


def _qwen_image() -> Any:
    import diffusers
    import transformers

    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = transformers.Qwen2_5_VLConfig(
        text_config=small
        | {
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "vocab_size": 300,
            "initializer_range": 1.0,  # or two texts hardly differ
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        },
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
    )
    return diffusers.QwenImagePipeline(
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=3,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=24,
            z_dim=4,
            dim_mult=[1, 2, 4],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=qwen_tokenizer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )


FAMILIES: dict[str, Callable[[], Any]] = {
    "Stable Diffusion": _stable_diffusion,
    "Stable Diffusion 3": _stable_diffusion_3,
    "FLUX": _flux,
    "Z-Image": lambda: z_image_pipeline(tiny=True),
    "Qwen-Image": _qwen_image,
}


def _vae(*, latents: int, **config: Any) -> Any:
    import diffusers

    return diffusers.AutoencoderKL(
        sample_size=64,
        block_out_channels=(8, 8),
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        layers_per_block=1,
        latent_channels=latents,
        norm_num_groups=4,
        **{"scaling_factor": 1.5, **config},
    )


def _t5(width: int) -> Any:
    import transformers

    config = transformers.T5Config(
        vocab_size=128, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return transformers.T5EncoderModel(config).eval()


def _t5_tokenizer() -> Any:
    import transformers

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:'-"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in letters)]
    return transformers.T5Tokenizer(vocab=pieces, extra_ids=0)
