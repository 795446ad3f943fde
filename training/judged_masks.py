"""Pictures whose true mask is known, and what mask networks answer for them: what the quality estimate learns from.

Three kinds of folders are read: photographs beside masks of the same stem, sequences of frames beside theirs, and
cut-outs with an alpha channel, which are laid over plain walls and photographs. Answers are kept in a cache folder,
so that a network sees each picture once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from PIL import Image, ImageOps

from resources.masks.u2net import INPUT_SIDE, U2Net, revision

LONGEST = 1024
COMPOSED = "cutouts"
"""The data set of pictures that are made here."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class Example:
    """A picture and its true mask."""

    dataset: str
    """Pictures of one data set are never on both sides of a split."""
    name: str
    image: np.ndarray
    """uint8 H×W×3 sRGB, the longer side at most 1024."""
    truth: np.ndarray
    """float32 H×W, 0..1."""


class CachedModel:
    """A ``MaskModel`` that sees each picture once: its answers stay in a folder."""

    def __init__(self, name: str, cache: Path) -> None:
        self.name, self.revision, self._cache, self._model = name, revision(name), cache, U2Net(name)
        cache.mkdir(parents=True, exist_ok=True)

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._answer(image) for image in images]

    def _answer(self, image: np.ndarray) -> np.ndarray:
        digest = hashlib.blake2b(image.tobytes() + str(image.shape).encode(), digest_size=12).hexdigest()
        file = self._cache / f"{digest}-{self.name}-{self.revision}.npy"
        if not file.exists():
            found = self._model.probabilities([image])[0]
            # The network knows no more than its own 320 × 320 pixels.
            np.save(file, cv2.resize(found, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float16))
        small = np.load(file).astype(np.float32)
        return np.clip(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def photographs(dataset: str, images: Path, masks: Path) -> Iterator[Example]:
    """Photographs and masks of the same stem (ECSSD, DUTS, alphamatting.com …)."""
    by_stem = {path.stem: path for path in pictures_of(masks)}
    for path in pictures_of(images):
        if path.stem in by_stem:
            image = load(path)
            yield Example(dataset, path.name, image, _truth(by_stem[path.stem], image))


def sequences(dataset: str, folder: Path, each: int = 12) -> Iterator[Example]:
    """``each`` frames, evenly spread, of every sequence in ``folder``: ``NAME/frames`` and ``NAME/masks`` (DAVIS)."""
    for sequence in sorted(path for path in folder.iterdir() if path.is_dir()):
        frames = pictures_of(sequence / "frames")
        for path in (frames[k * len(frames) // each] for k in range(min(each, len(frames)))):
            image = load(path)
            truth = _truth(sequence / "masks" / f"{path.stem}.png", image)
            yield Example(dataset, f"{sequence.name}/{path.name}", image, truth)


def composed(cutouts: Sequence[Path], photographs: Path) -> Iterator[Example]:
    """Each RGBA cut-out over a plain wall, a photograph out of focus and a sharp one; placed by chance, repeatably."""
    behind = pictures_of(photographs)
    for path in (path for folder in cutouts for path in pictures_of(folder)):
        opened = Image.open(path)
        if "A" not in opened.getbands():
            continue
        cutout = opened.convert("RGBA")
        cutout = cutout.crop(cutout.getchannel("A").getbbox())
        for kind in ("plain", "blurred", "sharp"):
            rng = np.random.default_rng(crc32(f"{path.name} {kind}".encode()))
            wall = _plain(rng) if kind == "plain" else load(behind[int(rng.integers(len(behind)))], 800)
            if kind == "blurred":
                wall = cv2.GaussianBlur(wall, (0, 0), 0.012 * max(wall.shape))
            image, truth = _laid_over(cutout, wall, rng)
            yield Example(COMPOSED, f"{path.parent.name}/{path.name} {kind}", image, truth)


def pictures_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def load(path: Path, longest: int = LONGEST) -> np.ndarray:
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _truth(path: Path, image: np.ndarray) -> np.ndarray:
    truth = Image.open(path).convert("L").resize(image.shape[1::-1], Image.Resampling.BILINEAR)
    return np.asarray(truth, dtype=np.float32) / 255.0


def _plain(rng: np.random.Generator) -> np.ndarray:
    """A painted wall in a light that falls off, with a sensor's noise."""
    height, width = 800, int(rng.integers(600, 1000))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 1.0 - 0.35 * rng.random() * np.hypot(x / width - rng.random(), y / height - rng.random())[..., None]
    paint = rng.uniform(40, 255, 3)
    return np.uint8(np.clip(paint * light + rng.normal(0, 1.5, (height, width, 3)), 0, 255))


def _laid_over(cutout: Image.Image, wall: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    height, width = wall.shape[:2]
    scale = rng.uniform(0.35, 0.85) * min(height / cutout.height, width / cutout.width)
    size = max(1, round(cutout.width * scale)), max(1, round(cutout.height * scale))
    small = np.asarray(cutout.resize(size, Image.Resampling.LANCZOS), np.float32)
    top, left = int(rng.integers(0, height - size[1] + 1)), int(rng.integers(0, width - size[0] + 1))
    where = slice(top, top + size[1]), slice(left, left + size[0])
    truth = np.zeros((height, width), np.float32)
    truth[where] = small[..., 3] / 255
    image = wall.astype(np.float32)
    alpha = truth[where][..., None]
    image[where] = small[..., :3] * alpha + image[where] * (1 - alpha)
    return np.uint8(np.rint(image)), truth
