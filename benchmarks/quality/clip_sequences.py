"""Clips with a known truth: sequences of cut-outs before still and moving backgrounds, and DAVIS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.quality.blending import NOISE, drawn_cutouts, fit, photographs
from benchmarks.quality.plain import PLATES, lit_plate
from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8

Array = NDArray[Any]

SIZE = (480, 640)  # height, width
FILLS = 0.82  # of the height, by the sequence's own frame
PAN = 2.0  # pixels a frame, where the camera moves


@dataclass(frozen=True)
class Clip:
    """Frames and their truth."""

    name: str
    group: str
    """``plain``, ``photographic``, ``moving`` or ``DAVIS``."""
    frames: list[Array]
    """uint8 H×W×3 sRGB each."""
    truth: list[Array]
    """float32 H×W each, 0..1; binary for DAVIS."""
    still: list[Array]
    """bool H×W each: where neither the subject nor the camera moves between this frame and the one before."""


def drawn_sequence(frames: int = 24, size: int = 320) -> list[Array]:
    """Draw a bag that swings: RGBA float32, straight colours in linear light."""
    bag = next(cutout for cutout in drawn_cutouts(size) if cutout.name == "drawn-bag")
    premultiplied = np.dstack([bag.color * bag.alpha[..., None], bag.alpha])
    made = []
    for index in range(frames):
        turn = 9 * np.sin(2 * np.pi * index / frames)
        matrix = cv2.getRotationMatrix2D((size / 2, size / 3), turn, 1.0)
        made.append(_straight(cv2.warpAffine(premultiplied, matrix, (size, size), flags=cv2.INTER_LINEAR)))
    return made


def read_sequence(folder: Path, most: int) -> list[Array]:
    """Read a folder of RGBA frames: float32, straight colours in linear light."""
    made = []
    for path in sorted(folder.glob("*.png"))[:most]:
        pixels = np.asarray(Image.open(path).convert("RGBA"))
        made.append(np.dstack([srgb_to_linear(pixels[..., :3]), pixels[..., 3].astype(np.float32) / 255]))
    return made


def photographed(name: str, sequence: list[Array], group: str, background: Array) -> Clip:
    """Photograph a sequence before a background: mixed in light, with a sensor's noise, 8 bits.

    ``background`` is linear light, larger than the picture where the camera moves.
    """
    height, width = SIZE
    rng = np.random.default_rng(len(name))
    frames, truth, still = [], [], []
    before = None
    for index, cut in enumerate(sequence):
        front, alpha = _placed(cut)
        x = round(index * PAN) if group == "moving" else 0
        behind = background[:height, x : x + width]
        seen = linear_to_srgb(alpha[..., None] * front + (1 - alpha[..., None]) * behind)
        frames.append(to_uint8(seen + rng.normal(0, NOISE / 255, seen.shape)))
        truth.append(alpha)
        fixed = np.zeros(SIZE, np.bool_)
        if before is not None and group != "moving":
            fixed = (np.abs(seen - before) < 1e-3).all(axis=2)
        still.append(fixed)
        before = seen
    return Clip(f"{name} {group}", group, frames, truth, still)


def still_and_moving(sequences: dict[str, list[Array]], backgrounds: list[Array]) -> Iterator[Clip]:
    """Photograph each sequence before a plain sweep and a photograph, and with a camera that pans."""
    height, width = SIZE
    colors = ("grey", "green", "white", "yellow", "blue")
    for number, (name, sequence) in enumerate(sequences.items()):
        plate = cv2.resize(lit_plate(PLATES[colors[number % len(colors)]], width), (width, height))
        yield photographed(name, sequence, "plain", plate)
        picture = backgrounds[number % len(backgrounds)]
        yield photographed(name, sequence, "photographic", srgb_to_linear(fit(picture, height, width)))
        wide = fit(backgrounds[(number + 1) % len(backgrounds)], height, width + round(PAN * len(sequence)))
        yield photographed(name, sequence, "moving", srgb_to_linear(wide))


def still_subject(sequence: list[Array], background: Array, frames: int = 24) -> Clip:
    """Photograph one frame of a sequence again and again: whatever its mask does is flicker."""
    clip = photographed("still", [sequence[0]] * frames, "photographic", background)
    return Clip("still subject", "still", clip.frames, clip.truth, clip.still)


def davis(folder: Path) -> Iterator[Clip]:
    """Read the sequences of DAVIS, with a binary mask a frame."""
    for place in sorted(folder.iterdir()):
        frames = [np.asarray(Image.open(path).convert("RGB")) for path in sorted((place / "frames").iterdir())]
        masks = sorted((place / "masks").iterdir())
        truth = [(np.asarray(Image.open(path).convert("L")) > 127).astype(np.float32) for path in masks]
        yield Clip(place.name, "DAVIS", frames, truth, [np.zeros(truth[0].shape, np.bool_)] * len(frames))


def sequences_of(folder: Path | None, most: int) -> dict[str, list[Array]]:
    """The drawn sequence, and those of a folder of folders."""
    found = {"drawn bag": drawn_sequence()}
    if folder is not None:
        found |= {place.name: read_sequence(place, most) for place in sorted(folder.iterdir()) if place.is_dir()}
    return found


def backgrounds_of(folder: Path | None) -> list[Array]:
    """The photographs that scikit-image carries, and those of a folder."""
    found = list(photographs())
    if folder is not None:
        found = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())] + found
    return found


def _placed(cut: Array) -> tuple[Array, Array]:
    """Scale a frame into the middle of the picture: straight colours in linear light, and alpha."""
    height, width = SIZE
    scale = min(FILLS * height / cut.shape[0], 0.9 * width / cut.shape[1])
    shape = (round(cut.shape[1] * scale), round(cut.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.dstack([cut[..., :3] * cut[..., 3:], cut[..., 3]]), shape, interpolation=method)
    top, left = (height - shape[1]) // 2, (width - shape[0]) // 2
    whole = np.zeros((*SIZE, 4), np.float32)
    whole[top : top + shape[1], left : left + shape[0]] = np.clip(small, 0, 1)
    whole = _straight(whole)
    return whole[..., :3], whole[..., 3]


def _straight(premultiplied: Array) -> Array:
    alpha = premultiplied[..., 3:]
    colors = np.clip(premultiplied[..., :3] / np.maximum(alpha, 1e-3), 0, 1)
    return np.dstack([colors, alpha]).astype(np.float32)
