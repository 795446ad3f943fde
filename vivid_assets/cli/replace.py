"""``vivid replace`` and ``vivid mask``: one picture, without any Dagster instance."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from resources.birefnet import BiRefNet
from vivid_assets.assets.prepared_images import over_white
from vivid_assets.imaging.alpha import upsample_alpha
from vivid_assets.imaging.backdrop import read_prompt, render
from vivid_assets.imaging.codec import Format, Picture, decode, encode, resize_to_fit
from vivid_assets.imaging.given import visible_part
from vivid_assets.imaging.light import measure_light
from vivid_assets.imaging.mask_files import encode_mask
from vivid_assets.imaging.mask_input import read_mask
from vivid_assets.imaging.matte import GIVEN, Alpha
from vivid_assets.imaging.native import blend_native
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.mask import Mask, MaskRequest
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.settings import MasksSettings

console = Console()
errors = Console(stderr=True)

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
    given = _given(picture, mask)
    solved = _solve(picture, given, tiers)
    height, width = picture.rgb.shape[:2]
    if background is not None:
        scene, made_by = decode(background.read_bytes()).rgb, str(background)
    else:
        look = read_prompt(prompt)
        scene = render(look, height, width, seed=seed, temperature=measure_light(_opaque(picture)).temperature)
        made_by = "studio backdrop" + (f"; not shown: {', '.join(look.unused_words)}" if look.unused_words else "")
    from_source = solved.origin == "own"
    blended = blend_native(
        picture.rgb,
        given if given is not None and solved.origin in GIVEN else Alpha(solved.alpha, solved.origin),
        scene,
        visible=None if picture.alpha is None else visible_part(picture.alpha),
        mode="alpha" if from_source else "unmix",
    )

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
    if solved.review and not solved.degraded:
        table.add_row("look at it", solved.reason)
    for note in solved.notes:
        table.add_row("note", note)
    halo, leakage = blended.measures.halo, blended.measures.leakage
    table.add_row("halo", "not measurable" if halo is None else f"{halo:+.1f} Lab units towards the old wall's hue")
    table.add_row(
        "leakage",
        "not measurable" if leakage is None else f"{leakage:.2f} of the old wall in the edge (1: not un-mixed)",
    )
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
    solved = _solve(picture, _given(picture, None), tiers)
    target = output or image.with_name(f"{image.stem}-mask.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    if solved.origin == "own" and picture.alpha is not None:
        large = picture.alpha
    else:
        large = upsample_alpha(solved.alpha, picture.rgb)
        large = large if picture.alpha is None else large * visible_part(picture.alpha)
    target.write_bytes(encode_mask(large))
    table = Table("tier", "verdict", "reason", "seconds", box=None, header_style="bold")
    for tried in solved.tried:
        table.add_row(tried.tier, tried.verdict, tried.reason, f"{tried.seconds:.2f}")
    console.print(table)
    console.print(f"Mask: {target}", highlight=False, soft_wrap=True)


def _solve(picture: Picture, override: Alpha | None, tiers: str) -> Mask:
    """The mask at the models' size: the user's, the source's own, or the ladder's."""
    small = resize_to_fit(_opaque(picture))
    names = MasksSettings.model_validate({"tiers": [name.strip() for name in tiers.split(",")]}).tiers
    birefnet = BiRefNet()
    with birefnet.lease() as leased:
        (solved,) = Ladder(make_tiers(names, leased, birefnet.missing())).masks(
            [small], [MaskRequest(override=override)]
        )
    if solved.degraded:
        errors.print(f"[yellow]{solved.degraded}[/yellow]", highlight=False, soft_wrap=True)
    return solved


def _given(picture: Picture, path: Path | None) -> Alpha | None:
    """The user's mask at its own size, or the source's own transparency."""
    if path is not None:
        return read_mask(path.read_bytes())
    return None if picture.alpha is None else Alpha(picture.alpha, "own")


def _opaque(picture: Picture) -> np.ndarray:
    return picture.rgb if picture.alpha is None else over_white(picture.rgb, picture.alpha)


def _format(path: Path) -> Format:
    suffix = path.suffix.lower().removeprefix(".")
    known: dict[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
    if suffix not in known:
        raise typer.BadParameter(f"{path} does not end in .png, .jpg or .webp")
    return known[suffix]
