"""Photographs before plain backgrounds whose plate, shadow and alpha are known."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8


@dataclass(frozen=True)
class Plain:
    """A photograph, and what it is made of; linear light where it is not the picture."""

    picture: NDArray[np.uint8]
    plate: NDArray[np.float32]
    shadow: NDArray[np.float32]
    front: NDArray[np.float32]
    alpha: NDArray[np.float32]
    mask: NDArray[np.float32]
    """What a network would say: the alpha, blurred and a little large."""

    def before(self, background: tuple[int, int, int]) -> NDArray[np.uint8]:
        """The composite that it should become."""
        light = srgb_to_linear(np.full((*self.alpha.shape, 3), background, np.uint8)) * self.shadow[..., None]
        weight = self.alpha[..., None]
        return to_uint8(linear_to_srgb(weight * self.front + (1 - weight) * light))


def plain(
    color: tuple[int, int, int] = (200, 205, 210),
    subject: tuple[int, int, int] = (150, 40, 30),
    *,
    size: int = 400,
    noise: float = 1.0,
    shadow: bool = True,
    hole: bool = False,
    hairs: int = 0,
) -> Plain:
    """Photograph a round product on a sweep whose light falls off to the right."""
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    light = srgb_to_linear(np.full((1, 1, 3), color, np.uint8))
    fall = 1 - 0.2 * x - 0.1 * y - 0.05 / (1 + np.exp(-(y - 0.6) / 0.03))
    plate = (light * fall[..., None]).astype(np.float32)
    radius = np.hypot(x - 0.5, y - 0.5) * size
    alpha = np.clip(0.22 * size - radius + 0.5, 0, 1)
    if hole:
        alpha = np.minimum(alpha, np.clip(radius - 0.1 * size + 0.5, 0, 1))
    if hairs:
        big = np.zeros((2 * size, 2 * size), np.uint8)
        random = np.random.default_rng(5)
        for turn in random.uniform(0, 2 * np.pi, hairs):
            ends = [
                (int(size * (1 + reach * np.cos(turn))), int(size * (1 + reach * np.sin(turn))))
                for reach in (0.3, 0.62)
            ]
            cv2.line(big, *ends, 255, 3, cv2.LINE_AA)
        alpha = np.maximum(alpha, cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA) / np.float32(255))
    dark = 0.6 * np.exp(-(((x - 0.55) / 0.2) ** 2) - ((y - 0.74) / 0.04) ** 2) if shadow else np.zeros_like(x)
    left = (1 - dark).astype(np.float32)
    shine = 1 + 0.25 * np.cos(8 * x) * np.cos(7 * y)
    front = (srgb_to_linear(np.full((1, 1, 3), subject, np.uint8)) * shine[..., None]).astype(np.float32)
    weight = alpha[..., None]
    seen = linear_to_srgb(weight * front + (1 - weight) * left[..., None] * plate)
    grain = np.random.default_rng(1).normal(0, noise / 255, seen.shape)
    mask = cv2.GaussianBlur(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), (0, 0), size / 160)
    if hairs or hole:  # a network fills what is fine
        mask = cv2.GaussianBlur(cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, np.ones((81, 81), np.uint8)), (0, 0), 3)
    return Plain(to_uint8(seen + grain), plate, left, front, alpha.astype(np.float32), np.asarray(mask, np.float32))
