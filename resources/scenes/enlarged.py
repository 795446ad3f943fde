"""Scenes larger than a model was trained for: made at its own size, enlarged, and painted over at low strength.

The model sees tiles of its own size, and at each step what it says of them is averaged, weighted towards their middles
(MultiDiffusion: Bar-Tal et al. 2023). All tiles are windows on the same latents and the same noise, and a tile's weight
falls to nothing at its edge, so there is no edge to be seen. The decoder works in overlapping tiles, too: the memory
that it all takes is that of a scene of the model's own size.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable, first_line
from resources.scenes.noise import draw_in_float32

STRENGTH = 0.3
"""Share of the steps that a scene is painted over with: they add detail and leave what is where."""
FEWEST_STEPS = math.ceil(1 / STRENGTH)
"""Of a whole denoising, for that share to be one."""
_OVERLAP = 4
"""Tiles overlap by at least one part in so many."""
_DENOISERS = ("unet", "transformer")


def larger(picture: np.ndarray, scale: int) -> Any:
    """A picture enlarged, as image-to-image pipelines take it.

    Args:
        picture: uint8 H×W×3.
        scale: times its size.

    Returns:
        float32 1×3×(H·scale)×(W·scale), 0..1.
    """
    import cv2
    import torch

    size = picture.shape[1] * scale, picture.shape[0] * scale
    enlarged = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(enlarged).permute(2, 0, 1)[None].float() / 255


def over_painter(pipeline: Any, scale: int) -> Any:
    """An image-to-image pipeline over the parts of a text-to-image one, for pictures ``scale`` times its own size.

    Raises:
        ModelUnavailable: diffusers has none for this kind, its denoiser cannot be asked for tiles here, or its decoder.
    """
    from diffusers import AutoPipelineForImage2Image

    kind = type(pipeline).__name__
    try:
        painter: Any = AutoPipelineForImage2Image.from_pipe(pipeline, add_watermarker=False)
    except ValueError as error:
        raise _not_built(kind, f"diffusers has no image-to-image pipeline for it ({first_line(error)})") from error
    name = next((name for name in _DENOISERS if name in painter.components), "")
    denoiser = getattr(painter, name, None)
    network = type(getattr(denoiser, "_orig_mod", denoiser))
    if network.__name__ not in _WINDOWS:
        raise _not_built(kind, f"tiles of a {network.__name__} are not known here")
    if not hasattr(painter.vae, "use_tiling"):
        raise _not_built(kind, f"its {type(painter.vae).__name__} does not work in tiles")
    setattr(painter, name, _Tiled(denoiser, network, scale))
    settings = painter.scheduler.config
    # Flow models shift their times by the number of tokens, which is to be that of a tile.
    tokens = {one: settings[one] * scale**2 for one in ("base_image_seq_len", "max_image_seq_len") if one in settings}
    painter.scheduler = type(painter.scheduler).from_config(settings, **tokens)
    draw_in_float32(painter)
    painter.set_progress_bar_config(disable=True)
    return painter


def _not_built(kind: str, why: str) -> ModelUnavailable:
    return ModelUnavailable(f"{kind} paints no scene larger than its own: {why}. Set enlarge to 1.")


@contextmanager
def in_tiles(vae: Any) -> Iterator[None]:
    """Have a VAE encode and decode in overlapping tiles."""
    before = vae.use_tiling
    vae.enable_tiling()
    try:
        yield
    finally:
        if not before:
            vae.disable_tiling()


class _Tiled:
    """A denoiser that is asked tile by tile; all else of it is its own."""

    def __init__(self, denoiser: Any, network: type, scale: int) -> None:
        self._denoiser = denoiser
        self._window = _WINDOWS[network.__name__]
        self._names = [*inspect.signature(network.forward).parameters][1:]  # type: ignore[attr-defined]
        self._scale = scale

    def __getattr__(self, name: str) -> Any:
        return getattr(self._denoiser, name)

    def __call__(self, *given: Any, **named: Any) -> tuple[Any]:
        """What the denoiser says of the whole, as the first of a tuple."""
        import torch

        positions = [*zip(self._names, given, strict=False)]
        view = self._window({**dict(positions), **named})
        high, wide = view.field.shape[-2:]
        tile = high // self._scale, wide // self._scale
        weight = _hat(tile, view.field.device)
        total = torch.zeros_like(view.field, dtype=torch.float32)
        weights = torch.zeros((high, wide), device=view.field.device)
        for top, left in itertools.product(starts(high, tile[0]), starts(wide, tile[1])):
            window = ..., slice(top, top + tile[0]), slice(left, left + tile[1])
            # Laid out, by position or by name, as the whole would be: a compiled one is compiled anew for another way.
            changed = view.arguments(view.field[window].contiguous())
            said = self._denoiser(
                *[changed.get(name, value) for name, value in positions],
                **{name: changed.get(name, value) for name, value in named.items()},
            )[0]
            total[window] += view.read(said, tile).float() * weight
            weights[window] += weight
        return (view.answer((total / weights).to(view.field.dtype)),)


def starts(whole: int, tile: int) -> list[int]:
    """Where tiles begin along a side, evenly, with overlaps; even numbers, since denoisers take 2×2 latents as one.

    >>> starts(256, 128), starts(384, 128)
    ([0, 64, 128], [0, 86, 170, 256])
    """
    overlap = tile // _OVERLAP
    gaps = math.ceil((whole - tile) / (tile - overlap))
    return [round((whole - tile) * number / gaps / 2) * 2 for number in range(gaps)] + [whole - tile]


def _hat(tile: tuple[int, int], device: Any) -> Any:
    """Weights (H×W) that fall from a tile's middle to nothing beyond its edge."""
    import torch

    sides = [1 - (torch.arange(side, device=device) + 0.5 - side / 2).abs() / (side / 2 + 0.5) for side in tile]
    return sides[0][:, None] * sides[1]


