"""Drawings over walls and photographs alone, with their true alpha, to train the drawing net on."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from training.drawn_figures import DRAWN_AT, figure
from training.line_art import packaged_photos, through_jpeg

#: Bytes of a drawing's file, at most.
LARGEST = 600_000
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
PHOTOGRAPHS: list[np.ndarray] = []
DRAWINGS: list[np.ndarray] = []
#: Photographed things cut from their walls: what is laid over a wall and yet not drawn.
THINGS: list[np.ndarray] = []


def svg(text: str) -> np.ndarray | None:
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(svg_string=text, width=DRAWN_AT, height=DRAWN_AT)
    except ValueError:
        return None
    return trimmed(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def trimmed(picture: Image.Image) -> np.ndarray | None:
    """uint8 H×W×4 without its empty rim; ``None`` for a drawing that fills its frame."""
    box = picture.getchannel("A").getbbox()
    if box is None or min(box[2] - box[0], box[3] - box[1]) < 32:
        return None
    cut = np.asarray(picture.crop(box))
    return None if (cut[..., 3] > 250).mean() > 0.97 else cut


def drawings(source: Path, most: int, rng: np.random.Generator) -> list[np.ndarray]:
    if source.suffix == ".json":
        icons = json.loads(source.read_text())
        width, height = icons.get("width", 16), icons.get("height", 16)
        names = sorted(name for name in icons["icons"] if "-skin-tone" not in name and "flag" not in name)
        chosen = [icons["icons"][name] for name in rng.permutation(names)[:most]]
        head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {} {}">'
        made = [
            svg(head.format(icon.get("width", width), icon.get("height", height)) + icon["body"] + "</svg>")
            for icon in chosen
        ]
    else:
        files = sorted(
            p for p in source.rglob("*") if p.suffix.lower() in {".svg", ".png"} and p.stat().st_size < LARGEST
        )
        made = [read(file) for file in (files[int(k)] for k in rng.permutation(len(files))[:most])]
    return [cut for cut in made if cut is not None]


def read(file: Path) -> np.ndarray | None:
    if file.suffix.lower() == ".svg":
        return svg(file.read_text(errors="replace"))
    picture = Image.open(file).convert("RGBA")
    picture.thumbnail((DRAWN_AT, DRAWN_AT))
    return trimmed(picture)


def photographs(folders: list[Path]) -> list[np.ndarray]:
    found = list(packaged_photos())
    for place in folders:
        for file in sorted(p for p in place.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES):
            picture = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
            picture.thumbnail((1400, 1400))
            found.append(np.asarray(picture))
    return found


def crop(photo: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    part = rng.uniform(0.4, 1.0)
    h, w = max(8, int(photo.shape[0] * part)), max(8, int(photo.shape[1] * part))
    y, x = int(rng.integers(0, photo.shape[0] - h + 1)), int(rng.integers(0, photo.shape[1] - w + 1))
    piece = photo[y : y + h, x : x + w][:, :: int(rng.choice([-1, 1]))]
    smaller = h > height and w > width
    return cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def wall(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """float32 H×W×3, 0..255."""
    kind = rng.choice(
        ["photo", "blurred", "noise", "plain", "shaded", "stripes", "drawn"], p=[0.48, 0.1, 0.1, 0.13, 0.06, 0.05, 0.08]
    )
    one, other = rng.integers(0, 256, (2, 3)).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if kind in ("photo", "blurred"):
        piece = crop(PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))], height, width, rng)
        if rng.random() < 0.1:
            piece = cv2.cvtColor(cv2.cvtColor(piece, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return (cv2.GaussianBlur(piece, (0, 0), rng.uniform(1, 12)) if kind == "blurred" else piece).astype(np.float32)
    if kind == "noise":
        grain = rng.standard_normal((height, width, 3)).astype(np.float32)
        sigma = rng.uniform(0.3, 8)
        return np.clip(one + rng.uniform(20, 120) * sigma * 2 * cv2.GaussianBlur(grain, (0, 0), sigma), 0, 255)
    if kind == "plain":
        color = np.float32((255, 255, 255)) if rng.random() < 0.5 else one
        return np.broadcast_to(color, (height, width, 3)).astype(np.float32)
    if kind == "stripes":
        turn = rng.uniform(0, np.pi)
        band = ((x * np.cos(turn) + y * np.sin(turn)) // rng.uniform(6, 40) % 2)[..., None]
        return one * band + other * (1 - band)
    across = (x / width * rng.uniform(-1, 1) + y / height * rng.uniform(-1, 1))[..., None]
    shaded = np.clip(one + (other - one) * (0.5 + across), 0, 255)
    if kind == "shaded":
        return shaded
    for _ in range(int(rng.integers(2, 6))):
        # A drawn room: shapes as large as the picture, in flat colours.
        points = rng.uniform(-0.3, 1.3, (int(rng.integers(3, 6)), 2)) * (width, height)
        shaded = cv2.fillPoly(np.ascontiguousarray(shaded), [np.int32(points)], rng.integers(0, 256, 3).tolist())
    return shaded


def placed(cut: np.ndarray, height: int, width: int, rng: np.random.Generator, smallest: float = 0.3) -> np.ndarray:
    """A drawing somewhere in an empty picture; float32 H×W×4, colours premultiplied."""
    drawn = np.dstack([cut[..., :3] * (cut[..., 3:] / 255), cut[..., 3]]).astype(np.float32)
    scale = rng.uniform(smallest, 0.95) * min(height / cut.shape[0], width / cut.shape[1])
    turn = rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(-180, 180)
    flip = rng.choice([-1, 1])
    matrix = cv2.getRotationMatrix2D((cut.shape[1] / 2, cut.shape[0] / 2), turn, scale)
    room_x, room_y = (width - cut.shape[1] * scale) / 2, (height - cut.shape[0] * scale) / 2
    matrix[:, 2] += (width - cut.shape[1]) / 2, (height - cut.shape[0]) / 2
    matrix[:, 2] += rng.uniform(-room_x, room_x), rng.uniform(-room_y, room_y)
    if scale < 1:
        drawn = cv2.GaussianBlur(drawn, (0, 0), 0.4 / scale) if scale < 0.6 else drawn
    return cv2.warpAffine(np.ascontiguousarray(drawn[:, ::flip]), matrix, (width, height), flags=cv2.INTER_LINEAR)


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """uint8 H×W×3 sRGB and true alpha, float32 H×W."""
    height, width = (int(side) for side in rng.integers(260, 760, 2))
    if max(height, width) > 2 * min(height, width):
        height = width
    if rng.random() < 0.16:
        return through(photographed(height, width, rng), rng), np.zeros((height, width), np.float32)
    picture = wall(height, width, rng)
    alpha = np.zeros((height, width, 1), np.float32)
    if THINGS and rng.random() < 0.06:
        picture = over(picture, thing(height, width, rng))
    for _ in range(int(rng.choice([1, 2, 3], p=[0.85, 0.1, 0.05]))):
        layer = placed(figure(DRAWINGS, rng), height, width, rng)
        picture = over(picture, layer)
        alpha = layer[..., 3:] / 255 + alpha * (1 - layer[..., 3:] / 255)
    return through(picture, rng), np.clip(alpha[..., 0], 0, 1)


def photographed(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A picture in which nothing is drawn: a photograph, or a photographed thing before some wall; float32."""
    if not THINGS or rng.random() < 0.6:
        return crop(PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))], height, width, rng).astype(np.float32)
    return over(wall(height, width, rng), thing(height, width, rng))


def thing(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return placed(THINGS[int(rng.integers(len(THINGS)))], height, width, rng, smallest=0.4)


def over(picture: np.ndarray, layer: np.ndarray) -> np.ndarray:
    return picture * (1 - layer[..., 3:] / 255) + layer[..., :3]


def through(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8, half of them by way of JPEG."""
    picture = np.uint8(np.rint(np.clip(picture, 0, 255)))
    return picture if rng.random() < 0.5 else through_jpeg(picture, int(rng.integers(65, 97)))
