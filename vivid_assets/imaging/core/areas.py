"""Areas of a picture, as booleans: how far from one, what is near it, what hangs together."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.arrays import Area, Indices, Labels, Plane

Box = tuple[slice, slice]
"""Rows and columns of a rectangle."""


class Parts(NamedTuple):
    """The connected parts of an area."""

    labels: Labels
    """int32 h×w: 0 outside the area, 1… for each part."""
    sizes: Indices
    """Pixels by label; that of 0 is what lies outside."""


def distance_to(area: Area) -> Plane:
    """Each pixel's distance to ``area`` (bool h×w), in pixels; float32 h×w, 0 inside."""
    return np.asarray(cv2.distanceTransform((~area).astype(np.uint8), cv2.DIST_L2, 3), np.float32)


def distance_to_contour(area: Area) -> Plane:
    """Each pixel's distance to the other side of ``area``'s contour, in pixels; float32 h×w, inf without a contour."""
    if area.all() or not area.any():
        return np.full(area.shape, np.inf, np.float32)
    return np.maximum(distance_to(area), distance_to(~area))


def grown(area: Area, radius: float) -> Area:
    """``area`` (bool h×w) and what is within ``radius`` pixels of it.

    >>> grown(np.array([[True, False, False]]), 1).tolist()
    [[True, True, False]]
    """
    return np.asarray(distance_to(area) <= radius) if area.any() else area


def dilated(area: Area, radius: int) -> Area:
    """``area`` (bool h×w) and what is within ``radius`` pixels of it across, down and diagonally (a square window)."""
    return np.asarray(cv2.dilate(area.astype(np.uint8), square(radius))) > 0


def eroded(area: Area, radius: int) -> Area:
    """What of ``area`` (bool h×w) has all of its neighbours within ``radius`` in it; beyond the frame, all is in it."""
    return np.asarray(cv2.erode(area.astype(np.uint8), square(radius))) > 0


def square(radius: int) -> NDArray[np.uint8]:
    """The window of a morphological operation that reaches ``radius`` pixels each way."""
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def parts_of(area: Area, *, connectivity: int = 8) -> Parts:
    """Number the connected parts of ``area`` (bool h×w); with ``connectivity`` 4 not over corners."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(area.astype(np.uint8), connectivity=connectivity)
    return Parts(np.asarray(labels, np.int32), np.asarray(stats[:, cv2.CC_STAT_AREA]))


def without_small_parts(area: Area, least: float, *, connectivity: int = 8) -> Area:
    """Keep the connected parts of an area that are large.

    Args:
        area: bool h×w.
        least: pixels that a part must have.
        connectivity: 4 does not join parts over corners.

    >>> without_small_parts(np.array([[True, True, False, True]]), 2).tolist()
    [[True, True, False, False]]
    """
    labels, sizes = parts_of(area, connectivity=connectivity)
    kept = sizes >= least
    kept[0] = False
    return np.asarray(kept[labels])


def joined(area: Area, seeds: Area, *, connectivity: int = 4) -> Area:
    """Keep the connected parts of an area that hold a seed.

    Args:
        area: bool h×w.
        seeds: bool h×w.
        connectivity: 8 joins parts over corners too.

    >>> joined(np.array([[True, False, True]]), np.array([[True, False, False]])).tolist()
    [[True, False, False]]
    """
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=connectivity)
    seeded = np.zeros(count, bool)
    seeded[np.unique(labels[seeds & area])] = True
    seeded[0] = False
    return np.asarray(seeded[labels])


def joined_to_frame(area: Area) -> Area:
    """The connected parts of ``area`` (bool h×w) that reach the picture's frame.

    >>> joined_to_frame(np.pad(np.array([[True]]), 1)).any()
    np.False_
    """
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=4)
    touching = np.zeros(count, bool)
    touching[np.unique(frame_of(labels))] = True
    touching[0] = False
    return np.asarray(touching[labels])


def frame_of(plane: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of ``plane`` (h×w or h×w×c), each once, as a row.

    >>> frame_of(np.arange(9).reshape(3, 3)).tolist()
    [0, 1, 2, 6, 7, 8, 3, 5]
    """
    return np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])


def box_of(area: Area) -> tuple[int, int, int, int] | None:
    """The smallest rectangle that holds an area (bool h×w): top, bottom, left, right; None for an empty one.

    >>> box_of(np.pad(np.array([[True, True]]), 1))
    (1, 2, 1, 3)
    """
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def around(area: Area, margin: int) -> Box:
    """The smallest rectangle that holds ``area`` (bool h×w) with ``margin`` pixels about it; all for an empty area.

    >>> around(np.pad(np.array([[True]]), 2), 1)
    (slice(1, 4, None), slice(1, 4, None))
    """
    height, width = area.shape
    top, bottom, left, right = box_of(area) or (0, height, 0, width)
    return (
        slice(max(top - margin, 0), min(bottom + margin, height)),
        slice(max(left - margin, 0), min(right + margin, width)),
    )
