"""``vivid blend``: put the subject of one picture, cut out by a mask, before another picture."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from vivid_assets.cli.console import console, say
from vivid_assets.imaging.codec import Format, decode, encode
from vivid_assets.imaging.compositing import Blend, blend
from vivid_assets.imaging.mask_input import read_mask


class Mode(StrEnum):
    """How the old background is taken out of the edge."""

    unmix = "unmix"
    article = "article"
    alpha = "alpha"


def blend_command(
    image: Annotated[Path, typer.Option(help="The picture with the subject.", show_default=False)],
    mask: Annotated[
        Path,
        typer.Option(
            help="Its mask: white is subject. Grey, colour, 16 bits or a cut-out's alpha.", show_default=False
        ),
    ],
    background: Annotated[Path, typer.Option(help="The new background, of the same size.", show_default=False)],
    output: Annotated[Path, typer.Option(help="The composite: .png, .jpg or .webp by its name.", show_default=False)],
    mode: Annotated[
        Mode,
        typer.Option(help="unmix: estimate the subject's own colours. article: Lab deprojection. alpha: mix only."),
    ] = Mode.unmix,
    cutout: Annotated[Path | None, typer.Option(help="Also write the subject alone, a PNG or WebP with alpha.")] = None,
    report: Annotated[bool, typer.Option("--report", help="Print the blend's measures.")] = False,
) -> None:
    """Blend a masked subject into a new background.

    A PNG of 16 bits stays one when image and background both have them.

    Example: `vivid blend --image shoe.jpg --mask shoe-mask.png --background beach.jpg --output out.png --report`
    """
    done, notes = blend_files(image, mask, background, output, mode=mode.value, cutout=cutout)
    for note in notes:
        say(("note", "yellow"), f" {note}")
    if report:
        console.print(_report(done))
    say(f"wrote {output}")


def blend_files(
    image: Path, mask: Path, background: Path, output: Path, *, mode: str = "unmix", cutout: Path | None = None
) -> tuple[Blend, tuple[str, ...]]:
    """Blend three files into ``output``; returns the blend and what was noticed on the way.

    Raises UnreadablePicture for a file that cannot be read and ValueError for sizes that differ or a suffix that
    cannot be written.
    """
    kind, cut_kind = _format(output), _format(cutout) if cutout else "png"
    if cut_kind == "jpeg":
        raise ValueError(f"A cut-out has an alpha channel, which JPEG cannot hold: name {cutout} .png or .webp.")
    subject, scene = decode(image.read_bytes()), decode(background.read_bytes())
    alpha, mask_notes = read_mask(mask.read_bytes())
    deep = subject.rgb16 is not None and scene.rgb16 is not None and kind == "png"
    front, behind = (subject.rgb16, scene.rgb16) if deep else (subject.rgb, scene.rgb)
    assert front is not None and behind is not None
    done = blend(front, alpha, behind, mode=mode)  # type: ignore[arg-type]
    for path in filter(None, (output, cutout)):
        path.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(encode(done.composite, format=kind, source_type="composite"))
    if cutout:
        cutout.write_bytes(encode(np.ascontiguousarray(done.foreground), format=cut_kind, alpha=done.alpha))
    return done, (*subject.notes, *mask_notes)


def _format(path: Path) -> Format:
    suffix = path.suffix.lower().lstrip(".")
    formats: dict[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
    if suffix not in formats:
        raise ValueError(f"{path} is not a .png, .jpg or .webp, which is what can be written.")
    return formats[suffix]


def _report(done: Blend) -> Table:
    table = Table(box=None, show_header=False)
    for name, value in asdict(done.measures).items():
        table.add_row(name.replace("_", " "), f"{value:.3f}")
    if done.evidence is not None:
        table.add_row("alpha", done.evidence.verdict)
        for name, value in asdict(done.evidence).items():
            table.add_row(f"alpha {name}", f"{value:.3f}")
    table.add_row("spill found", f"{done.spill.excess:.2f}")
    table.add_row("spill strength", f"{done.spill.strength:.2f}")
    return table
