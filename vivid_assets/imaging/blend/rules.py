"""Whether a composite is what the place demands where it is to be published."""

import numpy as np

from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.options import Rules
from vivid_assets.imaging.blend.placement import subject_box


def broken_rules(done: Blend, rules: Rules) -> tuple[str, ...]:
    """The rules that a composite breaks, each a phrase with what it has and what it should have."""
    height, width = done.composite.shape[:2]
    broken = []
    if rules.border is not None and (off := _off_color(done, rules.border)):
        broken.append(f"{off:.1%} of the frame is not {rules.border}")
    box = subject_box(done.alpha)
    sides = (0.0, 0.0) if box is None else (box[2] - box[0], box[3] - box[1])
    fill = max(sides[0] / width, sides[1] / height)
    pixel = 1 / max(width, height)
    if rules.least_fill is not None and fill + pixel < rules.least_fill:
        broken.append(f"the product fills {fill:.0%}, and not {rules.least_fill:.0%} or more")
    if rules.most_fill is not None and fill - pixel > rules.most_fill:
        broken.append(f"the product fills {fill:.0%}, and not {rules.most_fill:.0%} or less")
    if rules.least_longest is not None and max(width, height) < rules.least_longest:
        broken.append(f"the longer side has {max(width, height)} pixels, and not {rules.least_longest} or more")
    if rules.most_enlarged is not None and done.place.scale > rules.most_enlarged + 0.005:
        broken.append(f"the photograph is enlarged {done.place.scale:.2f} times")
    return tuple(broken)


def _off_color(done: Blend, color: str) -> float:
    """The share of the frame's pixels that have another colour."""
    picture = done.composite
    frame = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) * (257 if picture.dtype == np.uint16 else 1)
    return float((frame != wanted).any(axis=1).mean())
