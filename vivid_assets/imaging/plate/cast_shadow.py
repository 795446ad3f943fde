"""The shadow that a subject gets before its new background: the photograph's own, a soft one, or none.

A measured layer is kept where it can be believed; one is drawn where a subject stands on a new floor.
"""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, eroded, grown, parts_of
from vivid_assets.imaging.core.arrays import LinearRGB, Matte
from vivid_assets.imaging.core.color import to_uint8
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.plate.contact_shadow import contact_shadow
from vivid_assets.imaging.plate.fill import spread
from vivid_assets.imaging.plate.neighbours import slope_of

SOFT_AT = 512
"""Longer side of a soft shadow that is drawn."""
Choice = Literal["auto", "keep", "soft", "none"]
Kind = Literal["kept", "soft", "none"]
_MOST_AREA, _MOST_FRAME = 0.7, 0.5
"""Shares of the picture and of its frame in shadow up to which it is believed."""
_STEEP, _MOST_STEEP, _BESIDE = 0.1, 0.01, 0.02
"""Change of the logarithm of light from pixel to pixel that is an edge; the share of the picture that may have such;
and that of its longer side about the subject in which they do not count."""
_DIMMED, _DEEP, _EDGED, _MOST_THING = 0.85, 0.5, 0.6, 0.01
"""Share of light under which a thing beside the subject is looked for, and that under which it is at its darkest; the
share of its rim that is an edge; and of the picture, that is too large for a crumb."""
_ABOUT = 0.01
"""Share of the longer side about such a thing that is as dark by its own shadow."""
_CUT = 0.25
"""Share of a subject's width at the frame's lower edge from which that cuts it."""
_FEET = 0.12
"""Share of a subject's width that touches the floor, from which it stands."""


@dataclass(frozen=True)
class Shadow:
    """The shadow that is laid over a new background."""

    kind: Kind
    """Kept from the photograph, drawn softly at the subject's foot, or none."""
    layer: LinearRGB | None
    """float32 h×w×3, 0..1.12: the share of light that is left; small, since it is smooth. None where there is none."""
    note: str = ""
    """Why it is not the one that could be expected; empty where it is."""

    @property
    def area(self) -> float:
        """Share of the picture that is darkened by more than 2 per cent."""
        return 0.0 if self.layer is None else float((self.layer.mean(axis=2) < 0.98).mean())

    @property
    def depth(self) -> float:
        """The share of light that its darkest hundredth takes: 1 is black."""
        dark = np.empty(0) if self.layer is None else 1 - self.layer.mean(axis=2)
        dark = dark[dark > 0.02]
        return float(np.percentile(dark, 99)) if dark.size else 0.0


def choose_shadow(
    requested: Choice,
    measured: LinearRGB | None,
    alpha: Matte,
    *,
    drawing: bool = False,
    floor: KeyLight | None = None,
) -> Shadow:
    """Choose the shadow for a subject before its new background.

    ``auto`` keeps a measured one that is believable, draws a soft one where a subject that stands gets a new scene
    without one to keep, and none for flat art and for a subject that the frame cuts at the bottom.

    Args:
        requested: which.
        measured: the photograph's own layer (float32 h×w×3); None where its background is busy.
        alpha: float32 H×W, 0..1, of any size.
        drawing: whether the subject is a drawing.
        floor: where the key light stands of a new background that has a floor to stand on; None where it has none.

    """
    if requested == "none":
        return Shadow("none", None)
    small = shrink(np.ascontiguousarray(alpha, np.float32), SOFT_AT)
    if requested == "soft":
        return _soft(small, floor or "above")
    measured = None if measured is None else _without_things(measured, small)
    doubt = "" if measured is None else _doubt(measured, small)
    if requested == "keep":
        if measured is None:
            return Shadow("none", None, "the original background is not plain: its shadow cannot be measured")
        return _kept(measured, doubt)
    if drawing or _is_cut(small):
        return Shadow("none", None)
    if measured is not None and not doubt:
        return _kept(measured, "")
    if floor is not None and _stands(small):
        return replace(_soft(small, floor), note=doubt)
    return Shadow("none", None, doubt)


