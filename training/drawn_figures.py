"""What is drawn over a wall: recoloured, painted and outlined cut-outs, strands, wheels and glowing signs."""

from __future__ import annotations

import cv2
import numpy as np

from training.line_art import emblem_alpha
from vivid_assets.imaging.core.color import color_codes

#: Side, in pixels, at which figures are drawn before they are placed.
DRAWN_AT = 512


def figure(cutouts: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One drawing, dressed by chance; float32 H×W×4, 0..255, colours not premultiplied."""
    luck = rng.random()
    if luck < 0.13:
        return glow(rng).astype(np.float32)
    if luck < 0.17:
        return wheel(rng).astype(np.float32)
    cut = cutouts[int(rng.integers(len(cutouts)))]
    if rng.random() < 0.25:
        cut = with_wisps(cut, rng)
    if rng.random() < 0.35:
        cut = painted(cut, rng)
    if rng.random() < 0.2:
        cut = with_strands(cut, rng)
    if rng.random() < 0.12:
        cut = outlined(cut, rng)
    return recolored(cut, rng)


def glow(rng: np.random.Generator) -> np.ndarray:
    """A sign in one translucent ink; uint8 H×W×4."""
    alpha = cv2.resize(emblem_alpha(rng), (DRAWN_AT, DRAWN_AT), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        y, x = np.mgrid[:DRAWN_AT, :DRAWN_AT] / DRAWN_AT - 0.5
        haze = np.clip(1.2 - np.hypot(x, y) / rng.uniform(0.3, 0.45), 0, 1) * rng.uniform(0.05, 0.4)
        alpha = alpha + haze.astype(np.float32) * (1 - alpha)
    luck = rng.random()
    ink = np.full(3, 255) if luck < 0.4 else rng.integers(180, 256, 3) if luck < 0.75 else rng.integers(0, 256, 3)
    return in_ink(ink, np.rint(alpha * 255))


def wheel(rng: np.random.Generator) -> np.ndarray:
    """Rim, hub and thin spokes, or a lattice, with the wall between them; uint8 H×W×4."""
    side = 2 * DRAWN_AT
    alpha, middle = np.zeros((side, side), np.uint8), (side // 2, side // 2)
    thick = int(rng.integers(2, 14))
    if rng.random() < 0.6:
        reach = int(0.46 * side)
        cv2.circle(alpha, middle, reach, 255, int(rng.integers(8, 60)), cv2.LINE_AA)
        cv2.circle(alpha, middle, int(rng.integers(10, 120)), 255, -1, cv2.LINE_AA)
        for angle in np.arange(0, 2 * np.pi, 2 * np.pi / int(rng.integers(5, 28))):
            end = np.int32(np.array(middle) + reach * np.array([np.cos(angle), np.sin(angle)]))
            cv2.line(alpha, middle, end.tolist(), 255, thick, cv2.LINE_AA)
    else:
        for place in np.linspace(20, side - 20, int(rng.integers(4, 14))).astype(int).tolist():
            cv2.line(alpha, (place, 0), (place, side), 255, thick, cv2.LINE_AA)
            if rng.random() < 0.8:
                cv2.line(alpha, (0, place), (side, place), 255, thick, cv2.LINE_AA)
    alpha = cv2.resize(alpha, (DRAWN_AT, DRAWN_AT), interpolation=cv2.INTER_AREA)
    ink = rng.integers(0, 256, 3) if rng.random() < 0.7 else rng.integers(0, 80, 3)
    return in_ink(ink, alpha)


def in_ink(ink: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """One colour through an alpha of 0..255; uint8 H×W×4."""
    return np.dstack([np.broadcast_to(ink, (*alpha.shape, 3)), alpha]).astype(np.uint8)


def painted(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each fill a gradient of its own, as painted sprites have."""
    from skimage.measure import label

    labels = label(color_codes(cut[..., :3] & 0xE0), background=-1, connectivity=1)
    area = np.bincount(labels.ravel()).astype(np.float64)
    y, x = np.mgrid[: cut.shape[0], : cut.shape[1]]
    middle_y, middle_x = (np.bincount(labels.ravel(), v.ravel()) / np.maximum(area, 1) for v in (y, x))
    turn = rng.uniform(0, 2 * np.pi, len(area))
    # Small fills are anti-aliasing.
    depth = np.where(area > 80, rng.normal(0, rng.uniform(10, 60), len(area)), 0) / np.sqrt(np.maximum(area, 1))
    slope_y, slope_x = np.sin(turn) * depth, np.cos(turn) * depth
    light = (y - middle_y[labels]) * slope_y[labels] + (x - middle_x[labels]) * slope_x[labels]
    color = np.clip(cut[..., :3] + np.clip(light, -90, 90)[..., None], 0, 255)
    return np.dstack([np.rint(color), cut[..., 3]]).astype(np.uint8)


def curves(
    starts: np.ndarray, rng: np.random.Generator, length: float, heading: float, spread: float
) -> list[np.ndarray]:
    """Bent strokes from points (x, y); float64 12×2 each."""
    made = []
    for start in starts:
        turn, bend, reach = heading + rng.normal(0, spread), rng.normal(0, 1.2), length * rng.uniform(0.4, 1.3)
        angles = turn + bend * np.linspace(0, 1, 11)
        steps = np.stack([np.cos(angles), np.sin(angles)], 1) * reach / 11
        made.append(np.vstack([start, start + np.cumsum(steps, 0)]))
    return made


def with_strands(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw thin strokes inside a figure: hair, folds, hatching."""
    inside = np.argwhere(cut[..., 3] > 200)[:, ::-1]
    if len(inside) < 100:
        return cut
    ink = np.zeros(cut.shape[:2], np.uint8)
    starts = inside[rng.integers(len(inside), size=int(rng.integers(8, 60)))].astype(np.float64)
    near = starts[0] + (starts - starts[0]) * rng.uniform(0.2, 1.0)
    for stroke in curves(near, rng, rng.uniform(30, 200), rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 1.5)):
        thick = int(rng.integers(1, 4))
        cv2.polylines(ink, [np.int32(stroke * 16)], False, int(rng.integers(90, 256)), thick, cv2.LINE_AA, 4)
    over = ink[..., None] / 255.0
    color = rng.integers(0, 90, 3) if rng.random() < 0.7 else rng.integers(0, 256, 3)
    return np.dstack([np.rint(cut[..., :3] * (1 - over) + color * over), cut[..., 3]]).astype(np.uint8)


def with_wisps(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let tapering strokes stick out of a figure: locks of hair, whiskers, ribbons."""
    room = 60
    cut = np.pad(cut, ((room, room), (room, room), (0, 0)))
    contours, _ = cv2.findContours((cut[..., 3] > 200).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = np.concatenate([c[:, 0] for c in contours]).astype(np.float64) if contours else np.empty((0, 2))
    if len(rim) < 50:
        return cut
    first = int(rng.integers(len(rim)))
    count = int(rng.integers(3, 16))
    starts = rim[(first + rng.integers(0, max(2, len(rim) // int(rng.integers(2, 9))), count)) % len(rim)]
    here = starts[0].astype(int)
    color = cut[here[1], here[0], :3].astype(np.float64)
    line = rng.integers(0, 80, 3) if rng.random() < 0.6 else color
    outwards = np.arctan2(*(starts.mean(0) - rim.mean(0))[::-1])
    picture, alpha = cut[..., :3].copy(), cut[..., 3].copy()
    for stroke in curves(starts, rng, rng.uniform(25, 130), outwards, rng.uniform(0.2, 0.9)):
        width = rng.uniform(1.5, 9)
        along = np.gradient(stroke, axis=0)
        side = along[:, ::-1] * (-1, 1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
        half = width * np.linspace(1, 0.05, len(stroke))[:, None]
        blade = np.int32(np.vstack([stroke + side * half, (stroke - side * half)[::-1]]) * 16)
        one = cv2.fillPoly(np.zeros_like(alpha), [blade], 255, cv2.LINE_AA, 4)
        edge = cv2.polylines(np.zeros_like(alpha), [blade], True, 255, 1, cv2.LINE_AA, 4)
        over, rimmed = (np.maximum(one, edge) / 255.0)[..., None], (edge / 255.0)[..., None]
        ink = color * (1 - rimmed) + line * rimmed
        was = (alpha / 255.0)[..., None]
        alpha = np.maximum(alpha, np.maximum(one, edge))
        covered = over + was * (1 - over)
        mixed = (ink * over + picture * was * (1 - over)) / np.maximum(covered, 1e-6)
        picture = np.uint8(np.rint(np.where(over > 0, mixed, picture)))
    return np.dstack([picture, alpha])


def outlined(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a figure's contour in ink, or white as stickers have it."""
    width = int(rng.integers(1, 7))
    cut = np.pad(cut, ((width + 1,) * 2, (width + 1,) * 2, (0, 0)))
    inked = cv2.dilate(cut[..., 3], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2))
    color = np.full(3, 255) if rng.random() < 0.3 else rng.integers(0, 70, 3)
    over = cut[..., 3:] / 255.0
    return np.dstack([np.rint(cut[..., :3] * over + color * (1 - over)), inked]).astype(np.uint8)


def recolored(cut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    color = cut[..., :3].astype(np.float32)
    if rng.random() < 0.3:
        color = color[..., rng.permutation(3)]
    if rng.random() < 0.08:
        color = color.mean(-1, keepdims=True).repeat(3, -1)
    if rng.random() < 0.12:
        color = color * rng.uniform(0.2, 0.7)
    if rng.random() < 0.4:
        # Soft shading, as anime sprites and emoji have.
        light = cv2.resize(
            rng.uniform(0.75, 1.2, (3, 3)).astype(np.float32), cut.shape[1::-1], interpolation=cv2.INTER_CUBIC
        )
        color = color * light[..., None]
    return np.dstack([np.clip(color, 0, 255), cut[..., 3:].astype(np.float32)])
