"""Clips: masks that do not flicker, and composites before one background, as streams of frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.masks.tiers import MASK_TIERS
from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.resize import resize_to_fit
from vivid_assets.imaging.io.layer_files import decode_layer, encode_layer
from vivid_assets.masking.clip_masks import ClipMasks, FrameMask
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import Mask
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.one_picture.clip_frames import Masked, compose_clip
from vivid_assets.one_picture.clip_shadows import ClipShadows
from vivid_assets.one_picture.images import picture_of
from vivid_assets.one_picture.masks import Solved, check_tiers, tiers_of
from vivid_assets.one_picture.scenes import Scenes
from vivid_assets.settings import Settings, find_model

Progress = Callable[[str, int], None]


@dataclass(eq=False)
class ClipReport:
    """What is known of a clip's masks when they have all been made."""

    flagged: list[tuple[int, str, str]] = field(default_factory=list)
    """Number, verdict and reason of each frame that a person should look at."""
    frames: int = 0
    tier: str = ""
    notes: list[str] = field(default_factory=list)


class Composed:
    """A frame before the new background."""

    def __init__(self, made: Blend) -> None:
        """Of what a frame's blending made."""
        self._made = made

    @property
    def composite(self) -> RGB8:
        """uint8 H×W×3 sRGB."""
        return self._made.composite.astype(np.uint8, copy=False)

    @cached_property
    def cutout(self) -> NDArray[np.uint8]:
        """uint8 H×W×4, straight alpha; made when it is asked for."""
        return self._made.cutout


class Clips:
    """Masks and composites of clips by the settings' tiers, or by ``tiers``."""

    def __init__(self, settings: Settings, leases: ExitStack, tiers: tuple[str, ...] | None) -> None:
        """Nothing is loaded yet. Raises ValueError for a tier that does not exist."""
        names = tiers or tiers_of(settings.masks)
        check_tiers(names)
        self._settings = settings
        self._tiers = make_tiers(names, lambda name: find_model(MASK_TIERS, name, settings), leases)

    def masks(
        self, clip: Iterable[RGB8], report: ClipReport, progress: Progress, *, shadows: bool = False
    ) -> Iterator[FrameMask]:
        """Yield the mask of every frame, of the models' size; ``clip`` is iterated twice.

        Args:
            clip: its frames.
            report: filled in.
            progress: as for ``ClipMasks.masks``.
            shadows: whether the shadows that the subject casts are measured.

        Raises:
            ValueError: it has no frames.
            MachineFault: no tier can be used.
        """
        wanted = self._settings
        maker = ClipMasks(self._tiers, ladder_settings(wanted.masks), wanted.prepared_images.longest, shadows=shadows)
        for mask in maker.masks(clip, progress):
            report.tier = mask.tier
            if mask.flagged:
                report.flagged.append((report.frames, mask.verdict, mask.reason))
            report.frames += 1
            yield mask
        report.notes.extend(maker.notes)

    def full_size(self, clip: Iterable[RGB8], report: ClipReport, progress: Progress) -> Iterator[Matte]:
        """Yield each frame's alpha at the frame's size; ``clip`` is iterated three times."""
        masks = self.masks(clip, report, progress)
        for mask, frame in zip(masks, clip, strict=True):
            yield upsample_alpha(mask.alpha, frame)

    def composites(
        self, clip: Iterable[RGB8], settings: Settings, scenes: Scenes, report: ClipReport, progress: Progress
    ) -> Iterator[Composed]:
        """Yield each frame before one background, in a place that is the same for all; the clip is iterated often.

        Args:
            clip: its frames.
            settings: how the composites are made.
            scenes: what makes the background.
            report: filled in.
            progress: as for the masks; its step is ``compositing`` then.

        Raises:
            ValueError: the clip has no frames, or there is to be no background.
        """
        if scenes.is_transparent:
            raise ValueError("A clip has no transparent composite: write its cut-out with --cutout.")
        with tempfile.TemporaryDirectory(prefix="vivid-clip-") as place:
            masks = _Stored(Path(place))
            shadows = settings.composites.shadow in ("auto", "keep")
            for mask in self.masks(clip, report, progress, shadows=shadows):
                masks.add(mask)
            yield from self._composed(clip, masks, settings, scenes, report, progress)

    def _composed(
        self,
        clip: Iterable[RGB8],
        masks: _Stored,
        settings: Settings,
        scenes: Scenes,
        report: ClipReport,
        progress: Progress,
    ) -> Iterator[Composed]:
        wanted = settings.composites
        first = _solved(next(iter(clip)), masks.alpha(0), report.tier, settings)
        scene = scenes.scene(first, stands=masks.union)
        report.notes.extend([f"background: {scene.by}", *scene.notes])
        shadows = ClipShadows(masks.shadow, masks.scenes)
        kind = shadows.choice(wanted.shadow, masks.alpha, scene.floor)
        frames = (
            Masked(frame, masks.alpha(number), shadows.steady(number) if kind == "keep" else None)
            for number, frame in enumerate(clip)
        )
        done = compose_clip(
            frames,
            masks.union,
            scene.rgb,
            wanted.blend,
            shadow=kind,
            floor=scene.floor,
            placement=wanted.placement,
        )
        for number, made in enumerate(done, start=1):
            yield Composed(made)
            progress("compositing", number)


