"""``vivid mask`` and ``vivid replace`` for clips."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from resources.spelling import counted
from vivid_assets.cli.console import complain, console, say
from vivid_assets.cli.results import mark_in, mark_of
from vivid_assets.imaging.io.mask_files import encode_mask
from vivid_assets.imaging.io.unreadable import UnreadablePicture
from vivid_assets.imaging.io.video.folder import read_folder
from vivid_assets.imaging.io.video.read import Clip, is_clip, read_video
from vivid_assets.imaging.io.video.write import (
    COMPOSITE_SUFFIXES,
    CUTOUT_SUFFIXES,
    FrameSink,
    NumberedPictures,
    h264,
    with_alpha,
    writing,
)
from vivid_assets.one_picture.clips import ClipReport, Clips
from vivid_assets.one_picture.renditions import background_of
from vivid_assets.one_picture.scenes import Scenes
from vivid_assets.settings import Rendition, Settings

if TYPE_CHECKING:
    from vivid_assets.imaging.core.arrays import RGB8

_NUMBERED = re.compile(r"\d{6}\.png")
_PASSES = {"finding": "finding the subject", "smoothing": "smoothing the masks", "compositing": "compositing"}


def clip_of(paths: list[Path], *, as_clip: bool) -> Path | None:
    """The clip among what a command was given; None where these are pictures.

    Raises:
        ValueError: several, of which one is a clip.
    """
    if not as_clip and not any(is_clip(path) and path.suffix.lower() != ".gif" for path in paths):
        return None
    if len(paths) > 1:
        raise ValueError("Clips are processed one at a time: name one clip, and no pictures with it.")
    return paths[0]


def mask_clip(
    path: Path, output: Path | None, settings: Settings, tiers: tuple[str, ...] | None, *, force: bool
) -> None:
    """Write a clip's masks, a grey PNG a frame, into a folder."""
    folder = output or path.with_name(f"{path.stem}-masks")
    mark = mark_of("mask", "clip", path)
    _check_folder(folder, mark, path, force=force)
    clip, report = _opened(path), ClipReport()
    with ExitStack() as leases:
        maker = Clips(settings, leases, tiers)
        with _progress(clip) as progress:
            for number, alpha in enumerate(maker.full_size(_Pixels(clip), report, progress)):
                (folder / f"{number:06d}.png").write_bytes(encode_mask(alpha, provenance=mark))
    _remove_beyond(folder, report.frames)
    _report(clip, report)
    say(f"Masks: {folder}")


def replace_clip(
    path: Path,
    output: Path | None,
    cutout: Path | None,
    settings: Settings,
    rendition: Rendition,
    tiers: tuple[str, ...] | None,
    *,
    seed: int,
    generator: str | None,
    force: bool,
) -> None:
    """Write a clip before the background of a ``rendition``, and its cut-out where one is asked for."""
    composite = output or path.with_name(f"{path.stem}-composite.mp4")
    if composite.is_dir():
        composite = composite / f"{path.stem}-composite.mp4"
    if composite.suffix.lower() not in COMPOSITE_SUFFIXES:
        raise ValueError(f"A clip's composite is a {', '.join(COMPOSITE_SUFFIXES)}, not {composite.name!r}.")
    mark = mark_of("replace", "clip", path)
    _check_file(composite, mark, path, force=force)
    if cutout is not None:
        _check_cutout(cutout, mark, path, force=force)
    settings = settings.model_copy(update={"composites": rendition.composites(settings.composites)})
    words, own = background_of(rendition)
    clip, report = _opened(path), ClipReport()
    sound = path if clip.has_audio else None
    with ExitStack() as leases:
        maker = Clips(settings, leases, tiers)
        scenes = Scenes(settings, leases, prompt=words, own=own, seed=seed, generator=generator)
        with (
            _progress(clip) as progress,
            writing(composite, h264(), clip.rate, sound=sound, comment=mark) as composites,
            _cutout_sink(cutout, clip, sound, mark) as cutouts,
        ):
            done = maker.composites(_Pixels(clip), settings, scenes, report, progress)
            for frame, made in zip(clip, done, strict=True):
                composites.add(made.composite, frame.time)
                if cutouts:
                    cutouts.add(made.cutout, frame.time)
    _report(clip, report)
    say(f"Composite: {composite}")
    if cutout is not None:
        say(f"Cut-out: {cutout}")


