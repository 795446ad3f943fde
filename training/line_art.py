"""Train the line-art classifier on drawings that code makes and photographs that scikit-image carries.

Run ``python -m training.line_art [--photos DIR …] [--drawings DIR …] [--split]``. The folders hold labelled
pictures: all held out by default; with ``--split`` every second one is trained on. Drawings with an alpha channel
are laid over white and over a colour. It prints the accuracy on the held-out pictures against the
original program's fixed thresholds and, with ``--write``, writes
``vivid_assets/imaging/analysis/line_art_weights.json``.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from vivid_assets.imaging.analysis import line_art

PACKAGED = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina", "cat", "hubble_deep_field",
            "camera", "coins", "moon", "page", "clock", "grass", "gravel", "brick")  # fmt: skip


def packaged_photos() -> Iterator[np.ndarray]:
    """Photographs that come with scikit-image (no download)."""
    from skimage import data

    for name in PACKAGED:
        try:
            picture = getattr(data, name)()
        except Exception as error:
            print(f"left out: {name} ({type(error).__name__})")
            continue
        yield np.dstack([picture] * 3) if picture.ndim == 2 else picture[..., :3]


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Draw a cartoon: shapes with flat or slightly shaded fills, with or without outlines, on paper or colour."""
    side, scale = int(rng.integers(300, 900)), 2
    size = side * scale
    paper = (255, 255, 255) if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
    picture = np.full((size, size, 3), paper, np.uint8)
    monochrome, outline = rng.random() < 0.25, rng.random() < 0.75
    thick = int(rng.integers(2, 9)) * scale
    for _ in range(int(rng.integers(3, 25))):
        fill = paper if monochrome else tuple(int(v) for v in rng.integers(0, 256, 3))
        ink = tuple(int(v) for v in rng.integers(0, 60, 3))
        centre = rng.uniform(0.2, 0.8, 2) * size
        radius = rng.uniform(0.03, 0.25) * size
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 40))))
        reach = radius * rng.uniform(0.5, 1.0, len(angles))[:, None]
        points = np.int32(centre + reach * np.stack([np.cos(angles), np.sin(angles)], 1))
        cv2.fillPoly(picture, [points], fill)
        if outline or monochrome:
            cv2.polylines(picture, [points], True, ink, thick, cv2.LINE_AA)
    if rng.random() < 0.4 and not monochrome:
        # Soft shading, as anime sprites and emoji have.
        light = cv2.resize(
            rng.uniform(0.8, 1.15, (3, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
        )
        picture = np.clip(picture * light[..., None], 0, 255).astype(np.uint8)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def emblem_alpha(rng: np.random.Generator) -> np.ndarray:
    """Draw a glowing sign's alpha: rings, stars and letters, thin and translucent; float32, 0..1, square."""
    side, scale = int(rng.integers(300, 900)), 2
    size = side * scale
    lines = np.zeros((size, size), np.uint8)
    thick = int(rng.integers(1, 5)) * scale
    middle = (size // 2, size // 2)
    for radius in rng.uniform(0.15, 0.42, int(rng.integers(1, 5))):
        cv2.circle(lines, middle, int(radius * size), 255, thick, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 4))):
        corners, turn, reach = int(rng.integers(3, 9)), rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.42) * size
        angles = turn + 2 * np.pi * np.arange(corners) * int(rng.integers(1, 3)) / corners
        points = np.int32(np.array(middle) + reach * np.stack([np.cos(angles), np.sin(angles)], 1))
        cv2.polylines(lines, [points], True, 255, thick, cv2.LINE_AA)
    for angle in np.arange(0, 2 * np.pi, rng.uniform(0.15, 0.5)):
        place = np.int32(np.array(middle) + 0.36 * size * np.array([np.cos(angle), np.sin(angle)]))
        sign = chr(int(rng.integers(ord("A"), ord("z"))))
        cv2.putText(lines, sign, place.tolist(), cv2.FONT_HERSHEY_SIMPLEX, size / 900, 255, thick, cv2.LINE_AA)
    glow = cv2.GaussianBlur(lines, (0, 0), float(rng.uniform(2, 12)) * scale)
    alpha = np.maximum(lines, glow).astype(np.float32) / 255 * float(rng.uniform(0.5, 1.0))
    return cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA)


def emblem(rng: np.random.Generator) -> np.ndarray:
    """Lay a glowing sign over a wall flat or shaded."""
    alpha = emblem_alpha(rng)[..., None]
    side = alpha.shape[0]
    one, other = rng.integers(0, 256, (2, 3)).astype(np.float32)
    across = (np.mgrid[:side, :side].sum(axis=0) / (2 * side))[..., None] * float(rng.choice([0, 0, 1]))
    wall = np.full(3, 255.0) if rng.random() < 0.25 else one * (1 - across) + other * across
    ink = np.float32(rng.integers(200, 256, 3) if rng.random() < 0.7 else rng.integers(0, 256, 3))
    return np.clip(wall * (1 - alpha) + ink * alpha, 0, 255).astype(np.uint8)


