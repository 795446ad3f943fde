"""A loaded SDXL: batches of scenes with a seed each, and a guard against pictures that came out broken."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.runtime.batches import PictureError, is_out_of_memory
from resources.runtime.device import Device, free_memory
from resources.scenes.enlarged import FEWEST_STEPS, STRENGTH, in_tiles, larger, over_painter
from resources.scenes.noise import draw_in_float32
from resources.scenes.prompt_embeddings import PromptEmbeddings
from resources.scenes.request import Scene, SceneRequest, Subject
from resources.scenes.samplers import Sampler

_log = logging.getLogger(__name__)

BLACK = 3
"""A decoded NaN is 0; no scene, however dark, has no pixel above this (of 255)."""
_OPAQUE = 0.9
_GUIDED = ("prompt_embeds", "add_text_embeds", "add_time_ids")
"""What a step with guidance has twice: first for the negative prompts."""


class SdxlModel:
    """Real diffusers pipelines on one device, sharing their parts."""

    def __init__(self, pipeline: Any, sampler: Sampler, device: Device, *, encoders_wait: bool = False) -> None:
        self._pipeline = pipeline
        self._sampler = sampler
        self._device = device
        self._texts = PromptEmbeddings(pipeline, device.name if encoders_wait else "")
        self._inpaint = _inpainting(pipeline)
        self._inpaint.set_progress_bar_config(disable=True)
        draw_in_float32(self._inpaint)
        self._unet = pipeline.unet
        self._painters: dict[int, Any] = {}
        """What paints over enlarged scenes, by their scale."""

    def words(self, request: SceneRequest) -> int:
        """How many times 77 tokens the request's prompts need; batches are made of equals."""
        return max(len(self._texts.parts(request.prompt)), len(self._texts.parts(request.negative_prompt)))

    def make(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> list[Scene | Exception]:
        """Scenes of one shape in one batch.

        Args:
            requests: all with or all without a subject, and of equal ``words`` and scale.
            sides: height and width of the scenes before they are enlarged, multiples of 8.

        Returns:
            A scene per request, or the ``PictureError`` that it came out black or not finite even in float32.
        """
        started = time.perf_counter()
        pictures = self._painted(requests, sides)
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            self._again_in_float32(request, sides, seconds)
            if picture is None
            else self._scene(picture, request, seconds, len(requests), retried=False)
            for request, picture in zip(requests, pictures, strict=True)
        ]

    def _painted(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> list[np.ndarray | None]:
        """Pictures at their scale, uint8 H×W×3; None for one that is not finite or black."""
        scale = requests[0].scale
        if scale > 1 and scale not in self._painters:
            self._painters[scale] = over_painter(self._pipeline, scale)
        pictures = self._decoded(self._latents(requests, sides))
        whole = [pair for pair in zip(requests, pictures, strict=True) if pair[1] is not None]
        if scale == 1 or not whole:
            return pictures
        finer = iter(self._painted_over([pair[0] for pair in whole], [pair[1] for pair in whole], sides))
        return [None if picture is None else next(finer) for picture in pictures]

    def _painted_over(
        self, requests: Sequence[SceneRequest], pictures: Sequence[Any], sides: tuple[int, int]
    ) -> list[np.ndarray | None]:
        """Scenes of the model's size (height, width), enlarged and with the details of their new size."""
        import torch

        scale, vae = requests[0].scale, self._pipeline.vae
        before = vae.dtype
        with in_tiles(vae):
            try:
                latents = self._painters[scale](
                    **self._asked(requests),
                    image=torch.cat([larger(picture, scale) for picture in pictures]),
                    strength=STRENGTH,
                    num_inference_steps=max(self._sampler.steps, FEWEST_STEPS),
                    # Noise of its own; and what each tile is told of its size.
                    generator=[torch.Generator("cpu").manual_seed(request.seed + 1) for request in requests],
                    original_size=sides,
                    target_size=sides,
                ).images
            finally:
                _bring_back(vae, before)
            return self._decoded(latents)

    def _asked(self, requests: Sequence[SceneRequest]) -> dict[str, Any]:
        """What the pipelines are told of the requests' texts."""
        words = self.words(requests[0])
        zero = self._pipeline.config.force_zeros_for_empty_prompt
        with self._texts.reading():
            prompts = [self._texts.of(request.prompt, words) for request in requests]
            negatives = [self._texts.of(request.negative_prompt, words, empty_is_zero=zero) for request in requests]
        dtype = self._pipeline.unet.dtype
        return {
            "prompt_embeds": _stacked(prompts, 0, dtype),
            "pooled_prompt_embeds": _stacked(prompts, 1, dtype),
            "negative_prompt_embeds": _stacked(negatives, 0, dtype),
            "negative_pooled_prompt_embeds": _stacked(negatives, 1, dtype),
            "guidance_scale": self._sampler.guidance,
            "output_type": "latent",
        }

    def _latents(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> Any:
        import torch

        generators = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
        channels = self._pipeline.vae.config.latent_channels
        scale = self._pipeline.vae_scale_factor
        # Drawn on the CPU in float32: the same seed is the same noise on any device, precision and batch.
        noise = torch.cat(
            [torch.randn((1, channels, sides[0] // scale, sides[1] // scale), generator=g) for g in generators]
        )
        arguments: dict[str, Any] = {
            **self._asked(requests),
            "height": sides[0],
            "width": sides[1],
            "num_inference_steps": self._sampler.steps,
            "generator": generators,
            "latents": noise.to(self._device.name, self._pipeline.unet.dtype),
        }
        subjects = [request.subject for request in requests if request.subject]
        if self._sampler.guided < 1:
            arguments["callback_on_step_end"] = _unguided_after(
                max(1, round(self._sampler.guided * self._sampler.steps))
            )
            arguments["callback_on_step_end_tensor_inputs"] = [*_GUIDED, *(["mask"] if subjects else [])]
        if not subjects:
            return self._pipeline(**arguments).images
        vae = self._pipeline.vae
        if _statistics(vae):
            raise ModelUnavailable(
                "This model cannot paint in place: its VAE has latents_mean, which diffusers' inpainting leaves out. "
                'Set place to "scene", or another model.'
            )
        image, mask = _to_paint(subjects, sides)
        before = vae.dtype
        try:
            # Strength 1 starts from noise alone: nothing of the old background is meant to shine through.
            return self._inpaint(image=image, mask_image=mask, strength=1.0, **arguments).images
        finally:
            _bring_back(vae, before)

    def _decoded(self, latents: Any) -> list[np.ndarray | None]:
        """Pictures, uint8 H×W×3; None for one that is not finite or black."""
        import torch

        vae = self._pipeline.vae
        pictures: list[np.ndarray | None] = []
        with torch.no_grad():
            # One at a time: the decoder's memory is many times the latents', and one fills the device.
            for latent in latents.to(vae.dtype).split(1):
                picture = self._decode(vae, _unscaled(latent, vae))[0].float()
                if not bool(torch.isfinite(picture).all()):
                    pictures.append(None)
                    continue
                whole = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
                array = whole.permute(1, 2, 0).cpu().numpy()
                pictures.append(array if int(array.max()) >= BLACK else None)
        return pictures

    def _decode(self, vae: Any, latent: Any) -> Any:
        """B×3×H×W in -1..1; in tiles once the whole did not fit, so that no step is repeated for want of memory."""
        if not vae.use_tiling:
            try:
                return vae.decode(latent, return_dict=False)[0]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            free_memory()
            _log.warning("No memory to decode a scene as a whole: from here on it is decoded in overlapping tiles.")
            vae.enable_tiling()
            # The default tile is as large as the whole scene.
            vae.tile_sample_min_size = vae.config.sample_size // 2
            vae.tile_latent_min_size = vae.tile_sample_min_size // self._pipeline.vae_scale_factor
        # The class's own: a compiled one does not know the tiles.
        return type(vae).decode(vae, latent, return_dict=False)[0]

    def _again_in_float32(self, request: SceneRequest, sides: tuple[int, int], seconds: float) -> Scene | Exception:
        broken = "The scene came out black or not finite"
        if self._pipeline.unet.dtype == self._pipeline.vae.dtype == _float32():
            return PictureError(f"{broken}, in float32. Try another seed or prompt.")
        started = time.perf_counter()
        try:
            with self._in_float32():
                picture = self._painted([request], sides)[0]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            free_memory()
            return PictureError(f"{broken} in {self._device.dtype}, and there is no memory to try float32.")
        if picture is None:
            return PictureError(f"{broken} in {self._device.dtype} and again in float32. Try another seed or prompt.")
        return self._scene(picture, request, seconds + time.perf_counter() - started, 1, retried=True)

    @contextmanager
    def _in_float32(self) -> Iterator[None]:
        """All parts in float32; halves go up and come back without loss."""
        import torch

        # The pipeline casts embeddings to the second text encoder's precision, so the encoders go along.
        parts = [self._unet, self._pipeline.vae, self._pipeline.text_encoder, self._pipeline.text_encoder_2]
        before = [part.dtype for part in parts]
        try:
            for part in parts:
                torch.nn.Module.to(part, torch.float32)  # diffusers' own ``to`` warns of what does not apply
            # Nothing is compiled anew for one picture.
            with torch.compiler.set_stance("force_eager"):
                yield
        finally:
            for part, dtype in zip(parts, before, strict=True):
                torch.nn.Module.to(part, dtype)

    def compile(self, how: str) -> None:
        """Let ``torch.compile`` translate the UNet (``blocks`` or ``whole``) and the decoder."""
        import torch

        # A shape too many would otherwise fall back to the slow path without a word.
        torch._dynamo.config.recompile_limit = 64
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        if how == "blocks":
            self._unet.compile_repeated_blocks(fullgraph=True, dynamic=False)
        else:
            compiled = torch.compile(self._unet, fullgraph=True, dynamic=False)
            for pipeline in (self._pipeline, self._inpaint):
                pipeline.unet = compiled
        self._pipeline.vae.decode = torch.compile(self._pipeline.vae.decode, fullgraph=True, dynamic=False)

    def _scene(self, picture: np.ndarray, request: SceneRequest, seconds: float, batch: int, *, retried: bool) -> Scene:
        return Scene(
            picture,
            {
                "seconds": seconds,
                "batch": float(batch),
                "steps": float(self._sampler.steps),
                "guidance": self._sampler.guidance,
                "scale": float(request.scale),
                "retried_in_float32": float(retried),
                "decoded_in_tiles": float(self._pipeline.vae.use_tiling),
            },
        )


def _unguided_after(steps: int) -> Callable[..., dict[str, Any]]:
    """What ends the guidance after so many steps, as diffusers' callback for it, which is for one scene at a time."""

    def end(pipeline: Any, step: int, _time: Any, doubled: dict[str, Any]) -> dict[str, Any]:
        if step + 1 != steps or not pipeline.do_classifier_free_guidance:
            return {}
        pipeline._guidance_scale = 1.0
        return {name: tensor.chunk(2)[1] for name, tensor in doubled.items()}

    return end


def _inpainting(pipeline: Any) -> Any:
    """An inpainting pipeline over the same parts; no weight is held twice."""
    from diffusers import StableDiffusionXLInpaintPipeline

    unused = ("feature_extractor", "image_encoder")
    parts = {name: part for name, part in pipeline.components.items() if name not in unused}
    inpaint: Any = StableDiffusionXLInpaintPipeline(**parts, add_watermarker=False)
    return inpaint


def _bring_back(vae: Any, before: Any) -> None:
    """To its precision: one that holds in float32 alone is left in the latents' by diffusers' encoding pipelines."""
    if vae.dtype != before:
        vae.to(before)


def _statistics(vae: Any) -> tuple[Any, Any] | None:
    """Mean and standard deviation of the latents that a fine-tuned VAE was trained with; None for SDXL's own."""
    mean, std = getattr(vae.config, "latents_mean", None), getattr(vae.config, "latents_std", None)
    return None if mean is None or std is None else (mean, std)


def _unscaled(latent: Any, vae: Any) -> Any:
    """Latents as the decoder takes them."""
    latent = latent / vae.config.scaling_factor
    if (statistics := _statistics(vae)) is None:
        return latent
    mean, std = (latent.new_tensor(values).view(1, -1, 1, 1) for values in statistics)
    return latent * std + mean


def _stacked(embeddings: list[tuple[Any, Any]], which: int, dtype: Any) -> Any:
    import torch

    return torch.stack([pair[which] for pair in embeddings]).to(dtype)


def _to_paint(subjects: Sequence[Subject], sides: tuple[int, int]) -> tuple[Any, Any]:
    """Pictures (B×3×H×W, 0..1) and what is to be painted (B×1×H×W, 0 or 1, 1 is painted), stretched to ``sides``."""
    import torch

    def stretched(array: np.ndarray) -> Any:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).float().permute(2, 0, 1)[None]
        return torch.nn.functional.interpolate(tensor, sides, mode="bilinear", antialias=True)

    images = [stretched(subject.image) / 255 for subject in subjects]
    # What the old wall shines through is painted too: in the composite the subject lies over it anyway.
    masks = [(stretched(subject.alpha[..., None]) < _OPAQUE).float() for subject in subjects]
    return torch.cat(images).clamp(0, 1), torch.cat(masks)


def _float32() -> Any:
    import torch

    return torch.float32
