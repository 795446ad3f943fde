"""The models' real classes with random weights: full size for the benchmark, tiny for tests. Needs no network."""

import gzip
import json
from pathlib import Path
from typing import Any

SDXL_UNET = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL_VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
    "force_upcast": False,
}
SDXL_SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
CLIP_MERGES, TINY_CLIP_MERGES = 48894, 4000
"""Pairs that CLIP's tokenizer joins. Fewer are read in a tenth of the time, and split long words into more tokens."""


def clip_vocabulary(merged: int) -> dict[str, int]:
    """What a CLIP text encoder's configuration says of the tokenizer of ``merged`` pairs."""
    words = 2 * 256 + merged
    return {"vocab_size": words + 2, "bos_token_id": words, "eos_token_id": words + 1}


_TEXT = {"max_position_embeddings": 77} | clip_vocabulary(CLIP_MERGES)
SDXL_TEXT = _TEXT | {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
SDXL_TEXT_2 = _TEXT | {
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "intermediate_size": 5120,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
Z_IMAGE_TEXT = {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
}
"""Qwen3-4B."""
Z_IMAGE_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 16,
    "sample_size": 1024,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
TINY_UNET = SDXL_UNET | {
    "sample_size": 8,
    "block_out_channels": (8, 16, 16),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1, 1),
    "attention_head_dim": (2, 2, 2),
    "cross_attention_dim": 32,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 16,
    "norm_num_groups": 4,
}
TINY_VAE = SDXL_VAE | {
    "block_out_channels": (8, 8, 8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 64,
}
_TINY_TEXT = clip_vocabulary(TINY_CLIP_MERGES) | {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
TINY_Z_IMAGE = {
    "all_patch_size": (2,),
    "all_f_patch_size": (1,),
    "in_channels": 16,
    "dim": 32,
    "n_layers": 1,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "cap_feat_dim": 16,
    "axes_dims": [8, 4, 4],
    "axes_lens": [256, 32, 32],
}
TINY_Z_IMAGE_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
TINY_Z_IMAGE_VAE = Z_IMAGE_VAE | {
    "block_out_channels": (8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 64,
}
TINY_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def clip_tokenizer(pad_token: str = "<|endoftext|>", *, merged: int = TINY_CLIP_MERGES) -> Any:
    """CLIP's tokenizer, from the first ``merged`` pairs of the vocabulary that open_clip carries."""
    import open_clip.tokenizer
    from transformers import CLIPTokenizer

    with gzip.open(open_clip.tokenizer.default_bpe(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : merged + 1]]
    letters = list(open_clip.tokenizer.bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges)]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=pad_token, model_max_length=77)


def qwen_tokenizer() -> Any:
    """Qwen's tokenizer by bytes: no words are learned."""
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    words = {word: number for number, word in enumerate([*sorted(ByteLevel.alphabet()), *special])}
    tokenizer = transformers.Qwen2Tokenizer(vocab=words, merges=[])
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def sdxl_pipeline(*, tiny: bool, seed: int = 0, device: str = "cpu") -> Any:
    """``StableDiffusionXLPipeline`` from configuration, in float32 on ``device``."""
    import torch

    torch.manual_seed(seed)
    torch.set_default_device(device)  # billions of random numbers are drawn there, in seconds on a GPU
    try:
        return _pipeline(tiny)
    finally:
        torch.set_default_device("cpu")


def _pipeline(tiny: bool) -> Any:
    import diffusers
    import transformers

    text, text_2 = SDXL_TEXT, SDXL_TEXT_2
    if tiny:
        # Of two widths, by which the encoders of a single file are told apart.
        text = text | _TINY_TEXT | {"hidden_size": 12, "projection_dim": 16}
        text_2 = text_2 | _TINY_TEXT | {"hidden_size": 20, "projection_dim": 16}
    merged = TINY_CLIP_MERGES if tiny else CLIP_MERGES
    return diffusers.StableDiffusionXLPipeline(
        vae=diffusers.AutoencoderKL(**(TINY_VAE if tiny else SDXL_VAE)),
        text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**text)).eval(),
        text_encoder_2=transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**text_2)).eval(),
        tokenizer=clip_tokenizer(merged=merged),
        tokenizer_2=clip_tokenizer(pad_token="!", merged=merged),
        unet=diffusers.UNet2DConditionModel(**(TINY_UNET if tiny else SDXL_UNET)),
        scheduler=diffusers.EulerDiscreteScheduler(**SDXL_SCHEDULER),
        add_watermarker=False,
    )


