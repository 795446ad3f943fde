"""Masks as people, programs and data sets save them: whatever the file, the same subject."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from vivid_assets.imaging.io.read_mask import read_mask

HEIGHT, WIDTH = 90, 120
y, x = np.mgrid[:HEIGHT, :WIDTH]
SOFT = np.clip(28 - np.hypot(y - 45, (x - 60) * 0.7), 0, 1)
HARD = (SOFT > 0.5).astype(np.uint8)


def file_of(pixels, kind="PNG", **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def indexed(indices, palette):
    image = Image.fromarray(indices)
    image.putpalette(palette)
    return image


def painted(color, plane=HARD, ground=(0, 0, 0)):
    whole = plane[..., None].astype(np.float32)
    return np.rint(whole * color + (1 - whole) * np.array(ground)).astype(np.uint8)


def cv_file(pixels, suffix=".png"):
    return cv2.imencode(suffix, pixels)[1].tobytes()


GREEN = (0, 255, 0)
HARD_FILES = {
    "labels 0 and 1": file_of(HARD),
    "0 and 1 in 16 bits": file_of(HARD.astype(np.uint16)),
    "0 and 255 in 16 bits": file_of(HARD.astype(np.uint16) * 255),
    "0 and 1 in three channels": file_of(np.dstack([HARD] * 3)),
    "1 bit": file_of(Image.fromarray(HARD > 0)),
    "labels of three things": file_of(HARD * np.where(x < 50, 1, 2).astype(np.uint8)),
    "one grey level": file_of(HARD * np.uint8(128)),
    "green on black": file_of(painted(GREEN)),
    "blue on black": file_of(painted((0, 0, 255))),
    "dark red on black": file_of(painted((128, 0, 0))),
    "yellow on black": file_of(painted((255, 255, 0))),
    "red on white": file_of(painted((255, 0, 0), ground=(255, 255, 255))),
    "two classes in colour": file_of(
        painted(np.where(x[..., None] < 50, np.array([220, 20, 60]), np.array([0, 0, 142])))
    ),
    "indexed, class 1 green": file_of(indexed(HARD, [0, 0, 0, 0, 128, 0])),
    "indexed, class 15 of a data set": file_of(indexed(HARD * 15, [0, 0, 0] + [192, 128, 128] * 15)),
    "indexed, a palette without sense": file_of(indexed(HARD, [7, 7, 7, 7, 7, 7])),
    "indexed, white first": file_of(indexed(1 - HARD, [255, 255, 255, 0, 0, 0])),
    "a GIF": file_of(HARD * 255, "GIF"),
    "grey with a solid alpha": file_of(
        Image.merge("LA", [Image.fromarray(HARD * 255), Image.new("L", (WIDTH, HEIGHT), 255)])
    ),
    "an unused fourth channel": file_of(
        Image.merge("RGBA", [Image.fromarray(HARD * 255)] * 3 + [Image.new("L", (WIDTH, HEIGHT), 0)])
    ),
}


@pytest.mark.parametrize("name", HARD_FILES)
def test_the_subject_is_whole_and_the_wall_is_empty(name):
    np.testing.assert_array_equal(read_mask(HARD_FILES[name]).values, HARD)


SHADES = np.rint(SOFT * 255).astype(np.uint8)
DEEP = np.rint(SOFT * 65535).astype(np.uint16)
TURNED = Image.Exif()
TURNED[0x0112] = 6  # to be turned a quarter clockwise
SOFT_FILES = {
    "grey": file_of(SHADES),
    "three equal channels": file_of(np.dstack([SHADES] * 3)),
    "16 bits": file_of(DEEP),
    "16 bits in three channels": cv_file(np.dstack([DEEP] * 3)),
    "16 bits, TIFF": cv_file(DEEP, ".tiff"),
    "green with a soft edge": file_of(painted(GREEN, SOFT)),
    "a cut-out's alpha": file_of(np.dstack([np.full((HEIGHT, WIDTH, 3), 90, np.uint8), SHADES])),
    "a cut-out's alpha of 16 bits": cv_file(np.dstack([np.full_like(DEEP, 9000)] * 3 + [DEEP])),
    "turned by EXIF": file_of(np.ascontiguousarray(np.rot90(SHADES)), exif=TURNED),
    "turned by EXIF, TIFF": file_of(np.ascontiguousarray(np.rot90(DEEP)), "TIFF", tiffinfo={274: 6}),
    "with a profile that would change it": file_of(
        np.dstack([SHADES] * 3),
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOFT_FILES)
def test_shades_stay_shades(name):
    found = read_mask(SOFT_FILES[name]).values
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, SOFT, atol=(1e-4 if "16" in name else 0.51 / 255))


def test_a_colored_mask_through_jpeg_is_a_subject_with_a_blurred_edge():
    found = read_mask(file_of(painted(GREEN), "JPEG", quality=90)).values
    inside = cv2.erode(HARD, np.ones((9, 9), np.uint8)) > 0
    outside = cv2.dilate(HARD, np.ones((17, 17), np.uint8)) == 0
    assert found[inside].min() > 0.9
    assert found[outside].max() < 0.1


@pytest.mark.parametrize("name", ["labels 0 and 1", "one grey level", "green on black", "indexed, class 1 green"])
def test_what_is_made_of_a_mask_is_said(name):
    notes = read_mask(HARD_FILES[name]).notes
    assert len(notes) == 1
    assert "taken for" in notes[0] or "was used" in notes[0]


def test_a_plain_mask_needs_no_words():
    assert read_mask(SOFT_FILES["grey"]).notes == ()
    assert read_mask(file_of(HARD * 255)).notes == ()


def test_an_inverted_mask_is_not_turned_round_by_guess():
    np.testing.assert_array_equal(read_mask(file_of(255 - HARD * 255)).values, 1 - HARD)


@pytest.mark.parametrize("level", [0, 255])
def test_a_mask_of_one_level_is_empty_or_full(level):
    found = read_mask(file_of(np.full((9, 9), level, np.uint8)))
    assert set(np.unique(found.values)) == {level / 255}


@pytest.mark.parametrize(("data", "words"), [(b"", "empty"), (b"no picture at all", "text"), (b"%PDF-1.4", "PDF")])
def test_what_is_no_picture_is_refused_with_a_sentence(data, words):
    with pytest.raises(ValueError, match=words):
        read_mask(data)


def test_a_mask_over_the_limit_of_pixels_is_refused_by_its_header():
    with pytest.raises(ValueError, match="over the limit"):
        read_mask(file_of(np.zeros((100, 100), np.uint8)), max_pixels=5000)


def test_a_mask_of_32_bit_numbers_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match="16 bits"):
        read_mask(file_of(SOFT.astype(np.float32), "TIFF"))
