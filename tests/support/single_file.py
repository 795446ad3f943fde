"""SDXL's weights in one file, under the names that it was first published with: diffusers' conversion undone."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
_VAE = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.1": "mid.block_2",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
_OPEN_CLIP = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "text_model.encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def save_sdxl_in_one_file(pipeline: Any, file: Path) -> Path:
    """``pipeline``, a ``StableDiffusionXLPipeline``, as one file."""
    from safetensors.torch import save_file

    weights: dict[str, Any] = {}
    for prefix, found in (
        ("model.diffusion_model.", _of_unet(pipeline.unet)),
        ("first_stage_model.", _of_vae(pipeline.vae)),
        ("conditioner.embedders.0.transformer.", _of_clip(pipeline.text_encoder)),
        ("conditioner.embedders.1.model.", _of_open_clip(pipeline.text_encoder_2)),
    ):
        weights |= {prefix + name: tensor.clone().contiguous() for name, tensor in found.items()}
    save_file(weights, file)
    return file


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        name = name.replace(ours, theirs)
    return name


def _of_unet(unet: Any) -> dict[str, Any]:
    layers = unet.config.layers_per_block + 1
    found = {}
    for name, tensor in unet.state_dict().items():
        block = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name)
        if block is None:
            there = _renamed(name, _UNET)
        else:
            way, number, kind, index, rest = block[1], int(block[2]), block[3], int(block[4]), block[5]
            if kind == "downsamplers":
                there = f"input_blocks.{(number + 1) * layers}.0.op.{rest.removeprefix('conv.')}"
            elif kind == "upsamplers":
                place = 2 if hasattr(unet.up_blocks[number], "attentions") else 1
                there = f"output_blocks.{(number + 1) * layers - 1}.{place}.{rest}"
            else:
                at = f"input_blocks.{1 + number * layers + index}" if way == "down" else ""
                at = at or f"output_blocks.{number * layers + index}"
                there = f"{at}.{0 if kind == 'resnets' else 1}.{rest}"
        found[_renamed(there, _RESNET) if "resnets" in name else there] = tensor
    return found


def _of_vae(vae: Any) -> dict[str, Any]:
    last = len(vae.config.block_out_channels) - 1
    found = {}
    for name, tensor in vae.state_dict().items():
        there = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
        there = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", there)
        there = re.sub(r"up_blocks\.(\d+)\.resnets", lambda at: f"up.{last - int(at[1])}.block", there)
        there = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda at: f"up.{last - int(at[1])}.upsample", there)
        is_attention = "attentions" in name and tensor.ndim == 2
        found[_renamed(there, _VAE)] = tensor[:, :, None, None] if is_attention else tensor
    return found


def _of_clip(encoder: Any) -> dict[str, Any]:
    """Under ``text_model``, where transformers had it when SDXL was published."""
    found = encoder.state_dict()
    return {name if name.startswith("text_model.") else f"text_model.{name}": one for name, one in found.items()}


def _of_open_clip(encoder: Any) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {}
    state = encoder.state_dict()
    for name, tensor in state.items():
        if ".q_proj." in name:
            joined = torch.cat([state[name.replace("q_proj", one)] for one in ("q_proj", "k_proj", "v_proj")])
            layer, kind = name.split(".self_attn.q_proj.")
            found[f"{_renamed(layer, _OPEN_CLIP)}.attn.in_proj_{kind}"] = joined
        elif name == "text_projection.weight":
            found["text_projection"] = tensor.T
        elif ".k_proj." not in name and ".v_proj." not in name:
            found[_renamed(name, _OPEN_CLIP)] = tensor
    return found