def _kept(layer: LinearRGB, note: str) -> Shadow:
    return Shadow("none", None, note) if (layer == 1).all() else Shadow("kept", layer, note)


def _without_things(layer: LinearRGB, alpha: Matte) -> LinearRGB:
    """The layer without small dark things beside the subject, which its mask has left out: crumbs, a screw.

    A shadow that far away fades; a thing is dark and has an edge nearly all round. The light about it goes on there.
    """
    light = layer.mean(axis=2)
    subject = cv2.resize(alpha, light.shape[::-1], interpolation=cv2.INTER_AREA) > 0.05
    parts = parts_of(light < _DIMMED)
    area = parts.labels > 0
    rim = area & ~eroded(area, 1)
    steep = grown(slope_of(np.log(np.maximum(light, 0.02))) > _STEEP, 2.5)
    on_rim, on_edge = (np.bincount(parts.labels[one], minlength=len(parts.sizes)) for one in (rim, rim & steep))
    deep = np.bincount(parts.labels[area & (light < _DEEP)], minlength=len(parts.sizes)) > 0
    kept = deep & (on_edge > _EDGED * on_rim) & (parts.sizes < _MOST_THING * light.size)
    # What reaches to the subject may be its own shadow.
    kept[np.unique(parts.labels[grown(subject, _BESIDE * max(light.shape))])] = False
    kept[0] = False
    if not kept.any():
        return layer
    away = distance_to(np.asarray(kept[parts.labels]))
    about = _ABOUT * max(light.shape)
    filled = spread(layer, ((away > about) & ~subject).astype(np.float32))
    weight = np.clip(2 - away / about, 0, 1)[..., None]
    return np.asarray(np.where(subject[..., None], layer, layer + (filled - layer) * weight), np.float32)


def _soft(alpha: Matte, key_light: KeyLight) -> Shadow:
    layer = contact_shadow(to_uint8(alpha), key_light=key_light)
    if (layer > 0.98).all():
        return Shadow("none", None, "the frame cuts the subject at the bottom: no floor to lay a shadow on")
    return Shadow("soft", np.repeat(layer[..., None], 3, axis=2))


def _doubt(layer: LinearRGB, alpha: Matte) -> str:
    """Why a measured shadow is not believed; empty where it is.

    Away from its subject a shadow fades: what has sharp edges there is a scene. Of the photographs that this was chosen
    by scenes had such edges on 1.6 to 5 per cent of their pixels, shadows and reflections on at most 0.4.
    """
    light = layer.mean(axis=2)
    dark = light < 0.9
    frame = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if dark.mean() > _MOST_AREA or frame.mean() > _MOST_FRAME:
        return "what darkens the original background lies over most of it: no shadow of the subject"
    subject = cv2.resize(alpha, dark.shape[::-1], interpolation=cv2.INTER_AREA) > 0.05
    steep = slope_of(np.log(np.maximum(light, 0.02))) > _STEEP
    if (steep & ~grown(subject, _BESIDE * max(dark.shape))).mean() > _MOST_STEEP:
        return "what darkens the original background has sharp edges: no shadow of the subject"
    return ""


def _is_cut(alpha: Matte) -> bool:
    """Whether the frame's lower edge cuts the subject, and not a cord or a strap of it alone."""
    solid = alpha > 0.5
    last = solid[-max(1, len(alpha) // 100) :].any(axis=0)
    return bool(last.sum() > _CUT * max(solid.any(axis=0).sum(), 1))


def _stands(alpha: Matte) -> bool:
    """Whether enough of the subject is at its lowest to stand on."""
    solid = alpha > 0.5
    rows = np.flatnonzero(solid.any(axis=1))
    if not rows.size:
        return False
    foot = max(1, round(0.03 * (rows[-1] - rows[0] + 1)))
    touching = solid[rows[-1] - foot + 1 : rows[-1] + 1].any(axis=0).sum()
    return bool(touching >= _FEET * solid.any(axis=0).sum())
