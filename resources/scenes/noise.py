"""Noise that a seed alone decides: drawn in float32, whatever a pipeline computes in.

diffusers draws it in the pipeline's precision. On the CPU, where a seed is the same noise for every device, PyTorch up
to 2.11 draws other numbers in half precision than in float32, and in bfloat16 coarse ones that end at 3.5 standard
deviations (pytorch issue 166853, diffusers issue 11056).
"""

import functools
from typing import Any


def draw_in_float32(pipeline: Any) -> None:
    """Have a pipeline of diffusers draw its noise in float32, and round it to its own precision.

    That is where its latents are prepared, and in some samplers' steps; its denoiser and decoder are called as ever.
    """
    for owner, name in (
        (pipeline, "prepare_latents"),
        (pipeline, "prepare_mask_latents"),
        (getattr(pipeline, "scheduler", None), "step"),
    ):
        if hasattr(owner, name):
            setattr(owner, name, _drawing_in_float32(getattr(owner, name)))


def _drawing_in_float32(method: Any) -> Any:
    @functools.wraps(method)
    def drawing(*given: Any, **named: Any) -> Any:
        with _mode()():
            return method(*given, **named)

    return drawing


@functools.cache
def _mode() -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    class Float32Noise(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
            named = named or {}
            dtype = named.get("dtype")
            if function is torch.randn and dtype in (torch.float16, torch.bfloat16):
                return function(*given, **{**named, "dtype": torch.float32}).to(dtype)
            return function(*given, **named)

    return Float32Noise
