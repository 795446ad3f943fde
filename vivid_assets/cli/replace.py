"""``vivid replace`` and ``vivid mask``: one picture, without any Dagster instance."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from resources.birefnet import BiRefNet
from vivid_assets.assets.prepared_images import over_white
from vivid_assets.cli.console import complain, console, say
from vivid_assets.imaging.alpha import upsample_alpha
from vivid_assets.imaging.backdrop import read_prompt, render
from vivid_assets.imaging.codec import Format, Picture, decode, encode, resize_to_fit
from vivid_assets.imaging.light import measure_light
from vivid_assets.imaging.mask_files import encode_mask
from vivid_assets.imaging.native import blend_native
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.mask import Mask, MaskRequest
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.settings import MasksSettings

Image = Annotated[Path, typer.Argument(help="JPEG, PNG, WebP, TIFF, GIF, BMP or AVIF.", show_default=False)]
Tiers = Annotated[
    str, typer.Option(help="Mask tiers in the order in which they are asked: birefnet, u2net, u2netp, gradients.")
]
_DEFAULT_TIERS = "birefnet,u2net,u2netp,gradients"


def replace_command(
    image: Image,
    prompt: Annotated[str, typer.Option(help="The background, in your words.", show_default=False)] = "",
    background: Annotated[
        Path | None, typer.Option(help="A picture to use as the background instead.", show_default=False)
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Your own mask: white is subject; no tier is asked.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The composite; IMAGE-composite.png without it.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same background.")] = 42,
    tiers: Tiers = _DEFAULT_TIERS,
) -> None:
    """Replace one picture's background; writes the composite and the cut-out beside it.

    Without a GPU the background is a studio backdrop with the prompt's colours and light.

    Example: `vivid replace photo.jpg --prompt "marble kitchen counter, morning light"`
    """
    if not prompt and background is None:
        raise typer.BadParameter("say which background: --prompt or --background")
    picture = decode(image.read_bytes())
    solved = _solve(picture, _read_mask(mask), tiers)
    height, width = picture.rgb.shape[:2]
    if background is not None:
        scene, made_by = decode(background.read_bytes()).rgb, str(background)
    else:
        look = read_prompt(prompt)
        scene = render(look, height, width, seed=seed, temperature=measure_light(_opaque(picture)).temperature)
        made_by = "studio backdrop" + (f"; not shown: {', '.join(look.unused_words)}" if look.unused_words else "")
    from_source = solved.tier == "override" and mask is None
    blended = blend_native(picture.rgb, solved.alpha, scene, mode="alpha" if from_source else "unmix")

    composite = output or image.with_name(f"{image.stem}-composite.png")
    cutout = composite.with_name(f"{composite.stem.removesuffix('-composite')}-cutout.png")
    composite.parent.mkdir(parents=True, exist_ok=True)
    composite.write_bytes(encode(blended.composite, format=_format(composite), source_type="composite"))
    cutout.write_bytes(encode(blended.foreground, alpha=blended.alpha))

    table = Table(box=None, show_header=False)
    table.add_row("composite", str(composite))
    table.add_row("cut-out", str(cutout))
    table.add_row("background", made_by)
    table.add_row("mask by", f"{'the source itself' if from_source else solved.tier} ({solved.verdict})")
    table.add_row("halo", f"{blended.measures.halo:+.1f} Lab units towards the old wall's hue")
    table.add_row("leakage", f"{blended.measures.leakage:.2f} of the old wall in the edge (1: not un-mixed)")
    console.print(table)


def mask_command(
    image: Image,
    output: Annotated[
        Path | None, typer.Option(help="The mask; IMAGE-mask.png without it.", show_default=False)
    ] = None,
    tiers: Tiers = _DEFAULT_TIERS,
) -> None:
    """Find one picture's subject; writes a grey PNG of the picture's size, and says how good the mask is.

    Example: `vivid mask photo.jpg --tiers u2netp,gradients`
    """
    picture = decode(image.read_bytes())
    solved = _solve(picture, None, tiers)
    target = output or image.with_name(f"{image.stem}-mask.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode_mask(upsample_alpha(solved.alpha, picture.rgb)))
    table = Table("tier", "verdict", "reason", "seconds", box=None, header_style="bold")
    for tried in solved.tried:
        table.add_row(tried.tier, tried.verdict, tried.reason, f"{tried.seconds:.2f}")
    console.print(table)
    say(f"Mask: {target}")


def _solve(picture: Picture, mask: np.ndarray | None, tiers: str) -> Mask:
    """The mask at the models' size: the user's, the source's own, or the ladder's."""
    small = resize_to_fit(_opaque(picture))
    override = mask if mask is not None else picture.alpha
    names = MasksSettings.model_validate({"tiers": [name.strip() for name in tiers.split(",")]}).tiers
    birefnet = BiRefNet()
    with birefnet.lease() as leased:
        ladder = Ladder(make_tiers(names, leased, birefnet.missing()))
        (solved,) = ladder.masks([small], [MaskRequest(override=override)])
    if override is None and ladder.note:
        errors.print(ladder.note, style="dim", markup=False, highlight=False, soft_wrap=True)
    if solved.degraded:
        complain((solved.degraded, "yellow"))
    return solved


def _read_mask(path: Path | None) -> np.ndarray | None:
    if path is None:
        return None
    picture = decode(path.read_bytes())
    return picture.rgb if picture.alpha is None else picture.alpha


def _opaque(picture: Picture) -> np.ndarray:
    return picture.rgb if picture.alpha is None else over_white(picture.rgb, picture.alpha)


def _format(path: Path) -> Format:
    suffix = path.suffix.lower().removeprefix(".")
    known: dict[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
    if suffix not in known:
        raise typer.BadParameter(f"{path} does not end in .png, .jpg or .webp")
    return known[suffix]
