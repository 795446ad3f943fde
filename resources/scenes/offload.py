"""What of a pipeline waits in the machine's memory: by the weights' sizes and the memory that the card has free."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from resources.runtime.device import Device
from resources.weights.pipeline_files import needed

Offload = Literal["off", "model", "sequential"]
"""Nothing; whole models that do not compute; every layer that does not."""

ACTIVATIONS = 3 << 30
"""Bytes beside the weights for one scene of 1024², decoded as a whole: 2.6 GiB as measured with Z-Image."""
_WIDTHS = {"I64": 8, "I32": 4, "I16": 2}
_FLOATS = ("F64", "F32", "F16", "BF16")


def sizes(folder: Path, variant: str, width: int) -> dict[str, int]:
    """Bytes that each part of a pipeline in diffusers' layout takes once it is loaded.

    Args:
        folder: the pipeline's.
        variant: of its files.
        width: bytes of a floating-point number, as it is loaded.

    Raises:
        OSError, safetensors.SafetensorError: a file cannot be read, or is no safetensors file.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    found: dict[str, int] = {}
    for name in needed(names, variant):
        if name.endswith(".safetensors"):
            part = name.partition("/")[0]
            found[part] = found.get(part, 0) + _loaded(folder / name, width)
    return found


def held(pipeline: Any) -> dict[str, int]:
    """Bytes of the weights of each part of a loaded pipeline."""
    import torch

    return {
        name: sum(one.nbytes for one in (*part.parameters(), *part.buffers()))
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }


def place(pipeline: Any, device: Device, offload: Offload) -> None:
    """Bring a loaded pipeline onto its device, or what of it computes."""
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device.name)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device.name)
    else:
        pipeline.to(device.name)


def choose(parts: Mapping[str, int], free: int) -> tuple[Offload, str]:
    """The quickest way that fits, and why, in a sentence.

    >>> choose({"transformer": 12 << 30, "text_encoder": 8 << 30}, 16 << 30)
    ('model', 'offload model: the weights take 20.0 GiB, the largest part 12.0 GiB, and 16.0 GiB of the GPU are free.')

    Args:
        parts: bytes of each part's weights.
        free: bytes free on the GPU.
    """
    whole, largest = sum(parts.values()), max(parts.values(), default=0)
    way: Offload = "off" if whole + ACTIVATIONS <= free else "model" if largest + ACTIVATIONS <= free else "sequential"
    gib = [f"{size / 2**30:.1f} GiB" for size in (whole, largest, free)]
    return (
        way,
        f"offload {way}: the weights take {gib[0]}, the largest part {gib[1]}, and {gib[2]} of the GPU are free.",
    )


def _loaded(file: Path, width: int) -> int:
    """By the file's header: no tensor is read."""
    from safetensors import safe_open

    with safe_open(file, "np") as opened:
        tensors = [opened.get_slice(name) for name in opened.keys()]  # noqa: SIM118 - it is no mapping
        return sum(
            math.prod(tensor.get_shape())
            * (width if tensor.get_dtype() in _FLOATS else _WIDTHS.get(tensor.get_dtype(), 1))
            for tensor in tensors
        )