@dataclass(frozen=True)
class _View:
    """What a kind of denoiser is given, seen as a field over the picture."""

    field: Any
    """B×C×…×H×W."""
    arguments: Callable[[Any], dict[str, Any]]
    """What changes of the arguments for a tile of the field."""
    read: Callable[[Any, tuple[int, int]], Any]
    """An answer to a tile (its height and width) as a field."""
    answer: Callable[[Any], Any]
    """A field as the answer to the whole."""


def _same(field: Any, _tile: Any = None) -> Any:
    return field


def _latents(name: str) -> Callable[[Mapping[str, Any]], _View]:
    """Of denoisers that take B×C×H×W by that name."""
    return lambda asked: _View(asked[name], lambda tile: {name: tile}, _same, _same)


def _listed(asked: Mapping[str, Any]) -> _View:
    """Z-Image takes and gives lists of C×1×H×W."""
    import torch

    return _View(
        torch.stack(asked["x"]),
        lambda tile: {"x": [*tile.unbind()]},
        lambda said, _tile: torch.stack([*said]),
        lambda field: [*field.unbind()],
    )


def _positioned(asked: Mapping[str, Any]) -> _View:
    """FLUX takes tokens, and for each its place: a tile's are those of a picture of its size."""
    tokens, places = asked["hidden_states"], asked["img_ids"]
    whole = int(places[:, 1].max()) + 1, int(places[:, 2].max()) + 1

    def arguments(tile: Any) -> dict[str, Any]:
        high, wide = tile.shape[-2:]
        there = places.unflatten(0, whole)[:high, :wide].flatten(0, 1)
        return {"hidden_states": _tokens(tile), "img_ids": there}

    return _View(_field(tokens, whole), arguments, _field, _tokens)


def _shaped(asked: Mapping[str, Any]) -> _View:
    """Qwen-Image takes tokens, and the height and width of each picture."""
    tokens = asked["hidden_states"]
    ((_, *whole),) = asked["img_shapes"][0]

    def arguments(tile: Any) -> dict[str, Any]:
        return {"hidden_states": _tokens(tile), "img_shapes": [[(1, *tile.shape[-2:])]] * len(tile)}

    return _View(_field(tokens, (whole[0], whole[1])), arguments, _field, _tokens)


def _field(tokens: Any, sides: tuple[int, int]) -> Any:
    """B×(H·W)×C as B×C×H×W."""
    return tokens.unflatten(1, sides).movedim(-1, 1)


def _tokens(field: Any) -> Any:
    """B×C×H×W as B×(H·W)×C."""
    return field.movedim(1, -1).flatten(1, 2)


_WINDOWS: dict[str, Callable[[Mapping[str, Any]], _View]] = {
    "UNet2DConditionModel": _latents("sample"),
    "SD3Transformer2DModel": _latents("hidden_states"),
    "FluxTransformer2DModel": _positioned,
    "QwenImageTransformer2DModel": _shaped,
    "ZImageTransformer2DModel": _listed,
}
"""By the denoiser's class in diffusers."""
