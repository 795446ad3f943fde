"""Composites and cut-outs of single pictures, and their files.

What the commands and the public functions return comes from here, so that both return the same.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.composite import Blend, compose
from vivid_assets.imaging.blend.cutout import emptied
from vivid_assets.imaging.blend.separate import CutOut, separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.codec import Format, Picture, SourceType, color_of, encode
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.imaging.matte.quality import OVERRIDE, Thresholds, judge_given, measure
from vivid_assets.one_picture.masks import Masks, Solved
from vivid_assets.one_picture.scenes import Scene, Scenes
from vivid_assets.settings import Settings


def replaced(
    picture: Picture, given: Alpha | None, masks: Masks, scenes: Scenes, settings: Settings, *, deep: bool
) -> tuple[Solved, Scene, Blend]:
    """A picture's mask, its new background, and the picture before it.

    Args:
        picture: the source.
        given: its mask, where a person has one.
        masks: what finds the mask else.
        scenes: what makes the background.
        settings: how to blend.
        deep: whether to keep 16 bits of a picture that has them.

    Raises:
        ValueError: the mask does not fit, or no tier can answer.
        MachineFault: no picture can be processed.
    """
    solved = masks.solve(picture, given)
    scene = scenes.scene(solved)
    return solved, scene, laid_over(cut_out(solved, settings, deep=deep), scene, settings)


def cut_out(solved: Solved, settings: Settings, *, deep: bool) -> CutOut:
    """The subject off its picture; in 16 bits where ``deep`` and the picture has them."""
    wanted = settings.composites
    # A source with transparency holds pure foreground colour: there is no original background to take out.
    mode = "alpha" if solved.from_source else wanted.mode
    picture = solved.picture
    front: NDArray[Any] = picture.rgb if solved.from_source else opaque(picture)
    if deep and picture.rgb16 is not None and (solved.from_source or picture.alpha is None):
        front = picture.rgb16
    options = replace(wanted.blend, mode=mode).for_alpha(solved.alpha.origin)
    return separate(front, solved.alpha, options, visible=solved.visible)


def laid_over(cut: CutOut, scene: Scene, settings: Settings) -> Blend:
    """The subject before the scene, which is made to cover its canvas."""
    wanted = settings.composites
    behind: NDArray[Any] | None = scene.rgb
    if scene.rgb16 is not None and cut.image.dtype == np.uint16:
        behind = scene.rgb16
    return compose(cut, behind, shadow=wanted.shadow, floor=scene.floor, placement=wanted.placement)


def blended(
    picture: Picture, mask: Alpha, scene: Scene, settings: Settings, *, deep: bool
) -> tuple[Blend, tuple[str, ...]]:
    """A picture that its mask cuts out, before the scene, which is made to cover it; and notes on all three.

    Raises:
        ValueError: the mask has another size than the picture.
    """
    alpha = mask.values
    height, width = picture.rgb.shape[:2]
    if alpha.shape != (height, width):
        raise ValueError(f"image {width}x{height}, mask {alpha.shape[1]}x{alpha.shape[0]}: a mask has the image's size")
    verdict = judge_given(measure(alpha), Thresholds(), OVERRIDE, "the mask")
    notes = (*picture.notes, *mask.notes, *(() if verdict.accepted else (verdict.reason,)), *scene.notes)
    front: NDArray[Any] = opaque(picture)
    if picture.alpha is not None:
        alpha = alpha * shown_alpha(picture.alpha)
        notes += ("the image is transparent in parts, which stay so",)
    elif deep and picture.rgb16 is not None:
        front = picture.rgb16
    done = laid_over(separate(front, Alpha(alpha, "person"), settings.composites.blend), scene, settings)
    return done, (*notes, *done.notes)


def composite_file(
    done: Blend, format_: Format, picture: Picture, scene: Scene, settings: Settings, mark: str
) -> bytes:
    """The composite as a file, with its provenance and the source's rights."""
    source: SourceType = "compositeWithTrainedAlgorithmicMedia" if scene.is_generated else "composite"
    quality = None if format_ == "png" else settings.composites.quality
    return encode(
        done.composite,
        format=format_,
        alpha=done.opacity,
        quality=quality,
        source_type=source,
        provenance=mark,
        carried=picture.carried,
        exact=color_of(scene.rgb),
    )


def cutout_file(done: Blend, format_: Format, picture: Picture, mark: str) -> bytes:
    """The subject alone, with its alpha, and nothing of the room that it was taken from."""
    colors = emptied(done.foreground, done.alpha)
    return encode(colors, format=format_, alpha=done.alpha, provenance=mark, carried=picture.carried)