class _Pixels:
    """A clip's frames without their times."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def __iter__(self) -> Iterator["RGB8"]:
        for frame in self._clip:
            yield frame.rgb


def _opened(path: Path) -> Clip:
    clip: Clip = read_folder(path) if path.is_dir() else read_video(path)
    return clip


def _report(clip: Clip, report: ClipReport) -> None:
    for note in dict.fromkeys((*clip.notes, *report.notes)):
        say(f"note: {note}")
    say(f"{counted(report.frames, 'frame')}, masks by {report.tier}, {len(report.flagged)} flagged.")
    if report.flagged:
        names = sorted({verdict for _, verdict, _ in report.flagged})
        spans = _spans([number for number, _, _ in report.flagged])
        complain(
            (f"Look at frames {spans} ({', '.join(names)}): their masks are those of the frames about them.", "yellow")
        )


def _spans(numbers: list[int]) -> str:
    """Numbers in order as spans: 3-5, 9."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    return ", ".join(texts[:12]) + (f" and {len(texts) - 12} more" if len(texts) > 12 else "")


class _Rate(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} frames/s" if task.speed else "")


@contextmanager
def _progress(clip: Clip) -> Iterator[Callable[[str, int], None]]:
    """Show each step's frames, frames a second and time left; on no terminal, a line a step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    tasks: dict[str, Any] = {}
    begun: dict[str, float] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:

        def progress(step: str, frame: int) -> None:
            if step not in tasks or frame == 1:
                tasks[step], begun[step] = shown.add_task(_PASSES[step], total=clip.count or None), time.perf_counter()
            shown.update(tasks[step], completed=frame)
            if not console.is_terminal and frame == clip.count:
                rate = frame / max(time.perf_counter() - begun[step], 1e-6)
                say(f"{_PASSES[step]}: {counted(frame, 'frame')}, {rate:.1f} frames/s")

        yield progress


def _cutout_sink(path: Path | None, clip: Clip, sound: Path | None, mark: str) -> Any:
    if path is None:
        return nullcontext(None)
    if path.suffix.lower() in CUTOUT_SUFFIXES:
        # WebM holds other sound than MP4 does.
        kept = sound if path.suffix.lower() == ".mov" else None
        return writing(path, with_alpha(path), clip.rate, sound=kept, comment=mark)
    path.mkdir(parents=True, exist_ok=True)
    sink: FrameSink = NumberedPictures(path, mark)
    return nullcontext(sink)


def _check_folder(folder: Path, mark: str, source: Path, *, force: bool) -> None:
    """Check that numbered pictures can be written, and make the folder. Raises ValueError."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file: a clip's frames are written into a folder.")
    if source.is_dir() and folder.exists() and folder.samefile(source):
        raise ValueError(f"{str(folder)!r} is the clip itself: choose another folder with --output.")
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png")
    if not force and any(mark_in(path) != mark for path in there[:1] + there[-1:]):
        raise ValueError(
            f"{str(folder)!r} has pictures that this command did not write: choose another folder with --output, or "
            "replace them with --force."
        )


def _check_file(path: Path, mark: str, source: Path, *, force: bool) -> None:
    if path.exists() and path.resolve() == source.resolve():
        raise ValueError(f"The result would overwrite {str(source)!r}: choose another file with --output.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not force and _comment_of(path) != mark:
        raise ValueError(f"{str(path)!r} exists: choose another file, or replace it with --force.")


def _check_cutout(path: Path, mark: str, source: Path, *, force: bool) -> None:
    if path.suffix.lower() in CUTOUT_SUFFIXES:
        _check_file(path, mark, source, force=force)
    elif path.suffix:
        raise ValueError(f"A clip's cut-out is a {', '.join(CUTOUT_SUFFIXES)} or a folder, not {path.name!r}.")
    else:
        _check_folder(path, mark, source, force=force)


def _remove_beyond(folder: Path, frames: int) -> None:
    """Remove what an earlier, longer clip of that name left."""
    for path in folder.iterdir():
        if _NUMBERED.fullmatch(path.name) and int(path.stem) >= frames:
            path.unlink()


def _comment_of(path: Path) -> str:
    from vivid_assets.imaging.io.video.read import opened

    try:
        with opened(path) as container:
            return str(container.metadata.get("comment", container.metadata.get("COMMENT", "")))
    except (OSError, UnreadablePicture):
        return ""
