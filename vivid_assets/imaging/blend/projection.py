"""The photograph's own alpha at a pixel: the projection of I − B on F − B."""

from typing import NamedTuple

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.interpolate import bilinear, cells_about
from vivid_assets.imaging.core.noise import noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows

_GRAIN = np.float32(0.1)
"""How much of its own colour a subject or background varies by, in the projection's variance."""


class _Question(NamedTuple):
    image: LinearRGB
    alpha: Matte
    prior: Matte
    fields: Planes
    table: Vector
    """The noise's variances."""
    where: Area
    precision: np.float32


class Projected(NamedTuple):
    """The photograph's own alpha."""

    alpha: Matte
    """float32 H×W, 0..1; the given alpha where it was not solved."""
    weight: Plane
    """float32 H×W, 0..1: how far it can be trusted; 0 where it was not solved."""


def project(
    image: LinearRGB,
    alpha: Matte,
    fields: Planes,
    where: Area,
    *,
    noise: float,
    prior: Matte | None = None,
    precision: float = 0.0,
    threads: int | None = None,
) -> Projected:
    """Solve alpha from I, F and B.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1: the one that F and B were spread with.
        fields: float32 h×w×6: F and B, linear light.
        where: bool H×W: the pixels to solve.
        noise: the capture's, in levels of 8 bits.
        prior: float32 H×W, 0..1: the alpha that the answer is drawn to; ``alpha`` where it is not given.
        precision: how strongly; with 0 the photograph alone counts.
        threads: the most to use.

    """
    out, weight = np.empty_like(alpha), np.empty_like(alpha)
    prior = alpha if prior is None else prior
    question = _Question(image, alpha, prior, fields, noise_variances(noise), where, np.float32(precision))
    parallel_rows(_project_rows, len(alpha), question, out, weight, threads=threads)
    return Projected(out, weight)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _project_rows(question, out, weight, first, end):  # type: ignore[no-untyped-def]
    """Solve alpha from I, F and B: least squares over the channels, each by its variance, with ``alpha`` as prior."""
    image, alpha, prior_at, fields, table, where, precision = question
    height, width = alpha.shape
    rows, columns = fields.shape[0], fields.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            a = alpha[y, x]
            if not where[y, x]:
                out[y, x] = a
                weight[y, x] = 0.0
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            along = square = np.float32(0.0)
            for c in range(3):
                front = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                back = bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                light = image[y, x, c]
                own = _GRAIN * (a * front + (1 - a) * back)
                noise = noise_variance(table, light)
                over = np.float32(1.0) / (noise + own * own)
                along += (light - back) * (front - back) * over
                square += (front - back) * (front - back) * over
            h = prior_at[y, x]
            # A network is surest near 0 and 1; there it takes more to say otherwise.
            pull = precision / (4 * h * (1 - h) + np.float32(0.02)) if precision > 0.0 else np.float32(10.0)
            prior = h if precision > 0.0 else np.float32(0.0)
            out[y, x] = min(max((along + pull * prior) / (square + pull), np.float32(0.0)), np.float32(1.0))
            weight[y, x] = square / (square + np.float32(100.0))
