"""A user's box around the subject."""

import numpy as np

Box = tuple[float, float, float, float]


def box_pixels(box: Box, height: int, width: int, margin: float = 0.0) -> tuple[int, int, int, int]:
    """Turn a box of shares into pixel bounds ``top, bottom, left, right``.

    Args:
        box: left, top, right, bottom, 0..1 of the picture.
        height: of the picture, pixels.
        width: of the picture, pixels.
        margin: added on every side, as a share of the box's own size.

    Raises:
        ValueError: the box is not in order or lies outside the picture.

    >>> box_pixels((0.25, 0.5, 0.75, 1.0), 100, 200)
    (50, 100, 50, 150)
    """
    left, top, right, bottom = box
    if not (0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0):
        raise ValueError(f"a subject box is left < right and top < bottom within 0..1, not {box}")
    across, down = margin * (right - left), margin * (bottom - top)
    x0 = int(np.clip(np.floor((left - across) * width), 0, width - 1))
    y0 = int(np.clip(np.floor((top - down) * height), 0, height - 1))
    x1 = int(np.clip(np.ceil((right + across) * width), x0 + 1, width))
    y1 = int(np.clip(np.ceil((bottom + down) * height), y0 + 1, height))
    return y0, y1, x0, x1
