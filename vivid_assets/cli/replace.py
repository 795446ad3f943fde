"""``vivid replace`` and ``vivid mask``: single pictures, one after the other, without a store."""

import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from resources.masks.tiers import LADDER
from resources.scenes.generators import AUTO, BACKDROP, GENERATORS, generator_names
from vivid_assets.cli.console import complain, console, say

# The commands import what they need themselves, so that help is shown at once.
if TYPE_CHECKING:
    from vivid_assets.cli.results import Job
    from vivid_assets.one_picture.masks import Masks, Solved

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE", help="Pictures, or folders of pictures.", show_default=False),
]
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
    if name is not None and name not in generator_names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, generator_names()))}.")
    return name


GeneratorOption = Annotated[
    str | None,
    typer.Option(
        metavar=f"<{'|'.join((AUTO, *GENERATORS.own, BACKDROP))}>",
        callback=_known_generator,
        help="How the background is made. Default: from the settings.",
        show_default=False,
    ),
]


class FitChoice(StrEnum):
    """What fills the canvas."""

    photograph = "photograph"
    subject = "subject"


def replace_command(
    images: Images,
    prompt: Annotated[str, typer.Option(help="The background, in words.", show_default=False)] = "",
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
    force: Force = False,
) -> None:
    """Replace the background of pictures. Writes a composite of each picture, and a cut-out beside it.

    Settings come from the file that `VIVID_SETTINGS` names. Without SDXL the background is a studio backdrop in the
    prompt's colours and light. The same command for the same picture replaces its results; any other existing file is
    kept unless `--force` is given.

    Examples: `vivid replace photo.jpg --prompt "marble kitchen counter, morning light"`,
    `vivid replace photos/ --background "#ffffff" --output white/`,
    `vivid replace shoe.jpg --background "#ffffff" --shadow none --canvas 2000x2000 --fit subject --padding 0.075`
    """
    if not prompt and not background:
        raise typer.BadParameter("give a background: --prompt or --background")
    if mask is not None and (len(images) > 1 or images[0].is_dir()):
        raise typer.BadParameter("--mask works with one picture only: name one picture, or omit --mask")

    from contextlib import ExitStack

    from resources.scenes.plain import TRANSPARENT, is_plain
    from vivid_assets.cli.results import FORMATS, WITH_ALPHA
    from vivid_assets.imaging.io.codec import decode
    from vivid_assets.imaging.io.read_mask import read_mask
    from vivid_assets.one_picture.api import read_settings
    from vivid_assets.one_picture.composites import composite_file, cutout_file, replaced
    from vivid_assets.one_picture.masks import Masks
    from vivid_assets.one_picture.scenes import Scenes, own_background

    reads = [mask] if mask else []
    if background and not is_plain(background):
        reads.append(Path(background))
    jobs = _jobs(
        "replace",
        images,
        {"composite": "-composite.png", "cut-out": "-cutout.png"},
        {"composite": WITH_ALPHA if background == TRANSPARENT else tuple(FORMATS), "cut-out": WITH_ALPHA},
        output,
    )
    settings = read_settings(
        shadow=shadow and shadow.value, canvas=canvas, fit=fit and fit.value, padding=padding, align=align
    )
    max_pixels = round(settings.prepared_images.max_megapixels * 1e6)
    with ExitStack() as leases:
        maker = Masks(settings, leases, _names(tiers))
        scenes = Scenes(
            settings,
            leases,
            prompt=prompt,
            own=own_background(background) if background else None,
            seed=seed,
            generator=generator,
        )
        if scenes.why and len(jobs) > 1:
            say((scenes.why, "dim"))
        given = read_mask(mask.read_bytes()) if mask else None

        def make(job: "Job") -> tuple["Solved", list[tuple[str, str]]]:
            composite, cutout = job.results
            format_ = FORMATS[composite.path.suffix.lower()]
            picture = decode(job.picture.read_bytes(), max_pixels=max_pixels)
            solved, scene, blended = replaced(picture, given, maker, scenes, settings, deep=format_ == "png")
            files = {
                composite.what: composite_file(blended, format_, picture, scene, settings, job.mark(composite)),
                cutout.what: cutout_file(blended, FORMATS[cutout.path.suffix.lower()], picture, job.mark(cutout)),
            }
            job.write(files, force=force)
            return solved, [
                ("background", scene.by),
                *([("reason", scenes.why)] if scenes.why else []),
                ("mask by", f"{solved.by} ({solved.mask.verdict})"),
                ("halo", _measured(blended.measures.halo, "{:+.1f} Lab units towards the original background's hue")),
                (
                    "leakage",
                    _measured(
                        blended.measures.leakage,
                        "{:.2f} (how much of the original background is left in the edge; 0 is clean)",
                    ),
                ),
                ("shadow", blended.shadow.kind),
                *(("note", note) for note in (*solved.notes, *scene.notes, *blended.notes)),
            ]

        _do(jobs, reads, make, maker, force=force, show=_as_rows)


def mask_command(
    images: Images,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write the mask: a .png, or a folder. Default: IMAGE-mask.png.", show_default=False),
    ] = None,
    tiers: Tiers = None,
    force: Force = False,
) -> None:
    """Find the subject of pictures. Writes a grey PNG of each picture's size, and prints the quality verdict.

    Settings come from the file that `VIVID_SETTINGS` names. The same command for the same picture replaces its mask. A
    mask that another program edited, and any other existing file, is kept unless `--force` is given.

    Examples: `vivid mask photo.jpg --tiers u2netp,gradients`, `vivid mask photos/ --output masks/`
    """
    from contextlib import ExitStack

    from vivid_assets.imaging.io.codec import decode
    from vivid_assets.imaging.io.mask_files import encode_mask
    from vivid_assets.one_picture.api import read_settings
    from vivid_assets.one_picture.masks import Masks

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


def _names(tiers: str | None) -> tuple[str, ...] | None:
    return None if tiers is None else tuple(name.strip() for name in tiers.split(","))


def _jobs(
    command: str,
    images: Sequence[Path],
    endings: dict[str, str],
    suffixes: dict[str, tuple[str, ...]],
    output: Path | None,
) -> list["Job"]:
    from vivid_assets.cli.results import find_pictures, place

    pictures, left_out = find_pictures(images)
    for sentence in left_out:
        complain((sentence, "yellow"))
    several = len(pictures) > 1 or any(path.is_dir() for path in images)
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
                solved, _ = make(job)
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
            f"{job.results[0].path}  mask by {solved.by} ({solved.mask.verdict})",
            (" check it" if doubtful else "", "yellow"),
            f"  {time.perf_counter() - started:.1f} s",
        )
    say(f"{len(jobs) - len(failed)} of {len(jobs)} pictures succeeded, {len(failed)} failed.")
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
