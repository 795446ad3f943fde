"""A JPEG's white is white, and its black black, up to the subject's edge."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.io.codec import Carried, decode, encode

WHITE = (255, 255, 255)


def before(color, *, height=75, width=101):
    """A noisy subject, thin and thick, of soft edges, before a colour; and where there is nothing but that."""
    chance = np.random.default_rng(3)
    alpha = np.zeros((height, width), np.float32)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 3, height // 3), 20, 0, 360, 1, -1, cv2.LINE_AA)
    cv2.line(alpha, (3, height - 4), (width - 5, 2), 1, 1, cv2.LINE_AA)
    subject = chance.integers(0, 256, (height, width, 3)).astype(np.float32)
    rgb = np.rint(subject * alpha[..., None] + np.float32(color) * (1 - alpha[..., None])).astype(np.uint8)
    return rgb, alpha == 0


@pytest.mark.parametrize("quality", [60, 92, 100])
@pytest.mark.parametrize("color", [WHITE, (0, 0, 0), (255, 0, 255)])
def test_every_pixel_of_the_background_is_its_colour_in_any_reader(color, quality):
    rgb, clear = before(color)
    data = encode(rgb, format="jpeg", quality=quality, exact=color)
    for read in (np.asarray(Image.open(BytesIO(data))), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1]):
        assert read.shape == rgb.shape
        assert (read[clear] == color).all()
    assert np.array_equal(decode(data).rgb, np.asarray(Image.open(BytesIO(data))))
    assert encode(rgb, format="jpeg", quality=quality, exact=color) == data


def test_the_subject_is_no_further_off_than_in_another_jpeg():
    rgb, clear = before(WHITE)
    exact, other = (
        decode(encode(rgb, format="jpeg", quality=92, exact=wanted)).rgb.astype(float) for wanted in (WHITE, None)
    )
    assert (other[clear] != WHITE).any()
    assert np.abs(exact - rgb)[~clear].mean() < np.abs(other - rgb)[~clear].mean()


def test_what_the_file_says_is_kept():
    rgb, _ = before(WHITE)
    said = Carried(creator="A", rights="(c) A", dpi=(300.0, 300.0))
    data = encode(rgb, format="jpeg", exact=WHITE, carried=said, provenance="digest", source_type="composite")
    assert decode(data).carried == said
    with Image.open(BytesIO(data)) as picture:
        assert picture.info["icc_profile"]
        assert b"digest" in picture.info["xmp"]


@pytest.mark.parametrize(("color", "quality"), [((254, 255, 255), 92), (WHITE, 59)])
def test_what_cannot_be_exact_is_an_ordinary_jpeg(color, quality):
    rgb, _ = before(color)
    data = encode(rgb, format="jpeg", quality=quality, exact=color)
    assert data == encode(rgb, format="jpeg", quality=quality)
