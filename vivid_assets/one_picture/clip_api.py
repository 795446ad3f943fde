"""The public functions for clips: frames in, masks or composites out, one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.plate.cast_shadow import Choice as Shadow
from vivid_assets.one_picture.api import SettingsTables, read_settings, scene_of
from vivid_assets.one_picture.clips import ClipReport, Clips, Composed, repeatable
from vivid_assets.one_picture.images import Image
from vivid_assets.one_picture.scenes import Scenes


@dataclass(frozen=True, eq=False)
class ClipMask:
    """The mask of one frame."""

    alpha: NDArray[np.float32]
    """float32 H×W, 0 (background) to 1 (subject), at the frame's size."""
    verdict: str
    """``good``; or ``lost`` or another fault of the frame's own mask, for which its neighbours' stands."""
    reason: str


def find_clip_masks(
    frames: Iterable[NDArray[np.uint8]],
    *,
    tiers: Sequence[str] | None = None,
    settings: SettingsTables | None = None,
) -> Iterator[ClipMask]:
    """Find the subject of a clip, as ``vivid mask`` does: masks that do not flicker.

    All frames are read before the first mask comes. They are iterated three times, and never all in memory; those of
    an iterator, which ends, are copied to a temporary file. Models are freed when the masks end.

    Args:
        frames: uint8 H×W×3 sRGB, of one size, 16 pixels or more each way.
        tiers: the mask tiers to try; the first that sees the subject in most frames makes all masks.
        settings: as in ``find_mask``.

    Yields:
        One mask a frame.

    Raises:
        TypeError, ValueError: there are no frames, one does not fit, or a tier or a setting is wrong.
        resources.errors.MachineFault: no tier can be used.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import find_clip_masks
        >>> frames = [np.full((48, 64, 3), 214, np.uint8) for _ in range(6)]
        >>> for place, frame in enumerate(frames):
        ...     frame[12:36, 4 * place : 4 * place + 24] = (180, 40, 30)
        >>> masks = list(find_clip_masks(frames, tiers=["gradients"]))
        >>> len(masks), float(masks[5].alpha[24, 32]), float(masks[5].alpha[24, 2])
        (6, 1.0, 0.0)
    """
    read = read_settings(settings)
    with ExitStack() as leases, repeatable(frames) as again:
        maker = Clips(read, leases, tuple(tiers) if tiers else None)
        masks = maker.masks(again, ClipReport(), _silent)
        for mask, frame in zip(masks, again, strict=True):
            yield ClipMask(np.asarray(upsample_alpha(mask.alpha, frame), np.float32), mask.verdict, mask.reason)


def replace_clip_background(
    frames: Iterable[NDArray[np.uint8]],
    prompt: str = "",
    *,
    background: Image | str | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Iterator[Composed]:
    """Put the subject of a clip before one new background, as ``vivid replace`` does.

    Args:
        frames: as in ``find_clip_masks``.
        prompt: as in ``replace_background``; one background is made for all frames.
        background: as in ``replace_background``.
        seed: as in ``replace_background``.
        generator: as in ``replace_background``.
        tiers: as in ``find_clip_masks``.
        shadow: ``soft``, ``none``, or ``auto``, which is soft where the background has a floor.
        settings: as in ``replace_background``; a canvas is placed by the subject's box over all frames.

    Yields:
        The composite and the cut-out of each frame: uint8 H×W×3, and H×W×4 with straight alpha.

    Raises:
        TypeError, ValueError: as ``find_clip_masks``; or there is neither prompt nor background.
        resources.errors.MachineFault: no tier, or not the requested generator, can be used.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import replace_clip_background
        >>> frames = [np.full((48, 64, 3), 214, np.uint8) for _ in range(6)]
        >>> for place, frame in enumerate(frames):
        ...     frame[12:36, 4 * place : 4 * place + 24] = (180, 40, 30)
        >>> done = list(replace_clip_background(frames, background="#0044aa", tiers=["gradients"]))
        >>> done[5].composite[[24, 2], [32, 2]].tolist()
        [[180, 40, 30], [0, 68, 170]]
    """
    if not prompt and background is None:
        raise ValueError("There is neither a prompt nor a background: give one of them.")
    read = read_settings(settings, shadow=shadow)
    own = None if background is None else scene_of(background, read)
    with ExitStack() as leases, repeatable(frames) as again:
        maker = Clips(read, leases, tuple(tiers) if tiers else None)
        scenes = Scenes(read, leases, prompt=prompt, own=own, seed=seed, generator=generator)
        yield from maker.composites(again, read, scenes, ClipReport(), _silent)


def _silent(step: str, frame: int) -> None:
    """Show no progress."""
    del step, frame
