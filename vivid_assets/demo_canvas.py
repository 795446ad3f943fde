"""A canvas for drawings whose alpha is known exactly: supersampled, painted and mixed in linear light."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from vivid_assets.imaging.color import linear_to_srgb, srgb_to_linear, to_uint8

Floats = NDArray[np.float32]
Point = tuple[float, float]
SAMPLES = 3  # per pixel and direction
_FRACTION = 4  # bits behind the point in OpenCV's coordinates


@dataclass(frozen=True)
class Drawing:
    """A drawing before its wall.

    Attributes:
        picture: uint8 HxWx3 sRGB, the subject mixed with its wall in linear light.
        alpha: float32 HxW, the share of each pixel that the subject covers, 0..1.
        subject: uint8 HxWx3 sRGB, the subject's own colour; where alpha is 0, black.

    """

    picture: NDArray[np.uint8]
    alpha: Floats
    subject: NDArray[np.uint8]


def linear(code: str) -> Floats:
    """Linear sRGB of a colour such as ``#c0ffee``."""
    return srgb_to_linear(np.array(ImageColor.getrgb(code)[:3], np.uint8))


class Canvas:
    """Paints in a unit square (x to the right, y down, 0..1), each layer over those before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * SAMPLES
        self.color = np.zeros((self.side, self.side, 3), np.float32)  # premultiplied
        self.alpha = np.zeros((self.side, self.side), np.float32)
        axis = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        self.x, self.y = axis[None, :], axis[:, None]

    def paint(self, mask: Floats, color: Floats | str) -> None:
        """Lay ``color`` (a code, or linear (3,) or (side, side, 3)) over the canvas where ``mask`` (0..1) is."""
        tone = linear(color) if isinstance(color, str) else color
        self.color += mask[..., None] * (tone - self.color)
        self.alpha += mask * (1 - self.alpha)

    def shade(self, mask: Floats, color: Floats | str) -> None:
        """Like ``paint``, but only on what is already painted: the outline stays."""
        self.paint(mask * self.alpha, color)

    def polygon(self, points: Sequence[Point]) -> Floats:
        """Mask of a filled polygon."""
        mask = np.zeros((self.side, self.side), np.uint8)
        cv2.fillPoly(mask, [self._pixels(points)], 1, cv2.LINE_8, _FRACTION)
        return mask.astype(np.float32)

    def line(self, points: Sequence[Point], width: float) -> Floats:
        """Mask of a line of round joints through ``points``; ``width`` as a share of the square."""
        mask = np.zeros((self.side, self.side), np.uint8)
        thickness = max(1, round(width * self.side))
        cv2.polylines(mask, [self._pixels(points)], False, 1, thickness, cv2.LINE_8, _FRACTION)
        return mask.astype(np.float32)

    def ellipse(self, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Floats:
        """Mask of a filled ellipse turned by ``angle`` degrees."""
        return self.polygon(arc(x, y, rx, ry, angle=angle))

    def outlined(self, points: Sequence[Point], fill: Floats | str, ink: Floats | str, width: float) -> None:
        """Paint a closed shape with an outline, as a cartoonist does."""
        self.paint(self.polygon(points), fill)
        self.paint(self.line([*points, points[0]], width), ink)

    def blurred(self, mask: Floats, sigma: float) -> Floats:
        """``mask`` blurred by ``sigma``, a share of the square."""
        # A quarter of the size is plenty for a blur, and sixteen times cheaper.
        small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(sigma * self.side / 4, 0.3))
        return np.asarray(cv2.resize(small, (self.side, self.side), interpolation=cv2.INTER_LINEAR), np.float32)

    def finish(self, wall: Floats) -> Drawing:
        """Bring the canvas to size and mix it with ``wall``, linear (3,) or (side, side, 3)."""
        wall = np.broadcast_to(wall, self.color.shape)
        mixed = self.color + (1 - self.alpha[..., None]) * wall
        alpha, color = self._small(self.alpha), self._small(self.color)
        subject = color / np.maximum(alpha, 1e-6)[..., None]
        return Drawing(
            picture=to_uint8(linear_to_srgb(self._small(mixed))),
            alpha=alpha,
            subject=to_uint8(linear_to_srgb(subject)),
        )

    def _small(self, values: Floats) -> Floats:
        small = cv2.resize(values, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.clip(small, 0, 1).astype(np.float32)

    def _pixels(self, points: Sequence[Point]) -> NDArray[np.int32]:
        scaled = np.asarray(points, np.float64) * self.side * 2**_FRACTION
        return np.round(scaled).astype(np.int32).reshape(-1, 1, 2)


def arc(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360, angle: float = 0) -> list[Point]:
    """Points on an ellipse's arc; degrees, clockwise from the right."""
    t = np.radians(np.linspace(start, end, 97))
    turn = np.radians(angle)
    dx, dy = rx * np.cos(t), ry * np.sin(t)
    xs = x + dx * np.cos(turn) - dy * np.sin(turn)
    ys = y + dx * np.sin(turn) + dy * np.cos(turn)
    return [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]


def smooth(points: Sequence[Point], closed: bool = True) -> list[Point]:
    """A Catmull-Rom curve through ``points``."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, 16, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
    ]
    curve = np.concatenate(pieces if closed else [*pieces, p[-1:]])
    return [(float(a), float(b)) for a, b in curve]