def save_sdxl(folder: Path, *, tiny: bool, variant: str = "fp16", seed: int = 0, device: str = "cpu") -> Path:
    """The pipeline in diffusers' layout, half-precision files, and its VAE apart in ``folder/vae-fix``."""
    import torch

    pipeline = sdxl_pipeline(tiny=tiny, seed=seed, device=device).to(torch.float16)
    pipeline.save_pretrained(folder, variant=variant, safe_serialization=True)
    pipeline.vae.save_pretrained(folder / "vae-fix")
    return folder


def z_image_pipeline(*, tiny: bool, device: str = "cpu") -> Any:
    """``ZImagePipeline`` from configuration, with a small tokenizer; full size is Z-Image-Turbo's, in bfloat16."""
    import torch

    torch.set_default_device(device)
    torch.set_default_dtype(torch.float32 if tiny else torch.bfloat16)
    try:
        return _z_image(tiny)
    finally:
        torch.set_default_device("cpu")
        torch.set_default_dtype(torch.float32)


def _z_image(tiny: bool) -> Any:
    import diffusers
    import torch
    import transformers

    transformer = diffusers.ZImageTransformer2DModel(**(TINY_Z_IMAGE if tiny else {}))
    with torch.no_grad():  # made with torch.empty
        transformer.x_pad_token.fill_(1)
        transformer.cap_pad_token.fill_(1)
    return diffusers.ZImagePipeline(
        transformer=transformer,
        vae=diffusers.AutoencoderKL(**(TINY_Z_IMAGE_VAE if tiny else Z_IMAGE_VAE)),
        text_encoder=transformers.Qwen3Model(
            transformers.Qwen3Config(**(TINY_Z_IMAGE_TEXT if tiny else Z_IMAGE_TEXT))
        ).eval(),
        tokenizer=qwen_tokenizer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def save_z_image(folder: Path, *, tiny: bool, device: str = "cpu", seed: int = 0) -> Path:
    """The pipeline in diffusers' layout: 20 GB at full size."""
    import torch

    torch.manual_seed(seed)
    z_image_pipeline(tiny=tiny, device=device).save_pretrained(folder, safe_serialization=True)
    return folder


def save_clip(folder: Path, *, tiny: bool, seed: int = 0) -> Path:
    """An open_clip model in its local-dir layout; full size is ViT-B-32."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    config = TINY_CLIP if tiny else open_clip.get_model_config("ViT-B-32")
    module = open_clip.CLIP(**config)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), folder / "open_clip_model.safetensors")
    settings = {"model_cfg": config, "preprocess_cfg": {"size": config["vision_cfg"]["image_size"]}}
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    return folder


def save_tiny_birefnet(folder: Path) -> Path:
    """A model folder as BiRefNet's: custom code, configuration, weights; the logit is the picture's brightness.

    As BiRefNet's own code it takes ``bb_pretrained`` first, reads a value from a tensor while it is built, never
    calls ``post_init`` and replaces ``config``: what transformers' own loader trips over.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    auto_map = {
        "AutoConfig": "BiRefNet_config.BiRefNetConfig",
        "AutoModelForImageSegmentation": "birefnet.BiRefNet",
    }
    (folder / "config.json").write_text(json.dumps({"auto_map": auto_map, "bb_pretrained": True}))
    (folder / "BiRefNet_config.py").write_text(_BIREFNET_CONFIG)
    (folder / "birefnet.py").write_text(_BIREFNET_MODEL)
    save_file({"scale": torch.tensor([4.0]), "offset": torch.tensor([0.0])}, folder / "model.safetensors")
    return folder


_BIREFNET_CONFIG = """
from transformers import PretrainedConfig


class BiRefNetConfig(PretrainedConfig):
    model_type = "SegformerForSemanticSegmentation"

    def __init__(self, bb_pretrained=False, **kwargs):
        self.bb_pretrained = bb_pretrained
        super().__init__(**kwargs)
"""

_BIREFNET_MODEL = """
import torch
from transformers import PreTrainedModel

from .BiRefNet_config import BiRefNetConfig


class Config:
    size = 1024


class BiRefNet(PreTrainedModel):
    config_class = BiRefNetConfig

    def __init__(self, bb_pretrained=True, config=BiRefNetConfig()):
        super().__init__(config)
        assert not config.bb_pretrained, "would fetch a backbone from the network"
        self.config = Config()
        self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
        self.scale = torch.nn.Parameter(torch.zeros(1))
        self.offset = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape))
        assert x.shape[-1] % 32 == 0 and x.shape[-2] % 32 == 0
        if x.max() > 2.63:
            raise ValueError("this picture is too bright for me")
        logits = x.mean(dim=1, keepdim=True) * self.scale + self.offset
        return [torch.zeros_like(logits), logits]
"""
