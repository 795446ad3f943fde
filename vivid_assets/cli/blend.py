"""``vivid blend``: put the subject of a picture, cut out by its mask, on another background."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vivid_assets.cli.console import console, say
from vivid_assets.cli.replace import Force, Shadow, ShadowOption

# The command imports what it needs itself, so that help is shown at once.
if TYPE_CHECKING:
    from vivid_assets.imaging.blend.composite import Blend


class Mode(StrEnum):
    """How the original background is removed from the edge."""

    decontaminate = "decontaminate"
    lab_deprojection = "lab-deprojection"
    alpha = "alpha"


def blend_command(
    image: Annotated[Path, typer.Option(help="The picture that shows the subject.", show_default=False)],
    mask: Annotated[
        Path,
        typer.Option(
            help="Its mask, white is subject: grey, coloured, of 16 bits, or a cut-out's alpha.", show_default=False
        ),
    ],
    background: Annotated[
        str,
        typer.Option(
            metavar="PICTURE|#RRGGBB|transparent",
            help="The new background: a picture, which is scaled to cover the image, a colour, or none.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="Where to write the composite: a .png, .jpg or .webp.", show_default=False)
    ],
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="decontaminate: estimate the subject's own colours. lab-deprojection: the published method. "
            "alpha: mix only. Default: from the settings.",
            show_default=False,
        ),
    ] = None,
    shadow: ShadowOption = None,
    cutout: Annotated[
        Path | None, typer.Option(help="Also write the subject alone: a .png or .webp with alpha.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Print figures about the edge, the alpha and the spill.")
    ] = False,
    force: Force = False,
) -> None:
    """Blend a masked subject with a new background.

    A PNG of 16 bits stays a PNG of 16 bits. Settings, the canvas too, come from the file that `VIVID_SETTINGS` names.
    The same command for the same image replaces its composite; any other existing file is kept unless `--force` is
    given.

    Example: `vivid blend --image shoe.jpg --mask shoe-mask.png --background beach.jpg --output out.png --report`
    """
    done, notes = blend_files(
        image, mask, background, output, mode=mode.value if mode else None, shadow=shadow, cutout=cutout, force=force
    )
    for note in notes:
        say(("note", "yellow"), f" {note}")
    if report:
        console.print(_report(done))
    say(f"wrote {output}")


def blend_files(
    image: Path,
    mask: Path,
    background: Path | str,
    output: Path,
    *,
    mode: str | None = None,
    shadow: Shadow | None = None,
    cutout: Path | None = None,
    force: bool = False,
) -> tuple["Blend", tuple[str, ...]]:
    """Blend three files into ``output``; returns the blend and notes on what was done.

    Raises:
        UnreadablePicture: a file cannot be read.
        ValueError: the mask has another size, the suffix cannot be written, or another file is in the way.
    """
    from resources.scenes.plain import TRANSPARENT, is_plain
    from vivid_assets.cli.results import FORMATS, WITH_ALPHA, Job, Result
    from vivid_assets.imaging.io.codec import decode
    from vivid_assets.imaging.io.read_mask import read_mask
    from vivid_assets.one_picture.api import read_settings
    from vivid_assets.one_picture.composites import blended, composite_file, cutout_file
    from vivid_assets.one_picture.scenes import own_background

    results = [Result("composite", output, WITH_ALPHA if background == TRANSPARENT else tuple(FORMATS))]
    if cutout:
        results.append(Result("cut-out", cutout, WITH_ALPHA))
    job = Job("blend", image, tuple(results))
    job.check([image, mask, *([] if is_plain(str(background)) else [Path(background)])], force=force)
    settings = read_settings(mode=mode, shadow=shadow and shadow.value)
    picture, scene, read = decode(image.read_bytes()), own_background(str(background)), read_mask(mask.read_bytes())
    kind = FORMATS[output.suffix.lower()]
    done, notes = blended(picture, read, scene, settings, deep=kind == "png")
    files = {"composite": composite_file(done, kind, picture, scene, settings, job.mark(results[0]))}
    if cutout:
        files["cut-out"] = cutout_file(done, FORMATS[cutout.suffix.lower()], picture, job.mark(results[1]))
    job.write(files, force=force)
    return done, notes


def _report(done: "Blend") -> Table:
    table = Table(box=None, show_header=False)
    for name, value in asdict(done.measures).items():
        table.add_row(name.replace("_", " "), "not measurable" if value is None else f"{value:.3f}")
    if done.evidence is not None:
        table.add_row("alpha", done.evidence.verdict)
        for name, value in asdict(done.evidence).items():
            table.add_row(f"alpha {name}", f"{value:.3f}")
    table.add_row("spill found", f"{done.spill.excess:.2f}")
    table.add_row("spill strength", f"{done.spill.strength:.2f}")
    return table
