"""Clips that are drawn in code."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vivid_assets.imaging.io.video.write import h264, writing


def moving_disc(frames=10, size=(96, 128)):
    """A red disc that walks over a grey wall (uint8 H×W×3 each)."""
    made = []
    for index in range(frames):
        frame = np.full((*size, 3), (205, 200, 190), np.uint8)
        cv2.circle(frame, (40 + 3 * index, size[0] // 2), size[0] // 4, (180, 40, 30), -1, cv2.LINE_AA)
        made.append(frame)
    return made


def standing_disc(frames=10, size=(96, 128), noise=1.0):
    """The same disc, with its soft shadow to its right on a plain wall of one colour, and a sensor's noise."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    rng = np.random.default_rng(0)
    made = []
    for index in range(frames):
        across = 30 + index
        light = 1 - 0.3 * np.exp(-(((x - across - 40) / 14) ** 2) - ((y - size[0] / 2) / 20) ** 2)
        disc = np.clip(size[0] / 4 - np.hypot(x - across, y - size[0] / 2), 0, 1)[..., None]
        wall = np.float32((205, 200, 190)) * light[..., None] ** (1 / 2.2)
        frame = disc * np.float32((180, 40, 30)) + (1 - disc) * wall
        made.append(np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8))
    return made


def save_clip(path: Path, frames: Iterable[np.ndarray], rate=10):
    """As H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, h264(), Fraction(rate)) as sink:
        for index, frame in enumerate(frames):
            sink.add(frame, Fraction(index, rate))


def save_frames(folder: Path, frames: Iterable[np.ndarray]):
    """As a folder of numbered pictures."""
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:04d}.png"), frame[..., ::-1])
