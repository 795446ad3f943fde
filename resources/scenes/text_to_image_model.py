"""A loaded text-to-image pipeline: batches of scenes with a seed each, whatever the pipeline takes."""

import inspect
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.runtime.batches import PictureError, is_out_of_memory
from resources.runtime.device import Device, free_memory
from resources.scenes.enlarged import FEWEST_STEPS, STRENGTH, in_tiles, larger, over_painter
from resources.scenes.noise import draw_in_float32
from resources.scenes.request import Scene, SceneRequest
from resources.scenes.sdxl_model import BLACK

if TYPE_CHECKING:
    from resources.scenes.text_to_image import Taught

_log = logging.getLogger(__name__)

_MUST = ("prompt", "height", "width", "num_inference_steps", "generator", "output_type")


class TextToImageModel:
    """A pipeline and how it is asked."""

    def __init__(self, pipeline: Any, taught: "Taught", device: Device) -> None:
        """Raises ModelUnavailable where the pipeline cannot be asked for a picture of a size, say, by a seed."""
        self._pipeline = pipeline
        self._device = device
        self._takes = inspect.signature(pipeline.__call__).parameters
        if lacking := [name for name in _MUST if name not in self._takes]:
            kind = type(pipeline).__name__
            raise ModelUnavailable(f"{kind} does not take {', '.join(lacking)}: it cannot be used here.")
        pipeline.set_progress_bar_config(disable=True)
        draw_in_float32(pipeline)
        self._steps = taught.steps or int(self._takes["num_inference_steps"].default)
        # Some pipelines have guidance_scale as an input of the model, and guidance by a second pass beside it.
        self._guided_by = next(
            (
                name
                for name in ("guidance_scale", "true_cfg_scale")
                if name in self._takes and self._takes[name].default is not None
            ),
            None,
        )
        default = float(self._takes[self._guided_by].default) if self._guided_by else 0.0
        self._guidance = taught.guidance if taught.guidance >= 0 else default
        self._longest = taught.longest
        self._painters: dict[int, Any] = {}
        """What paints over enlarged scenes, by their scale."""

    def words(self, request: SceneRequest) -> int:  # noqa: ARG002 - as SDXL's, whose batches are of equals
        """1: these pipelines pad the texts of a batch by themselves."""
        return 1

    def make(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> list[Scene | Exception]:
        """Scenes of one shape in one batch.

        Args:
            requests: without subjects, and of equal scale.
            sides: height and width of the scenes before they are enlarged, multiples of 32.

        Returns:
            A scene per request, or the ``PictureError`` that it came out black or not finite.
        """
        if any(request.subject for request in requests):
            raise ModelUnavailable("Only SDXL paints around a subject: set place to scene, or generator to sdxl.")
        started = time.perf_counter()
        scale = requests[0].scale
        if scale > 1 and scale not in self._painters:
            self._painters[scale] = over_painter(self._pipeline, scale)
        levels = [_levels(picture) for picture in self._made(requests, sides)]
        if scale > 1:
            # One by one: each is as many tiles as would fill a batch.
            levels = [
                None if small is None else self._painted_over(request, small)
                for request, small in zip(requests, levels, strict=True)
            ]
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            self._scene(picture, request, seconds, len(requests))
            for picture, request in zip(levels, requests, strict=True)
        ]

    def _asked(self, requests: Sequence[SceneRequest], sides: tuple[int, int], *, again: int = 0) -> dict[str, Any]:
        """What pipelines are told of the requests, for scenes of that height and width."""
        import torch

        arguments: dict[str, Any] = {
            "prompt": [request.prompt for request in requests],
            "height": sides[0],
            "width": sides[1],
            "num_inference_steps": self._steps,
            # On the CPU: the same seed is the same noise on any device and in any batch.
            "generator": [torch.Generator("cpu").manual_seed(request.seed + again) for request in requests],
            "output_type": "np",
        }
        if self._guided_by:
            arguments[self._guided_by] = self._guidance
        # Of every request, empty or not: with some pipelines its absence means no guidance, and what goes with a
        # request must not change its scene.
        if "negative_prompt" in self._takes:
            arguments["negative_prompt"] = [request.negative_prompt for request in requests]
        if self._longest and "max_sequence_length" in self._takes:
            arguments["max_sequence_length"] = self._longest
        return arguments

    def _painted_over(self, request: SceneRequest, small: np.ndarray) -> np.ndarray | None:
        """A scene of the model's size, enlarged and with the details of its new size; None if it came out broken."""
        painter, scale = self._painters[request.scale], request.scale
        high, wide, _ = small.shape
        asked = self._asked([request], (high * scale, wide * scale), again=1)
        asked["num_inference_steps"] = max(self._steps, FEWEST_STEPS)
        takes = inspect.signature(painter.__call__).parameters
        try:
            with in_tiles(self._pipeline.vae):
                (picture,) = painter(
                    **{name: value for name, value in asked.items() if name in takes},
                    image=larger(small, scale),
                    strength=STRENGTH,
                ).images
        finally:
            # With an offload what computes is one pipeline's to bring and to take away.
            self._pipeline.maybe_free_model_hooks()
        return _levels(picture)

    def _made(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> np.ndarray:
        """B×H×W×3, float, 0..1."""
        try:
            return np.asarray(self._pipeline(**self._asked(requests, sides)).images)
        except Exception as error:
            # What the call left half done: an offloaded part on the card, where the next call's first would find no
            # room beside it; a cache of steps, which the next scene would take for its own.
            self._pipeline.maybe_free_model_hooks()
            vae = getattr(self._pipeline, "vae", None)
            tiled = getattr(vae, "use_tiling", True)
            if not is_out_of_memory(error) or len(requests) > 1 or tiled or not hasattr(vae, "enable_tiling"):
                raise
        free_memory()
        _log.warning("No memory for a scene as a whole: from here on scenes are decoded in overlapping tiles.")
        self._pipeline.vae.enable_tiling()
        return self._made(requests, sides)

    def _scene(self, levels: np.ndarray | None, request: SceneRequest, seconds: float, batch: int) -> Scene | Exception:
        if levels is None:
            return PictureError(
                f"The scene came out black or not finite in {self._device.dtype}. Try another seed, or set dtype to "
                "float32."
            )
        figures = {
            "seconds": seconds,
            "batch": float(batch),
            "steps": float(self._steps),
            "guidance": self._guidance,
            "scale": float(request.scale),
            "retried_in_float32": 0.0,
            "decoded_in_tiles": float(getattr(getattr(self._pipeline, "vae", None), "use_tiling", False)),
        }
        return Scene(levels, figures)


def _levels(picture: np.ndarray) -> np.ndarray | None:
    """A picture (H×W×3, 0..1) in uint8; None for one that is not finite or black."""
    if picture.shape[-1] != 3 or not np.isfinite(picture).all():
        return None
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return levels if int(levels.max()) >= BLACK else None
