"""Coloured edges in WebP: what the format takes from them is put back beforehand, as far as it goes."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.core.color import ciede2000, linear_to_srgb, rgb_to_lab, to_uint8
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.webp import with_sharp_edges


def disc(first: tuple[float, ...], second: tuple[float, ...], side: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """A disc against a plain background, mixed in linear light, and where its edge is."""
    y, x = np.mgrid[: 4 * side, : 4 * side] / (4 * side) - 0.5
    alpha = cv2.resize((np.hypot(x, y) < 0.36).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    mixed = alpha[..., None] * np.float32(first) + (1 - alpha[..., None]) * np.float32(second)
    edge = cv2.dilate(((alpha > 0) & (alpha < 1)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return to_uint8(linear_to_srgb(mixed)), edge


def composite(name: str, background: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A photograph's middle against a background with grain, and where its edge is."""
    from skimage import data

    picture = getattr(data, name)()
    height, width = picture.shape[:2]
    alpha = np.zeros((height, width), np.float32)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 3, height // 3), 30, 0, 360, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.8)
    behind = np.float32(background) + np.random.default_rng(1).normal(0, 1.5, picture.shape)
    mixed = alpha[..., None] * picture + (1 - alpha[..., None]) * behind
    return np.rint(mixed.clip(0, 255)).astype(np.uint8), (alpha > 0.02) & (alpha < 0.98)


def difference(rgb: np.ndarray, file: bytes, where: np.ndarray) -> tuple[float, float]:
    """Mean and 95th percentile of CIEDE2000 at the edge."""
    found = ciede2000(rgb_to_lab(rgb[where]), rgb_to_lab(decode(file).rgb[where]))
    return float(found.mean()), float(np.percentile(found, 95))


def plain(rgb: np.ndarray, quality: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(rgb).save(stream, "WEBP", quality=quality, method=2)
    return stream.getvalue()


COMPOSITES = [
    ("astronaut", (20, 120, 210)),
    ("chelsea", (30, 160, 60)),
    ("coffee", (150, 30, 170)),
]


@pytest.mark.parametrize(("name", "background"), COMPOSITES)
@pytest.mark.parametrize("quality", [80, 92])
def test_a_composite_s_edges_are_truer_at_about_the_size(name, background, quality):
    rgb, edge = composite(name, background)
    before = plain(rgb, quality)
    after = encode(rgb, format="webp", quality=quality)
    (mean, high), (old_mean, old_high) = difference(rgb, after, edge), difference(rgb, before, edge)
    assert mean < 0.8 * old_mean
    assert high < 0.85 * old_high
    # The profile alone takes a part of it.
    assert len(after) < 1.06 * len(before) + 1000


@pytest.mark.parametrize("quality", [80, 92])
def test_drawn_edges_are_exact_in_a_smaller_file(quality):
    rgb, edge = disc((0.6, 0.03, 0.03), (0.02, 0.05, 0.5))
    file = encode(rgb, format="webp", quality=quality)
    assert np.array_equal(decode(file).rgb, rgb)
    assert len(file) < len(plain(rgb, quality)) + 1000
    assert difference(rgb, file, edge) <= difference(rgb, encode(rgb, format="jpeg", quality=quality), edge)


def test_quality_100_is_lossless():
    rgb, _ = composite(*COMPOSITES[0])
    assert np.array_equal(decode(encode(rgb, format="webp", quality=100)).rgb, rgb)


def test_what_has_no_colored_edges_is_left_as_it_is():
    from skimage import data

    grey = np.repeat(data.camera()[..., None], 3, axis=2)
    assert with_sharp_edges(grey) is grey


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (257, 255), (511, 300)])
def test_odd_sizes_and_tiles_do_not_show(shape):
    rgb, _ = disc((0.6, 0.03, 0.03), (0.02, 0.05, 0.5), 512)
    rgb = np.ascontiguousarray(rgb[: shape[0], : shape[1]])
    out = with_sharp_edges(rgb)
    assert out.shape == rgb.shape
    # Where a tile ends an edge is treated as anywhere else: shifted by 32 pixels it is the same.
    shifted = with_sharp_edges(np.pad(rgb, ((32, 0), (32, 0), (0, 0)), mode="edge"))[32:, 32:]
    assert (out != shifted).any(axis=2).mean() < 0.001


def test_alpha_is_exact():
    rgb, _ = composite(*COMPOSITES[0])
    alpha = np.tile(np.arange(256, dtype=np.float32) / 255, (512, 2))
    picture = decode(encode(rgb, format="webp", alpha=alpha, quality=60))
    assert np.array_equal(np.rint(picture.alpha * 255), np.rint(alpha * 255))
