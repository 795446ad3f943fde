"""Clips: masks that do not flicker, and composites before one background, as streams of frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.masks.tiers import MASK_TIERS
from vivid_assets.imaging.blend.composite import Blend, blend
from vivid_assets.imaging.blend.placement import Place, find_place, mix_layers, place_layers
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.resize import cover, resize_to_fit
from vivid_assets.masking.clip_masks import ClipMasks, FrameMask
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import Mask
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.one_picture.composites import cutout_colors
from vivid_assets.one_picture.images import picture_of
from vivid_assets.one_picture.masks import Solved, tiers_of
from vivid_assets.one_picture.scenes import Scene, Scenes
from vivid_assets.settings import BLEND_OPTIONS, Settings, find_model

Progress = Callable[[str, int], None]


@dataclass(eq=False)
class ClipReport:
    """What is known of a clip's masks when they have all been made."""

    flagged: list[tuple[int, str, str]] = field(default_factory=list)
    """Number, verdict and reason of each frame that a person should look at."""
    frames: int = 0
    tier: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Composed:
    """A frame before the new background."""

    composite: RGB8
    """H×W×3 sRGB."""
    cutout: NDArray[np.uint8]
    """H×W×4, straight alpha."""


class Clips:
    """Masks and composites of clips by the settings' tiers, or by ``tiers``."""

    def __init__(self, settings: Settings, leases: ExitStack, tiers: tuple[str, ...] | None) -> None:
        """Nothing is loaded yet. Raises ValueError for a tier that does not exist."""
        names = tiers or tiers_of(settings.masks)
        if unknown := [name for name in names if name not in MASK_TIERS.names()]:
            raise ValueError(f"There is no mask tier {unknown[0]!r}; there are {', '.join(MASK_TIERS.names())}.")
        self._settings = settings
        made = make_tiers(names, lambda name: find_model(MASK_TIERS, name, settings), leases)
        self._masks = ClipMasks(made, ladder_settings(settings.masks), settings.prepared_images.longest)

    def masks(self, clip: Iterable[RGB8], report: ClipReport, progress: Progress) -> Iterator[FrameMask]:
        """Yield the mask of every frame, of the models' size; ``clip`` is iterated twice.

        Raises:
            ValueError: it has no frames.
            MachineFault: no tier can be used.
        """
        for mask in self._masks.masks(clip, progress):
            report.tier = mask.tier
            if mask.flagged:
                report.flagged.append((report.frames, mask.verdict, mask.reason))
            report.frames += 1
            yield mask
        report.notes.extend(self._masks.notes)

    def full_size(self, clip: Iterable[RGB8], report: ClipReport, progress: Progress) -> Iterator[Matte]:
        """Yield each frame's alpha at the frame's size; ``clip`` is iterated three times."""
        masks = self.masks(clip, report, progress)
        for mask, frame in zip(masks, clip, strict=True):
            yield upsample_alpha(mask.alpha, frame)

    def composites(
        self, clip: Iterable[RGB8], scenes: Scenes, report: ClipReport, progress: Progress
    ) -> Iterator[Composed]:
        """Yield each frame before one background, in a place that is the same for all; the clip is iterated often.

        Raises:
            ValueError: the clip has no frames, or a shadow is to be kept.
        """
        with tempfile.TemporaryDirectory(prefix="vivid-clip-") as place:
            alphas = _Stored(Path(place) / "alphas")
            for mask in self.masks(clip, report, progress):
                alphas.add(mask.alpha)
            yield from self._composed(clip, alphas, scenes, report, progress)

    def _composed(
        self, clip: Iterable[RGB8], alphas: _Stored, scenes: Scenes, report: ClipReport, progress: Progress
    ) -> Iterator[Composed]:
        scene: Scene | None = None
        behind: RGB8 | None = None
        where: Place | None = None
        wanted = self._settings.composites
        for number, (frame, small) in enumerate(zip(clip, alphas, strict=True), start=1):
            if scene is None or behind is None:
                scene = scenes.scene(_solved(frame, small, report.tier, self._settings))
                behind = cover(scene.rgb, *frame.shape[:2])
                report.notes.extend([f"background: {scene.by}", *scene.notes])
            done = blend(frame, upsample_alpha(small, frame), behind, **self._options(scene), mode=wanted.mode)
            if wanted.placement.is_as_photographed:
                yield _layers(done)
            else:
                where = where or find_place(upsample_alpha(alphas.union, frame), wanted.placement)
                yield _on_canvas(done, scene, where)
            progress("compositing", number)

    def _options(self, scene: Scene) -> Mapping[str, Any]:
        options = self._settings.composites.model_dump(include=BLEND_OPTIONS)
        if options["shadow"] == "keep":
            raise ValueError("A clip's own shadow cannot be kept: choose --shadow soft or none.")
        shadow = options["shadow"]
        if shadow == "auto":
            shadow = "none" if scene.floor is None else "soft"
        # Spill is measured, and so comes and goes from one frame to the next.
        return {**options, "refine": False, "spill": False, "shadow": shadow}


class _Stored:
    """Alphas of one size on disk, in 256 steps."""

    def __init__(self, path: Path) -> None:
        self._path, self._shape, self._count = path, (0, 0), 0
        self.union: Matte = np.zeros((0, 0), np.float32)
        """The most that any frame has."""

    def add(self, alpha: Matte) -> None:
        self.union = alpha if not self._count else np.maximum(self.union, alpha)
        self._shape, self._count = alpha.shape, self._count + 1
        with self._path.open("ab") as file:
            file.write(np.rint(alpha * 255).astype(np.uint8).tobytes())

    def __iter__(self) -> Iterator[Matte]:
        stored = np.memmap(self._path, np.uint8, "r", shape=(self._count, *self._shape))
        for alpha in stored:
            yield alpha.astype(np.float32) / np.float32(255)


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


def _layers(done: Blend) -> Composed:
    alpha = np.rint(done.alpha.clip(0, 1) * 255).astype(np.uint8)
    composite, colors = done.composite.astype(np.uint8, copy=False), cutout_colors(done)
    return Composed(composite, np.dstack([colors, alpha]))


def _on_canvas(done: Blend, scene: Scene, place: Place) -> Composed:
    foreground, alpha, shadow = place_layers(done.foreground, done.alpha, done.shadow.layer, place)
    behind = cover(scene.rgb, place.height, place.width)
    composite = mix_layers(foreground, alpha, behind, shadow)
    cutout = np.dstack([foreground, np.rint(alpha * 255).astype(np.uint8)])
    return Composed(composite.astype(np.uint8, copy=False), cutout.astype(np.uint8, copy=False))