class _Stored:
    """Masks and shadows of one size on disk: alphas in 256 steps."""

    def __init__(self, folder: Path) -> None:
        self._alphas, self._shadows, self._shape = folder / "alphas", folder / "shadows", (0, 0)
        self._shadows.mkdir()
        self.union: Matte = np.zeros((0, 0), np.float32)
        """The most that any frame has."""
        self.scenes: list[int] = []
        """By frame."""

    def add(self, mask: FrameMask) -> None:
        """Take the next frame's."""
        self.union = np.maximum(self.union, mask.alpha) if self.scenes else mask.alpha
        self._shape = mask.alpha.shape
        with self._alphas.open("ab") as file:
            file.write(np.rint(mask.alpha * 255).astype(np.uint8).tobytes())
        if mask.shadow is not None:
            self._shadow(len(self.scenes)).write_bytes(encode_layer(mask.shadow))
        self.scenes.append(mask.scene)

    def alpha(self, number: int) -> Matte:
        """That of a frame: float32 h×w, 0..1."""
        size = self._shape[0] * self._shape[1]
        stored = np.fromfile(self._alphas, np.uint8, size, offset=number * size)
        return stored.reshape(self._shape).astype(np.float32) / np.float32(255)

    def shadow(self, number: int) -> LinearRGB | None:
        """That of a frame; None where it has none."""
        path = self._shadow(number)
        return decode_layer(path.read_bytes()) if path.exists() else None

    def _shadow(self, number: int) -> Path:
        return self._shadows / f"{number:06d}.png"


@contextmanager
def repeatable(frames: Iterable[NDArray[Any]]) -> Iterator[Iterable[RGB8]]:
    """Frames that can be iterated again and again: these, or a copy on disk where they can be iterated once.

    Raises:
        TypeError, ValueError: when iterated, a frame is no uint8 H×W×3, or of another size than the first.
    """
    if iter(frames) is not frames:
        yield _Checked(frames)
        return
    with tempfile.TemporaryDirectory(prefix="vivid-frames-") as place:
        path, shape, count = Path(place) / "frames", None, 0
        with path.open("wb") as file:
            for frame in _Checked(frames):
                shape, count = frame.shape, count + 1
                file.write(frame.tobytes())
        yield [] if shape is None else np.memmap(path, np.uint8, "r", shape=(count, *shape))


class _Checked:
    def __init__(self, frames: Iterable[NDArray[Any]]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[RGB8]:
        first: tuple[int, ...] | None = None
        for number, frame in enumerate(self._frames):
            if not isinstance(frame, np.ndarray):
                raise TypeError(f"Frame {number} is {type(frame).__name__}: the frames of a clip are NumPy arrays.")
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or min(frame.shape[:2]) < 16:
                raise ValueError(
                    f"Frame {number} is {frame.dtype} {frame.shape}: frames are uint8 H×W×3 of 16 pixels or more."
                )
            first = first or frame.shape
            if frame.shape != first:
                raise ValueError(f"Frame {number} is {frame.shape}, the first one {first}: frames have one size.")
            yield np.ascontiguousarray(frame)


def _solved(frame: RGB8, alpha: Matte, tier: str, settings: Settings) -> Solved:
    """The first frame as a picture with a mask, for what makes the background."""
    picture = picture_of(frame, max_pixels=frame.shape[0] * frame.shape[1])
    small = resize_to_fit(frame, settings.prepared_images.longest)
    mask = Mask(alpha, tier, "good", "", {}, (), line_art=False, line_art_probability=0.0)
    return Solved(picture, small, mask, Alpha(alpha, "probability"), tier, ())
