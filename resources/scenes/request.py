"""What is asked of a scene generator and what it gives; sizes that SDXL was trained on. Arrays only."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# (height, width) at about one megapixel: a choice from SDXL's training buckets (Podell et al. 2023, appendix I).
# Few, because equal shapes make full batches, shared scenes and one compilation each.
_BUCKETS = (
    (512, 2048), (640, 1536), (768, 1344), (832, 1216), (896, 1152), (1024, 1024),
    (1152, 896), (1216, 832), (1344, 768), (1536, 640), (2048, 512),
)  # fmt: skip

_ENLARGING = "1"
"""Version of how scenes are made larger than the model's own: raised where that gives others."""


def bucket(height: int, width: int, size: int = 1024) -> tuple[int, int]:
    """The (height, width) to generate for a picture of ``height``×``width``: the bucket of the nearest shape.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        size: side of the square bucket; others have about its area. Multiples of 32 come out.
    """
    shape = math.log(height / width)
    high, wide = min(_BUCKETS, key=lambda sides: abs(math.log(sides[0] / sides[1]) - shape))
    return _scaled(high, size), _scaled(wide, size)


def _scaled(side: int, size: int) -> int:
    return max(32, round(side * size / 1024 / 32) * 32)


@dataclass(frozen=True)
class Subject:
    """The picture that a scene is made around, for inpainting. Both arrays have the picture's size."""

    image: np.ndarray
    """uint8 H×W×3 sRGB."""
    alpha: np.ndarray
    """float32 H×W, 0..1: what is opaque is kept, the rest is painted."""

    @property
    def digest(self) -> str:
        """Content digest of both arrays."""
        digest = hashlib.blake2b(repr((self.image.shape, self.alpha.shape)).encode(), digest_size=16)
        digest.update(self.image.tobytes())
        digest.update(self.alpha.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SceneRequest:
    """One scene to generate."""

    prompt: str
    negative_prompt: str
    """What to keep out; "" gives the model's own empty guidance, as diffusers does for None."""
    seed: int
    height: int
    """Of the picture that the scene is for, in pixels; the scene's shape is ``bucket(height, width)``."""
    width: int
    subject: Subject | None = field(default=None, compare=False)
    """Paint around this subject, so that ground and light fit it; None makes a scene of its own."""
    scale: int = 1
    """Times the model's own size that the scene comes at (``SceneGenerator.scale``)."""

    def key(self, revision: str, size: int = 1024) -> str:
        """Digest of all that the scene depends on; equal keys are equal scenes, whichever picture asks.

        Args:
            revision: of the generator: model, sampler and settings.
            size: of the generator's square bucket.
        """
        parts = {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "size": bucket(self.height, self.width, size),
            "subject": self.subject.digest if self.subject else None,
            "revision": revision,
            **({"scale": self.scale, "enlarging": _ENLARGING} if self.scale > 1 else {}),
        }
        return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Scene:
    """A generated scene."""

    image: np.ndarray
    """uint8 H×W×3 sRGB, of the bucket's size times the scale: it stands for the whole picture, a little stretched."""
    figures: Mapping[str, float]
    """``seconds`` (its share of the batch), ``batch``, ``steps``, ``guidance``, ``scale``,
    ``retried_in_float32`` and ``decoded_in_tiles`` (0, 1)."""
