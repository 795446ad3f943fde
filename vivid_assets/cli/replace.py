"""``vivid replace`` and ``vivid mask``: single pictures, one after the other, or a clip, without a store."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from resources.masks.tiers import LADDER
from resources.scenes.generators import AUTO, BACKDROP, GENERATORS
from resources.spelling import counted
from vivid_assets.cli.console import complain, console, say
from vivid_assets.presets import presets

# The commands import what they need themselves, so that help is shown at once.
if TYPE_CHECKING:
    from vivid_assets.cli.results import Job
    from vivid_assets.imaging.io.codec import Picture
    from vivid_assets.one_picture.masks import Masks, Solved
    from vivid_assets.one_picture.renditions import Laid, Renditions
    from vivid_assets.settings import Rendition

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE", help="Pictures, folders of pictures, or one clip.", show_default=False),
]
AsClip = Annotated[bool, typer.Option("--clip", help="The folder, or the GIF, is one clip: its pictures are frames.")]
Tiers = Annotated[
    str | None,
    typer.Option(
        help=f"Mask tiers to try, in this order, separated by commas: {', '.join(LADDER)}. "
        "also rembg:NAME, birefnet:ORG/NAME@COMMIT and onnx:FILE. Default: from the settings.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]


class Shadow(StrEnum):
    """The shadow on the new background."""

    auto = "auto"
    keep = "keep"
    soft = "soft"
    none = "none"


ShadowOption = Annotated[
    Shadow | None,
    typer.Option(
        help="keep: the shadow that the subject casts on a plain original background. soft: a drawn contact shadow. "
        "auto: keep it where it is credible, otherwise soft in a scene. Default: from the settings.",
        show_default=False,
    ),
]


def _known_generator(name: str | None) -> str | None:
    if name is None:
        return None
    from vivid_assets.settings import generator_name

    try:
        return generator_name(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


GeneratorOption = Annotated[
    str | None,
    typer.Option(
        metavar=f"<{'|'.join((AUTO, *GENERATORS.own, BACKDROP))}>",
        callback=_known_generator,
        help="How the background is made. Default: from the settings.",
        show_default=False,
    ),
]


def _known_rendition(names: list[str] | None) -> list[str]:
    """The names as they are, if each is a preset's or one of the settings file's."""
    if not names:
        return []
    from vivid_assets.one_picture.api import read_settings

    settings = read_settings()
    for name in names:
        try:
            settings.rendition(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return names


class FitChoice(StrEnum):
    """What fills the canvas."""

    photograph = "photograph"
    subject = "subject"


def replace_command(
    images: Images,
    prompt: Annotated[str, typer.Option(help="The background, in words.", show_default=False)] = "",
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Start from a preset: {', '.join(presets())}. The options beside it take precedence.",
            show_default=False,
        ),
    ] = None,
    rendition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            callback=_known_rendition,
            help="A preset, or one of [renditions] in the settings. Several give several composites from one mask.",
            show_default=False,
        ),
    ] = None,
    background: Annotated[
        str,
        typer.Option(
            metavar="PICTURE|#RRGGBB|transparent",
            help="The background in place of a prompt: a picture, which is scaled to cover, a colour, or none.",
            show_default=False,
        ),
    ] = "",
    mask: Annotated[
        Path | None, typer.Option(help="Your own mask, white is subject, in place of the tiers.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the composite: a .png, .jpg or .webp, or a folder. Default: IMAGE-composite.png.",
            show_default=False,
        ),
    ] = None,
    generator: GeneratorOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same background.")] = 42,
    shadow: ShadowOption = None,
    canvas: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Size of the composite in pixels. Default: the picture's own.",
            show_default=False,
        ),
    ] = None,
    fit: Annotated[
        FitChoice | None,
        typer.Option(
            help="What fills the canvas less its padding: the whole photograph, or the subject alone.",
            show_default=False,
        ),
    ] = None,
    padding: Annotated[
        float | None,
        typer.Option(help="Room on every side of the canvas: a share below 1, else pixels.", show_default=False),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Where it stands in the room that is left: center, bottom, top-left and so on. Default: from the "
            "settings.",
            show_default=False,
        ),
    ] = None,
    tiers: Tiers = None,
    cutout: Annotated[
        Path | None,
        typer.Option(
            help="Of a clip, where to write the cut-out: a .mov (ProRes 4444), a .webm (VP9), or a folder of PNGs.",
            show_default=False,
        ),
    ] = None,
    as_clip: AsClip = False,
    force: Force = False,
) -> None:
    """Replace the background of pictures or of a clip. Writes a composite of each picture, and a cut-out beside it.

    With a transparent background the composite is the cut-out, and is written once.

    A clip (MP4, MOV, WebM, MKV) has one background, masks that do not flicker, and becomes a clip; the cut-out is
    written where `--cutout` is given.

    With `--rendition` it writes IMAGE-NAME for each, such as `shoe-story.jpg`, and no cut-out. Settings come from the
    file that `VIVID_SETTINGS` names. Without SDXL the background is a studio backdrop in the prompt's colours and
    light. The same command for the same picture replaces its results; any other existing file is kept unless `--force`
    is given.

    Examples: `vivid replace photo.jpg --prompt "marble kitchen counter, morning light"`,
    `vivid replace photos/ --preset amazon-main --output white/`,
    `vivid replace shoe.jpg --rendition amazon-main --rendition story --prompt "sand"`
    """
    clip = _clip_of(images, as_clip=as_clip)
    if clip is not None and (mask is not None or rendition):
        raise typer.BadParameter("--mask and --rendition are for pictures: a clip's masks are found, for one composite")
    if clip is None and cutout is not None:
        raise typer.BadParameter("--cutout is for clips: a picture's cut-out is written beside its composite")
    if mask is not None and (len(images) > 1 or images[0].is_dir()):
        raise typer.BadParameter("--mask works with one picture only: name one picture, or omit --mask")
    if preset and rendition:
        raise typer.BadParameter("--preset is for one composite: name the preset with --rendition beside the others")

    from contextlib import ExitStack

    from resources.scenes.plain import is_plain
    from vivid_assets.imaging.io.codec import decode
    from vivid_assets.imaging.io.read_mask import read_mask
    from vivid_assets.one_picture.api import read_settings
    from vivid_assets.one_picture.masks import Masks
    from vivid_assets.one_picture.renditions import Renditions
    from vivid_assets.one_picture.scenes import own_background

    settings = read_settings()
    laid_out = (shadow and shadow.value, canvas, fit and fit.value, padding, align)
    names = ("shadow", "canvas", "fit", "padding", "align")
    chosen: dict[str, Any] = {name: value for name, value in zip(names, laid_out, strict=True) if value is not None}
    if rendition:
        wanted = [(name, settings.rendition(name)) for name in rendition]
        settings = read_settings({"composites": chosen})
    else:
        wanted = [("", one_rendition(preset, prompt, background, chosen))]
    _check_backgrounds(wanted, prompt, background)
    if clip is not None:
        from vivid_assets.cli.clips import replace_clip

        (_, laid), asked = wanted[0], _names(tiers)
        replace_clip(clip, output, cutout, settings, laid, asked, seed=seed, generator=generator, force=force)
        return
    with ExitStack() as leases:
        maker = Masks(settings, leases, _names(tiers))
        renditions = Renditions(
            settings,
            leases,
            wanted,
            prompt=prompt,
            # The only one has it itself.
            own=own_background(background) if background and rendition else None,
            seed=seed,
            generator=generator,
        )
        reads = [mask] if mask else []
        reads += [Path(background)] if background and not is_plain(background) else []
        jobs = _renditions_jobs(images, renditions, output)
        if renditions.why and len(jobs) > 1:
            say((renditions.why, "dim"))
        given = read_mask(mask.read_bytes()) if mask else None
        max_pixels = round(settings.prepared_images.max_megapixels * 1e6)

        def make(job: "Job") -> tuple["Solved", list[tuple[str, str]]]:
            picture = decode(job.picture.read_bytes(), max_pixels=max_pixels)
            solved = maker.solve(picture, given)
            rows = [*([("reason", renditions.why)] if renditions.why else [])]
            rows += [("mask by", f"{solved.by} ({solved.mask.verdict})")]
            files: dict[str, bytes] = {}
            png = {result.what for result in job.results if result.path.suffix.lower() == ".png"}
            deep = {name for name in renditions.settings if (name or "composite") in png}
            for laid in renditions.of(solved, deep=deep):
                files |= _files(job, laid, picture, renditions)
                rows += _figures(laid)
            job.write(files, force=force)
            return solved, [*rows, *(("note", note) for note in solved.notes)]

        _do(jobs, reads, make, maker, force=force, show=_as_rows)


def one_rendition(preset: str | None, prompt: str, background: str, chosen: Mapping[str, Any]) -> "Rendition":
    """What the options ask for, as one rendition. Raises ValueError naming a bad entry."""
    from pydantic import ValidationError

    from vivid_assets.settings import Rendition, said

    words = {"background": background} if background else {"prompt": prompt} if prompt else {}
    try:
        return Rendition(**{"preset": preset or "", **words, **chosen})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(": ".join(filter(None, (".".join(map(str, first["loc"])), said(first))))) from error


def _check_backgrounds(wanted: Sequence[tuple[str, "Rendition"]], prompt: str, background: str) -> None:
    for name, rendition in wanted:
        if not (prompt or background or rendition.entries.get("prompt") or rendition.entries.get("background")):
            raise typer.BadParameter(f"give a background{f' for {name}' if name else ''}: --prompt or --background")


def _renditions_jobs(images: Sequence[Path], renditions: "Renditions", output: Path | None) -> list["Job"]:
    """A job a picture, whose results are its renditions, or its composite and its cut-out."""
    from vivid_assets.cli.results import FORMATS, WITH_ALPHA
    from vivid_assets.imaging.io.codec import SUFFIXES

    endings: dict[str, str] = {}
    suffixes: dict[str, tuple[str, ...]] = {}
    for name, format_ in renditions.formats().items():
        what = name or "composite"
        endings[what] = f"-{what}{SUFFIXES[format_]}"
        suffixes[what] = WITH_ALPHA if renditions.is_transparent(name) else tuple(FORMATS)
    # A composite without a background is the cut-out.
    if "" in renditions.settings and not renditions.is_transparent(""):
        endings["cut-out"], suffixes["cut-out"] = "-cutout.png", WITH_ALPHA
    return _jobs("replace", images, endings, suffixes, output, to_folder=len(renditions.settings) > 1)


def _files(job: "Job", laid: "Laid", picture: "Picture", renditions: "Renditions") -> dict[str, bytes]:
    """The files of one composite: of the only one its cut-out too."""
    from vivid_assets.cli.results import FORMATS
    from vivid_assets.one_picture.composites import composite_file, cutout_file

    results = {result.what: result for result in job.results}
    result, settings = results[laid.rendition or "composite"], renditions.settings[laid.rendition]
    format_ = FORMATS[result.path.suffix.lower()]
    files = {result.what: composite_file(laid.done, format_, picture, laid.scene, settings, job.mark(result))}
    if not laid.rendition and (cutout := results.get("cut-out")):
        kind = FORMATS[cutout.path.suffix.lower()]
        files[cutout.what] = cutout_file(laid.done, kind, picture, job.mark(cutout))
    return files


def _figures(laid: "Laid") -> list[tuple[str, str]]:
    """What is said of a composite."""
    of = f" of {laid.rendition}" if laid.rendition else ""
    measures = laid.done.measures
    rows = [(f"background{of}", laid.scene.by), (f"shadow{of}", laid.done.shadow.kind)]
    if not laid.rendition:
        rows += [
            ("halo", _measured(measures.halo, "{:+.1f} Lab units towards the original background's hue")),
            (
                "leakage",
                _measured(
                    measures.leakage, "{:.2f} (how much of the original background is left in the edge; 0 is clean)"
                ),
            ),
        ]
    return [*rows, *((f"note{of}", note) for note in laid.notes)]


def mask_command(
    images: Images,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write the mask: a .png, or a folder. Default: IMAGE-mask.png.", show_default=False),
    ] = None,
    tiers: Tiers = None,
    as_clip: AsClip = False,
    force: Force = False,
) -> None:
    """Find the subject of pictures or of a clip. Writes a grey PNG of each picture's size, and prints the verdict.

    A clip's masks do not flicker: they are 000000.png, 000001.png and so on, one a frame, in the folder `--output`.

    Settings come from the file that `VIVID_SETTINGS` names. The same command for the same picture replaces its mask. A
    mask that another program edited, and any other existing file, is kept unless `--force` is given.

    Examples: `vivid mask photo.jpg --tiers u2netp,gradients`, `vivid mask photos/ --output masks/`,
    `vivid mask clip.mp4 --output masks/`
    """
    from contextlib import ExitStack

    from vivid_assets.imaging.io.codec import decode
    from vivid_assets.imaging.io.mask_files import encode_mask
    from vivid_assets.one_picture.api import read_settings
    from vivid_assets.one_picture.masks import Masks

    clip = _clip_of(images, as_clip=as_clip)
    if clip is not None:
        from vivid_assets.cli.clips import mask_clip

        mask_clip(clip, output, read_settings(), _names(tiers), force=force)
        return
    jobs = _jobs("mask", images, {"mask": "-mask.png"}, {"mask": (".png",)}, output)
    settings = read_settings()
    max_pixels = round(settings.prepared_images.max_megapixels * 1e6)
    with ExitStack() as leases:
        maker = Masks(settings, leases, _names(tiers))

        def make(job: "Job") -> tuple["Solved", list[tuple[str, str]]]:
            solved = maker.solve(decode(job.picture.read_bytes(), max_pixels=max_pixels))
            (result,) = job.results
            job.write({result.what: encode_mask(solved.full_size, provenance=job.mark(result))}, force=force)
            return solved, [("note", note) for note in solved.notes]

        _do(jobs, [], make, maker, force=force, show=_as_tries)


def _clip_of(images: list[Path], *, as_clip: bool) -> Path | None:
    from vivid_assets.cli.clips import clip_of

    try:
        return clip_of(images, as_clip=as_clip)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _names(tiers: str | None) -> tuple[str, ...] | None:
    return None if tiers is None else tuple(name.strip() for name in tiers.split(","))


def _jobs(
    command: str,
    images: Sequence[Path],
    endings: dict[str, str],
    suffixes: dict[str, tuple[str, ...]],
    output: Path | None,
    *,
    to_folder: bool = False,
) -> list["Job"]:
    from vivid_assets.cli.results import find_pictures, place

    pictures, left_out = find_pictures(images)
    for sentence in left_out:
        complain((sentence, "yellow"))
    several = to_folder or len(pictures) > 1 or any(path.is_dir() for path in images)
    return place(command, pictures, endings, suffixes, output=output, to_folder=several)


def _do(
    jobs: Sequence["Job"],
    reads: Iterable[Path],
    make: Callable[["Job"], tuple["Solved", list[tuple[str, str]]]],
    maker: "Masks",
    *,
    force: bool,
    show: Callable[["Job", "Solved", list[tuple[str, str]]], None],
) -> None:
    """Make each job's results. A single job raises its error; among several a failure does not stop the others.

    All destinations are checked before the first picture. An infrastructure error stops them all.
    """
    from vivid_assets.rows.failures import picture_failure

    everything = [*reads, *(job.picture for job in jobs)]
    if len(jobs) == 1:
        (job,) = jobs
        job.check(everything, force=force)
        solved, rows = make(job)
        _warn(maker.note, solved.mask.degraded, printed=set())
        show(job, solved, rows)
        return
    failed: dict[Path, str] = {}
    for job in jobs:
        try:
            job.check(everything, force=force)
        except (ValueError, OSError) as error:
            failed[job.picture] = str(error)
    printed: set[str] = set()
    for number, job in enumerate(jobs, start=1):
        started = time.perf_counter()
        if job.picture not in failed:
            try:
                solved, rows = make(job)
            except Exception as error:
                failure = picture_failure(error)
                if failure is None:
                    raise
                failed[job.picture] = str(failure)
        count = f"{number}/{len(jobs)} "
        if job.picture in failed:
            complain(count, ("✗ ", "red"), f"{job.picture}: {failed[job.picture]}")
            continue
        _warn(maker.note, solved.mask.degraded, printed=printed)
        doubtful = solved.mask.verdict not in ("good", "agreed", "override", "source_alpha")
        say(
            count,
            ("✓ ", "green"),
            f"{', '.join(str(result.path) for result in job.results)}  mask by {solved.by} ({solved.mask.verdict})",
            (" check it" if doubtful else "", "yellow"),
            f"  {time.perf_counter() - started:.1f} s",
        )
        for name, value in rows:
            if name.startswith("note"):
                say((f"    {name}: {value}", "yellow"))
    say(f"{len(jobs) - len(failed)} of {counted(len(jobs), 'picture')} succeeded, {len(failed)} failed.")
    if failed:
        raise typer.Exit(1)


def _warn(*messages: str | None, printed: set[str]) -> None:
    """Print which mask tiers are missing or broke; each message once per command."""
    for message in messages:
        if message and message not in printed:
            printed.add(message)
            complain((message, "yellow"))


def _measured(figure: float | None, sentence: str) -> str:
    return "not measurable" if figure is None else sentence.format(figure)


def _as_rows(job: "Job", _solved: "Solved", rows: list[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False)
    for result in job.results:
        table.add_row(result.what, str(result.path))
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)


def _as_tries(job: "Job", solved: "Solved", rows: list[tuple[str, str]]) -> None:
    table = Table("tier", "verdict", "reason", "seconds", box=None, header_style="bold")
    for tried in solved.mask.tried:
        table.add_row(tried.tier, tried.verdict, tried.reason, f"{tried.seconds:.2f}")
    console.print(table)
    for name, value in rows:
        say(f"{name}: {value}")
    say(f"Mask: {job.results[0].path}")
