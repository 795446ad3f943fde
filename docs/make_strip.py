"""Makes docs/images/demo_strip.jpg from a finished demo: ``python docs/make_strip.py vivid-demo``."""

import sys
from pathlib import Path

import cv2
import numpy as np

from vivid_assets.imaging.io.codec import decode, encode

PICTURES = ("astronaut.png", "coffee.png", "cartoon-owl.png", "product-bottle.png")
HEIGHT, GAP = 230, 10


def main(demo: Path) -> None:
    store = demo / "store"
    blocks = []
    for name in PICTURES:
        mask = next((store / "masks").rglob(f"{name}.png"))
        files = (demo / "catalogue" / name, mask, store / "composites" / "demo" / name)
        tiles = [_tile(decode(file.read_bytes()).rgb) for file in files]
        blocks.append(np.hstack([part for tile in tiles for part in (tile, _white(3))][:-1]))
    rows = [np.hstack([blocks[i], _white(GAP), blocks[i + 1]]) for i in (0, 2)]
    width = max(row.shape[1] for row in rows)
    rows = [_resized(row, width / row.shape[1]) for row in rows]
    strip = np.vstack([rows[0], np.full((GAP, width, 3), 255, np.uint8), rows[1]])
    target = Path(__file__).parent / "images" / "demo_strip.jpg"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(encode(strip, format="jpeg", quality=85))
    print(f"{target}: {strip.shape[1]} × {strip.shape[0]}")


def _tile(picture: np.ndarray) -> np.ndarray:
    return _resized(picture, HEIGHT / picture.shape[0])


def _resized(picture: np.ndarray, scale: float) -> np.ndarray:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _white(width: int) -> np.ndarray:
    return np.full((HEIGHT, width, 3), 255, np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
