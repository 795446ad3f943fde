"""Put a cut-out subject before a new background, without the old one's colour at its edge.

Everything is mixed in linear light, where light adds up. Three modes:

``unmix``    the default: alpha is corrected where the photograph contradicts it, foreground and old background are
             taken apart at every soft pixel, and reflected spill is taken off the rim;
``article``  the published method: Lab chroma deprojection of edge pixels that look like the old wall;
``alpha``    plain gamma-correct alpha compositing, for masks that come with clean colours.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.cast_shadow import Choice, Shadow, choose_shadow, shaded
from vivid_assets.imaging.blend.despill import Spill, suppress_spill
from vivid_assets.imaging.blend.foreground import Colors, unmix
from vivid_assets.imaging.blend.known_plate import KnownPlate, known_colors, solve_known_plate
from vivid_assets.imaging.blend.lab_deprojection import Falloff, deproject_lab
from vivid_assets.imaging.blend.measures import Measures, measure, wall_color
from vivid_assets.imaging.blend.refine_alpha import Evidence
from vivid_assets.imaging.blend.solve import REFERENCE, Place, answer_at_its_size, around, place, solve
from vivid_assets.imaging.core.alpha import Origin
from vivid_assets.imaging.core.color import (
    encode_deep,
    encode_one,
    encoding_tables,
    lab_to_linear,
    linear_to_lab,
    srgb_to_linear,
)
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole

Array = NDArray[Any]
Mode = Literal["unmix", "article", "alpha"]

_FADE_IN = np.float32(32)  # a pixel all but empty is the new background, as an empty one is
_NO_WALL = np.float32(100.0)  # a light that no new wall is like
_SAME_WALL = np.float32(0.1)  # difference of roots of light up to which the new wall counts as the old one


@dataclass(frozen=True)
class Blend:
    """A finished composite and what it was made of; all of the source's size."""

    composite: Array  # HxWx3 sRGB, uint8 or uint16 as the source
    foreground: Array  # HxWx3 sRGB, straight (not multiplied by alpha): with alpha, the cut-out
    alpha: Array  # HxW float32, 0..1, as used
    measures: Measures
    evidence: Evidence | None  # what the photograph said about the alpha; None where it was not asked
    spill: Spill
    shadow: Shadow  # what was laid over the new background
    known: KnownPlate | None  # what the photograph knows of its plate and shadow; None where its background is busy

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be seen in the photograph, and why the shadow is not the one that could be expected."""
        return tuple(note for note in (self.known.note if self.known else "", self.shadow.note) if note)

    @property
    def alpha_verdict(self) -> str | None:
        """What the photograph said about the alpha: ``plate`` where it knows it from its plain background."""
        if self.known is not None and self.known.alpha is not None:
            return "plate"
        return self.evidence.verdict if self.evidence else None


class Options(TypedDict, total=False):
    """What ``blend`` takes beside its arrays; ``blend_any`` has the defaults."""

    mode: Mode
    refine: bool
    spill: bool
    spill_reach: float | None
    spill_strength: float
    strength: float
    limit: float
    falloff: Falloff
    shadow: Choice
    noise: float | None
    threads: int | None


def blend(image: Array, alpha: Array, background: Array, **options: Unpack[Options]) -> Blend:
    """Composite the subject of ``image`` over ``background``.

    ``image`` and ``background`` are HxWx3 sRGB, both uint8 or both uint16; ``alpha`` is float HxW, 0..1.
    ``refine`` lets the photograph correct alpha and ``spill`` takes reflected light off the rim (mode ``unmix``);
    ``strength``, ``limit`` and ``falloff`` belong to mode ``article``; ``shadow`` keeps the one that the subject casts
    on a plain background, or draws a soft one (see ``choose_shadow``); ``noise`` is the capture's, in levels of 8 bits,
    measured where it is not given; ``threads`` is the most to use. Where alpha is 1 the source's pixels are copied,
    except on a rim of ``spill_reach`` pixels (12 in a picture of 1,024, wider in a larger one) when spill was found;
    where it is 0, the background's. Raises ValueError with a sentence when sizes, dtypes or the mode do not fit.
    """
    _check(image, alpha, background)
    return blend_any(image, alpha, background, **options)


def blend_any(
    image: Array,
    alpha: Array,
    background: Array,
    *,
    mode: Mode = "unmix",
    origin: Origin = "person",
    refine: bool = True,
    visible: Array | None = None,
    spill: bool = True,
    spill_reach: float | None = None,
    spill_strength: float = 0.85,
    strength: float = 0.85,
    limit: float = 18.0,
    falloff: Falloff = "linear",
    shadow: Choice = "none",
    floor: KeyLight | None = None,
    noise: float | None = None,
    threads: int | None = None,
) -> Blend:
    """Blend as ``blend`` does with an alpha that may be smaller than the image: it is solved there and brought up.

    A network's, by its ``origin``, is solved at the image's size where the original background is plain. ``visible``
    (float32 HxW, 0..1) is multiplied with it then: what of the image is to be seen at all. ``floor`` is the key light
    of a new background that has a floor to stand on.
    """
    if mode not in ("unmix", "article", "alpha"):
        raise ValueError(f"The mode is unmix, article or alpha, not {mode!r}.")
    answer = answer_at_its_size(image, alpha)
    wall = wall_color(answer.image, answer.alpha)
    of_network = refine and mode == "unmix" and origin in ("probability", "matte")
    known = None
    if origin != "own" and (of_network or shadow in ("auto", "keep")):
        grain = capture_noise(answer.image, answer.alpha) if noise is None else noise
        known = solve_known_plate(image, answer.alpha, grain, solve=of_network, threads=threads)
    if known is not None and known.alpha is not None:
        colors: Colors | None
        here, colors = _place_known(image, known, known.alpha, noise, threads)
        evidence = None
    else:
        solved = solve(answer, unmix=mode == "unmix", correct=refine, noise=noise, threads=threads)
        here = place(image, answer, solved, noise, threads)
        colors, evidence = solved.colors, solved.evidence
    cast = choose_shadow(shadow, known.layer if known else None, here.alpha, drawing=origin == "drawing", floor=floor)
    if cast.layer is not None:
        background = shaded(background, cast.layer)
    matte, box, source, mixed = here.alpha, here.box, here.light, here.mixed
    if visible is not None:
        matte *= visible
        mixed = mixed * visible[box]
    part = np.ascontiguousarray(matte[box])
    soft = (mixed > 0) & (mixed < 1)
    front, found = source, Spill(0.0, 0.0)
    back = np.full_like(source, _NO_WALL) if colors is None else source
    if colors is not None:
        front, back = unmix(source, mixed, colors, view=here.view, noise=here.noise, threads=threads)
    if mode == "unmix" and spill and wall is not None:
        # Networks and light see a picture, not pixels: what they blur or stain is wider in a larger one.
        reach = 12 * max(1.0, max(image.shape[:2]) / REFERENCE) if spill_reach is None else spill_reach
        front, found = suppress_spill(front, part, wall.lab, reach=reach, strength=spill_strength)
    elif mode == "article":
        front = _deprojected(source, soft, wall.lab if wall else None, strength, limit, falloff)

    changed = soft
    if found.strength > 0 and wall is not None:
        changed = soft | (front != source).any(axis=2)
        back[changed & ~soft] = lab_to_linear(wall.lab)
    composite, foreground = image.copy(), image.copy()
    cv2.copyTo(background, (matte <= 0).astype(np.uint8), composite)
    composite[box], foreground[box] = _assemble(
        image[box], background[box], source, part, front, back, changed, threads
    )
    everywhere = np.zeros(matte.shape, np.bool_)
    everywhere[box] = changed
    measures = measure(image, foreground, matte, everywhere, wall)
    return Blend(composite, foreground, matte, measures, evidence, found, cast, known)


def _place_known(
    image: Array, known: KnownPlate, alpha: Array, noise: float | None, threads: int | None
) -> tuple[Place, Colors]:
    """Cut out what holds soft pixels, with the colours that the plate leaves to its subject."""
    box = around((alpha > 0) & (alpha < 1), round(64 * max(1.0, max(alpha.shape) / REFERENCE)))
    part = np.ascontiguousarray(alpha[box])
    light = np.ascontiguousarray(srgb_to_linear(image[box]))
    noise = capture_noise(image, alpha) if noise is None else noise
    view = View(float(box[0].start), float(box[1].start), *map(float, alpha.shape))
    colors = known_colors(light, part, known.back, view, noise, threads)
    return Place(alpha.copy(), box, light, part, whole(*part.shape), noise), colors


def _deprojected(
    source: Array, soft: Array, wall: Array | None, strength: float, limit: float, falloff: Falloff
) -> Array:
    if wall is None or not soft.any():
        return source
    front = source.copy()
    for top in range(0, len(soft), 256):
        rows, here = slice(top, top + 256), soft[top : top + 256]
        lab = deproject_lab(linear_to_lab(source[rows][here]), wall, strength=strength, limit=limit, falloff=falloff)
        front[rows][here] = np.clip(lab_to_linear(lab), 0, 1)
    return front


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _mix(background, light, roots, source, alpha, front, back, changed, guess, thresholds, out, cut, first, end):  # type: ignore[no-untyped-def]
    """Write the changed pixels of a composite and cut-out; ``light`` is each code's, ``roots`` its root.

    Of 256 codes or of 65,536, as ``out`` has 8 bits or 16.
    """
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        for x in range(alpha.shape[1]):
            a = alpha[y, x]
            if not changed[y, x]:
                if a <= zero:
                    for c in range(3):
                        out[y, x, c] = background[y, x, c]
                continue
            apart = zero
            for c in range(3):
                gap = roots[background[y, x, c]] - np.sqrt(max(back[y, x, c], zero))
                apart = max(apart, abs(gap))
            # Before the same wall the picture is right as it is: with its grain, and whatever F left out.
            keep = max(one - apart / _SAME_WALL, zero) * min(a * _FADE_IN, one)
            for c in range(3):
                f, b = front[y, x, c], back[y, x, c]
                left_out = source[y, x, c] - a * f - (one - a) * b
                mixed = a * f + (one - a) * light[background[y, x, c]] + keep * left_out
                if len(light) == 256:
                    out[y, x, c] = encode_one(mixed, guess, thresholds)
                    cut[y, x, c] = encode_one(f, guess, thresholds)
                else:
                    out[y, x, c] = encode_deep(mixed)
                    cut[y, x, c] = encode_deep(f)


def _assemble(
    image: Array,
    background: Array,
    source: Array,
    alpha: Array,
    front: Array,
    back: Array,
    changed: Array,
    threads: int | None,
) -> tuple[Array, Array]:
    """Mix the composite and the cut-out; source and background are copied where nothing is mixed."""
    composite, cut = image.copy(), image.copy()
    light = srgb_to_linear(np.arange(np.iinfo(image.dtype).max + 1).astype(image.dtype))
    planes = (np.ascontiguousarray(background), light, np.sqrt(light), source, alpha, front, back, changed)
    parallel_rows(_mix, len(image), *planes, *encoding_tables(), composite, cut, threads=threads)
    return composite, cut


def _check(image: Array, alpha: Array, background: Array) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or background.ndim != 3 or background.shape[2] != 3:
        raise ValueError(f"Image and background are HxWx3, not {image.shape} and {background.shape}.")
    if not image.shape[:2] == alpha.shape == background.shape[:2]:
        sizes = ", ".join(
            f"{name} {plane.shape[1]}x{plane.shape[0]}" if plane.ndim > 1 else f"{name} {plane.shape}"
            for name, plane in (("image", image), ("mask", alpha), ("background", background))
        )
        raise ValueError(f"Image, mask and background are of one size, but these are: {sizes}.")
    if image.size == 0:
        raise ValueError("The image has no pixels.")
    if image.dtype not in (np.uint8, np.uint16) or background.dtype != image.dtype:
        raise ValueError(
            f"Image and background are both uint8 or both uint16, not {image.dtype} and {background.dtype}."
        )
