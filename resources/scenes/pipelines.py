"""Loading pipelines of diffusers: from a folder in its layout, or from one ``.safetensors`` file.

Such a file has numbers and their names and says nothing of how the parts are built, nor has it tokenizers. That is
taken from a folder in diffusers' layout, and so is all but the denoiser where the file has that alone.
"""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resources.errors import ModelUnavailable, first_line
from resources.runtime.batches import is_out_of_memory
from resources.runtime.device import Device

_ENCODERS = ("conditioner.", "cond_stage_model.", "text_encoders.")
"""How the names of their weights begin in such files."""
_DENOISERS = ("unet", "transformer")


def load_pipeline(folder: Path, variant: str, device: Device) -> Any:
    """The pipeline of a local folder, not yet on its device.

    Raises:
        ModelUnavailable: it is none that makes pictures of texts alone, or does not load.
    """
    import diffusers

    quiet_bars()
    try:
        pipeline: Any = diffusers.AutoPipelineForText2Image.from_pretrained(
            folder, variant=variant or None, dtype=device.torch_dtype, use_safetensors=True, local_files_only=True
        )
    except ValueError as error:
        raise ModelUnavailable(
            f"{folder} is no text-to-image pipeline that diffusers {diffusers.__version__} knows: {first_line(error)}"
        ) from error
    return pipeline


def load_single_file(file: Path, config: Path, device: Device, variant: str = "", **parts: Any) -> Any:
    """The pipeline of a file, not yet on its device.

    Args:
        file: with the weights.
        config: a folder in diffusers' layout: the kind of pipeline, its parts' configurations and its tokenizers.
        device: whose precision is taken.
        variant: of the weights in ``config``.
        parts: what is not to be taken from the file, by name.

    Raises:
        ModelUnavailable: it is no such file, or does not fit ``config``.
    """
    import diffusers

    quiet_bars()
    given: dict[str, Any] = {"dtype": device.torch_dtype, "local_files_only": True}
    try:
        kinds = json.loads((config / "model_index.json").read_text())
        kind = getattr(diffusers, kinds["_class_name"])
        if _has_encoders(file):
            pipeline = kind.from_single_file(str(file), config=str(config), **given, **parts)
        else:
            name = next(name for name in _DENOISERS if name in kinds)
            denoiser = getattr(diffusers, kinds[name][1])
            parts[name] = denoiser.from_single_file(str(file), config=str(config), subfolder=name, **given)
            pipeline = kind.from_pretrained(config, variant=variant or None, **given, **parts)
    except Exception as error:
        # diffusers converts by the names of the weights, and raises what comes of a name that is not there.
        if is_out_of_memory(error):
            raise
        raise ModelUnavailable(f"{file} cannot be loaded as the pipeline in {config}: {first_line(error)}") from error
    for name, part in pipeline.components.items():
        # What the file has no weights for is left without any.
        if lacking := [one for one, held in getattr(part, "named_parameters", dict)() if held.is_meta]:
            raise ModelUnavailable(f"{file} is no whole {kind.__name__}: it lacks {lacking[0]} of {name}, say.")
    return pipeline


def beside(file: Path, names: Iterable[str]) -> tuple[str, ...]:
    """What of a pipeline's files is needed beside a single file: no weights that the file has.

    Raises:
        ModelUnavailable: the file is no safetensors file.
    """
    whole = _has_encoders(file)
    return tuple(
        name for name in names if ".safetensors" not in name or not (whole or name.split("/")[0] in _DENOISERS)
    )


def reuse_steps(pipeline: Any, threshold: float) -> None:
    """Have a step reuse all but the first block of the one before where that block changes less than ``threshold``.

    Raises:
        ModelUnavailable: diffusers has no such cache for this pipeline.
    """
    from diffusers import FirstBlockCacheConfig

    denoiser: Any = getattr(pipeline, "transformer", None)
    # Some have the cache, and pipelines that do not say which of their passes is which.
    if not hasattr(denoiser, "enable_cache") or "cache_context" not in inspect.getsource(type(pipeline).__call__):
        raise ModelUnavailable(f"{type(pipeline).__name__} has no cache of steps: set step_cache to 0.")
    denoiser.enable_cache(FirstBlockCacheConfig(threshold=threshold))


def quiet_bars() -> None:
    """No bars of progress, which in a run's log are lines upon lines."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()


def _has_encoders(file: Path) -> bool:
    """Whether a file is a whole pipeline, with the text encoders; else it is the denoiser. By its names alone.

    Raises:
        ModelUnavailable: it is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as opened:
            return any(name.startswith(_ENCODERS) for name in opened.keys())  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{file} is no safetensors file: {first_line(error)}.") from error