def studio(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay a photograph's blob before a plain wall with a little grain: a product photo, which is no drawing."""
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), np.float32)
    axes = (int(width * rng.uniform(0.15, 0.4)), int(height * rng.uniform(0.2, 0.45)))
    cv2.ellipse(mask, (width // 2, height // 2), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.2)[..., None]
    wall = np.full(photo.shape, 255.0) if rng.random() < 0.6 else np.full(photo.shape, rng.uniform(60, 250, 3))
    if rng.random() < 0.5:
        wall = wall + rng.normal(0, 1.5, photo.shape)
    return np.clip(photo * mask + wall * (1 - mask), 0, 255).astype(np.uint8)


def varied(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As pictures arrive: another size, perhaps through JPEG."""
    scale = rng.uniform(0.5, 1.0)
    size = (max(32, int(picture.shape[1] * scale)), max(32, int(picture.shape[0] * scale)))
    smaller = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        return smaller
    return through_jpeg(smaller, int(rng.integers(70, 97)))


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def folder(path: Path, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Each file's number and picture, long side at most 1024; cut-outs once over white and once over a colour."""
    for index, file in enumerate(
        sorted(p for p in path.iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    ):
        picture = ImageOps.exif_transpose(Image.open(file))
        picture.thumbnail((1024, 1024))
        backgrounds = ["white"] if picture.mode == "RGBA" else [None]
        if picture.mode == "RGBA":
            backgrounds.append(tuple(int(v) for v in rng.integers(0, 256, 3)))
        for wall in backgrounds:
            if wall is None:
                yield index, np.asarray(picture.convert("RGB"))
            else:
                over = Image.new("RGBA", picture.size, wall)
                yield index, np.asarray(Image.alpha_composite(over, picture).convert("RGB"))


def fit(x: np.ndarray, y: np.ndarray, ridge: float = 1.0, rounds: int = 60) -> tuple[np.ndarray, float]:
    """Logistic regression by Newton's method with an L2 penalty, both classes weighted alike."""
    design = np.column_stack([x, np.ones(len(x))])
    weight = np.where(y > 0.5, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    beta = np.zeros(design.shape[1])
    penalty = np.diag([ridge] * x.shape[1] + [1e-6])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (weight * (p - y)) + penalty @ beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + penalty
        beta -= np.linalg.solve(hessian, gradient)
    return beta[:-1], float(beta[-1])


def fixed_thresholds(figures: line_art.LineArtFigures) -> bool:
    """Answer as the original program did."""
    return figures.edge_density > 0.05 and (figures.unique_colors < 0.1 or figures.dark_share > 0.05)


def report(name: str, figures: list[line_art.LineArtFigures], labels: np.ndarray) -> None:
    ours = np.array([line_art.classify(f) > 0.5 for f in figures]) == (labels > 0.5)
    fixed = np.array([fixed_thresholds(f) for f in figures]) == (labels > 0.5)
    for title, right in (("trained", ours), ("fixed thresholds", fixed)):
        each = ", ".join(
            f"{kind} {right[labels == value].mean():.3f}"
            for kind, value in (("drawings", 1), ("photos", 0))
            if (labels == value).any()
        )
        print(f"{name:10s} {title:17s} accuracy {right.mean():.3f} ({each}; n={len(right)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--photos", "--drawings"):
        parser.add_argument(option, type=Path, nargs="*", default=[])
    parser.add_argument("--split", action="store_true", help="train on every second picture of the folders")
    parser.add_argument("--write", action="store_true", help="write the weights into the package")
    arguments = parser.parse_args()
    rng = np.random.default_rng(7)

    photos = list(packaged_photos())
    train: list[tuple[np.ndarray, int]] = [(varied(drawn(rng), rng), 1) for _ in range(300)]
    train += [(varied(emblem(rng), rng), 1) for _ in range(60)]
    train += [(varied(photo, rng), 0) for photo in photos for _ in range(8)]
    train += [(varied(studio(photo, rng), rng), 0) for photo in photos for _ in range(10)]
    held: list[tuple[np.ndarray, int]] = []
    for label, paths in ((0, arguments.photos), (1, arguments.drawings)):
        for path in paths:
            for index, picture in folder(path, np.random.default_rng(1)):
                if arguments.split and index % 2 == 0:
                    train += [(varied(picture, rng), label) for _ in range(4)]
                else:
                    held.append((picture, label))

    figures = [line_art.line_art_figures(picture) for picture, _ in train]
    labels = np.array([label for _, label in train], dtype=np.float64)
    x = np.array([line_art.inputs(f) for f in figures])
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
    weights, bias = fit((x - mean) / deviation, labels)
    trained = {"mean": mean, "deviation": deviation, "weights": weights}
    stored = {name: [round(float(v), 6) for v in values] for name, values in trained.items()} | {"bias": round(bias, 6)}
    target = Path(line_art.__file__).with_name("line_art_weights.json")
    if arguments.write:
        target.write_text(json.dumps(stored, indent=1) + "\n")
        print(f"wrote {target.name}")
    line_art._trained = lambda: (mean, deviation, weights, bias)  # type: ignore[assignment]
    report("training", figures, labels)
    if held:
        held_labels = np.array([label for _, label in held], dtype=np.float64)
        report("held out", [line_art.line_art_figures(picture) for picture, _ in held], held_labels)


if __name__ == "__main__":
    main()
