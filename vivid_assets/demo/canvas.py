"""A canvas for drawings whose alpha is known exactly: supersampled, painted and mixed in linear light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8

Floats = NDArray[np.floating]
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


class Mask(NamedTuple):
    """Coverage (float32, 0..1) of a rectangle of the canvas; outside it is 0."""

    values: Floats
    top: int
    left: int


class Canvas:
    """Paints in a unit square (x to the right, y down, 0..1), each layer over those before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * SAMPLES
        self.color = np.zeros((self.side, self.side, 3), np.float32)  # premultiplied
        self.alpha = np.zeros((self.side, self.side), np.float32)
        axis = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        self.x, self.y = axis[None, :], axis[:, None]

    def paint(self, mask: Mask, color: Floats | str, *, inside: bool = False) -> None:
        """Lay a colour over the canvas where ``mask`` is.

        Args:
            mask: Where.
            color: A code, or linear values of shape (3,) or such that they broadcast to (side, side, 3).
            inside: Only on what is painted already, so that the subject's outline stays.

        """
        rows = slice(mask.top, mask.top + mask.values.shape[0])
        columns = slice(mask.left, mask.left + mask.values.shape[1])
        tone = linear(color) if isinstance(color, str) else color
        if tone.ndim == 3:
            tone = tone[rows if tone.shape[0] > 1 else slice(None), columns if tone.shape[1] > 1 else slice(None)]
        alpha = self.alpha[rows, columns]
        cover = mask.values * alpha if inside else mask.values
        self.color[rows, columns] += cover[..., None] * (np.clip(tone, 0, 1) - self.color[rows, columns])
        alpha += cover * (1 - alpha)

    def outlined(self, points: Sequence[Point], fill: Floats | str, ink: Floats | str, width: float) -> None:
        """Paint a closed shape with an outline, as a cartoonist does."""
        self.paint(self.polygon(points), fill)
        self.paint(self.line([*points, points[0]], width), ink)

    def polygon(self, points: Sequence[Point]) -> Mask:
        """Mask of a filled polygon."""
        values, corners, top, left = self._box([points], 0)
        cv2.fillPoly(values, corners, 255, cv2.LINE_AA, _FRACTION)
        return Mask(values.astype(np.float32) / 255, top, left)

    def line(self, points: Sequence[Point], width: float) -> Mask:
        """Mask of a line with round joints; ``width`` as a share of the square."""
        return self.strands([points], width)

    def strands(self, lines: Sequence[Sequence[Point]], width: float) -> Mask:
        """Mask of several lines together."""
        thickness = max(1, round(width * self.side))
        values, corners, top, left = self._box(lines, thickness)
        cv2.polylines(values, corners, False, 255, thickness, cv2.LINE_AA, _FRACTION)
        return Mask(values.astype(np.float32) / 255, top, left)

    def ellipse(self, x: float, y: float, rx: float, ry: float) -> Mask:
        """Mask of a filled ellipse."""
        return self.polygon(arc(x, y, rx, ry))

    def everywhere(self, values: Floats) -> Mask:
        """Mask of the whole canvas, (side, side)."""
        return Mask(values.astype(np.float32), 0, 0)

    def blurred(self, mask: Mask, sigma: float) -> Floats:
        """``mask`` blurred by ``sigma``, a share of the square; (side, side)."""
        whole = np.zeros((self.side, self.side), np.float32)
        whole[mask.top : mask.top + mask.values.shape[0], mask.left : mask.left + mask.values.shape[1]] = mask.values
        # A sixth of the size is plenty for a blur.
        small = cv2.resize(whole, None, fx=1 / 6, fy=1 / 6, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(sigma * self.side / 6, 0.3))
        return np.asarray(cv2.resize(small, (self.side, self.side), interpolation=cv2.INTER_LINEAR), np.float32)

    def finish(self, wall: Floats) -> Drawing:
        """Bring the canvas to size and mix it with ``wall``, linear (3,) or (side, side, 3)."""
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

    def _box(
        self, lines: Sequence[Sequence[Point]], margin: int
    ) -> tuple[NDArray[np.uint8], list[NDArray[np.int32]], int, int]:
        """An empty rectangle around ``lines``, and these in OpenCV's coordinates within it."""
        pixels = [np.asarray(points, np.float64).reshape(-1, 2) * self.side for points in lines]
        every = np.concatenate(pixels)
        low = np.clip(np.floor(every.min(axis=0)).astype(int) - margin - 2, 0, self.side - 1)
        high = np.clip(np.ceil(every.max(axis=0)).astype(int) + margin + 3, low + 1, self.side)
        values = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        # OpenCV puts a pixel's centre at its index.
        corners = [np.round((p - low - 0.5) * 2**_FRACTION).astype(np.int32).reshape(-1, 1, 2) for p in pixels]
        return values, corners, int(low[1]), int(low[0])


def arc(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> list[Point]:
    """Points on an ellipse's arc; degrees, clockwise from the right."""
    t = np.radians(np.linspace(start, end, 97))
    return [(float(a), float(b)) for a, b in zip(x + rx * np.cos(t), y + ry * np.sin(t), strict=True)]


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
