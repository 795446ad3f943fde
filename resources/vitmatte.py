"""ViTMatte: alpha solved by a network inside a trimap's unknown band, for those who have its weights and a GPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.hub import Weights

Array = NDArray[Any]

WEIGHTS = Weights("hustvl/vitmatte-small-composition-1k", "main", ("config.json", "*.safetensors"))
_PATCH = 32


def load_vitmatte(folder: str, device: str = "cpu") -> Any:
    """Load a ViTMatte model from a folder (``WEIGHTS.folder()``), ready for ``solve_alpha``."""
    from transformers import VitMatteForImageMatting

    return VitMatteForImageMatting.from_pretrained(folder).eval().to(device)


def trimap_of(alpha: Array, width: int = 10) -> Array:
    """Make a trimap (float32 HxW: 0, 0.5, 1) of ``alpha`` (0..1), unknown for ``width`` pixels about soft ones."""
    import cv2

    soft = ((alpha > 0.05) & (alpha < 0.95)).astype(np.uint8)
    edge = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    unknown = cv2.dilate(soft | np.asarray(edge), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2))
    return np.where(unknown > 0, np.float32(0.5), (alpha > 0.5).astype(np.float32))


def solve_alpha(model: Any, image: Array, trimap: Array) -> Array:
    """Solve alpha (float32 HxW, 0..1) of ``image`` (uint8 HxWx3 sRGB) inside a trimap's unknown band.

    ``trimap`` is 0 for background, 1 for subject and 0.5 for unknown; outside the unknown it is the answer.
    Raises ValueError when the sizes differ.
    """
    import torch

    if image.shape[:2] != trimap.shape:
        raise ValueError(f"The image is {image.shape[:2]} and the trimap {trimap.shape}: they are of one size.")
    height, width = trimap.shape
    stacked = np.dstack([image.astype(np.float32) / 127.5 - 1, trimap]).astype(np.float32)
    padded = np.pad(stacked, ((0, -height % _PATCH), (0, -width % _PATCH), (0, 0)))
    pixels = torch.from_numpy(padded.transpose(2, 0, 1)[None].copy()).to(model.device, model.dtype)
    with torch.inference_mode():
        solved = model(pixel_values=pixels).alphas[0, 0, :height, :width].float().cpu().numpy()
    unknown = (trimap > 0) & (trimap < 1)
    return np.where(unknown, np.clip(solved, 0, 1), trimap).astype(np.float32)
