"""Every variant of TIFF comes out right or is refused by name; none comes out wrong without a word."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.imaging.io.tiff_files import page, tiff
from vivid_assets.imaging.io.codec import UnreadablePicture, decode

WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, INKS, LAB, ICC_LAB = 0, 1, 2, 3, 5, 8, 9
DTYPES = {8: np.uint8, 16: np.uint16}


def shown(channels: int) -> np.ndarray:
    """Shares of 1, different in every channel and place; the last is no channel's mirror."""
    y, x = np.mgrid[:24, :40]
    planes = [x / 39, y / 23, 1 - (x + y) / 62, (x * 2 + y) / 101]
    return np.stack(planes[:channels], axis=-1)


def stored(share: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(share * (2**bits - 1)).astype(DTYPES.get(bits, np.uint8 if bits < 8 else np.uint16))


def off_by(picture, share: np.ndarray, bits: int) -> float:
    """The largest difference from what was stored, of 255 steps, in 8 and in 16 bits."""
    exact = np.rint(share * (2**bits - 1)) / (2**bits - 1)
    exact = np.repeat(exact, 3, axis=-1) if exact.shape[-1] == 1 else exact
    wide = 0 if picture.rgb16 is None else np.abs(picture.rgb16 / 257 - exact * 255).max()
    return max(np.abs(picture.rgb - exact * 255).max(), wide)


@pytest.mark.parametrize("big", [False, True], ids=["", "big"])
@pytest.mark.parametrize("order", "<>", ids=["intel", "motorola"])
@pytest.mark.parametrize("deflate", [False, True], ids=["raw", "deflate"])
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True], ids=["", "alpha"])
def test_channels_together_and_apart(alpha, bits, apart, deflate, order, big):
    share = shown(4 if alpha else 3)
    tags = {338: ("H", [2])} if alpha else {}
    data = tiff(
        page(stored(share, bits), RGB, apart=apart, deflate=deflate, order=order, tags=tags), order=order, big=big
    )
    picture = decode(data)
    assert off_by(picture, share[..., :3], bits) <= 0.51
    assert (picture.rgb16 is not None) == (bits == 16)
    if alpha:
        assert np.abs(picture.alpha - share[..., 3]).max() < 0.003


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_grey_with_alpha(apart):
    share = shown(2)
    picture = decode(tiff(page(stored(share, 8), BLACK_IS_0, apart=apart, deflate=True, tags={338: ("H", [2])})))
    assert off_by(picture, share[..., :1], 8) <= 0.51
    assert np.abs(picture.alpha - share[..., 1]).max() < 0.003


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("bits", [8, 16])
def test_inks(bits, apart):
    ink = np.dstack([1 - shown(3), np.zeros((24, 40, 1))])
    picture = decode(tiff(page(stored(ink, bits), INKS, apart=apart)))
    assert off_by(picture, shown(3), bits) <= 2


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("white_is", [0, 1])
def test_grey_of_every_depth_with_white_first_and_last(white_is, bits):
    share = shown(1)
    picture = decode(tiff(page(stored(share if white_is else 1 - share, bits), white_is ^ 0, bits=bits)))
    exact = stored(share if white_is else 1 - share, bits) / (2**bits - 1)
    exact = exact if white_is else 1 - exact
    assert np.abs(picture.rgb - exact * 255).max() <= 0.51
    if bits == 16:
        assert np.abs(picture.rgb16 / 257 - exact * 255).max() < 0.01


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """As TIFF stores it: lightness 0–255, a and b signed. LittleCMS has them from 0, with 128 in the middle."""
    opencv_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(stored(rgb, 8)), opencv_lab)
    channels = [np.asarray(lab.getchannel(c)).astype(int) - (128 if c else 0) for c in range(3)]
    return (np.stack(channels, axis=-1) & 255).astype(np.uint8)


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_lab(apart):
    mild = 0.35 + 0.4 * shown(3)
    picture = decode(tiff(page(lab_of(mild), LAB, apart=apart)))
    assert np.abs(picture.rgb - mild * 255).max() <= 5


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflate", [False, True])
def test_icc_lab_is_cie_lab_with_its_middle_at_128(deflate, order, apart):
    mild = 0.35 + 0.4 * shown(3)
    lab = lab_of(mild)
    as_cie = decode(tiff(page(lab, LAB)))
    as_icc = lab ^ np.array([0, 128, 128], np.uint8)
    picture = decode(tiff(page(as_icc, ICC_LAB, apart=apart, deflate=deflate, order=order), order=order))
    assert (picture.rgb == as_cie.rgb).all()


@pytest.mark.parametrize(
    ("samples", "photometric", "bits", "tags", "named"),
    [
        (shown(1).astype(np.float16), BLACK_IS_0, 16, {339: ("H", [3])}, "floating-point numbers"),
        (shown(3).astype(np.float32), RGB, 32, {339: ("H", [3] * 3)}, "floating-point numbers"),
        (stored(shown(1), 8), BLACK_IS_0, 8, {339: ("H", [2])}, "signed numbers"),
        (stored(shown(3), 16), RGB, 16, {339: ("H", [2] * 3)}, "signed numbers"),
        (stored(shown(1), 12), BLACK_IS_0, 12, {}, "12 bits a channel"),
        (stored(shown(1), 10), BLACK_IS_0, 10, {}, "10 bits a channel"),
        (stored(shown(3), 4), RGB, 4, {}, "3 channels of 4 bits"),
        (stored(shown(3), 8), RGB, 8, {258: ("H", [8, 8, 4])}, "different bits"),
        (stored(shown(2), 16), BLACK_IS_0, 16, {338: ("H", [2])}, "2 channels of 16 bits"),
        (np.dstack([stored(shown(4), 8)] * 2)[..., :5], INKS, 8, {338: ("H", [2])}, "CMYK with transparency"),
        (stored(shown(4), 8), INKS, 8, {332: ("H", [2])}, "other inks than CMYK"),
        (stored(shown(3), 16), ICC_LAB, 16, {}, "16 bits a channel in a palette, Y'CbCr or Lab"),
        (stored(shown(3), 8), 6, 8, {}, "Y'CbCr without JPEG"),
        (stored(shown(3), 8), 77, 8, {}, "not known"),
        (stored(shown(1), 16), PALETTE, 16, {}, "16 bits a channel in a palette"),
        (stored(shown(3), 8), RGB, 8, {259: ("H", [34712])}, "compressed in a way that is not read"),
        (stored(shown(1), 16) // 17, BLACK_IS_0, 16, {}, "12 bits were stored in 16"),
    ],
)
def test_what_is_not_read_is_called_by_its_name_and_not_damaged(samples, photometric, bits, tags, named):
    with pytest.raises(UnreadablePicture, match=named) as error:
        decode(tiff(page(samples, photometric, bits=bits, tags=tags)))
    assert "damaged" not in str(error.value)
    assert "; save it" in str(error.value)


FULL, SMALL = stored(shown(3), 8), np.full((6, 10, 3), 77, np.uint8)
THUMBNAIL = {254: ("I", [1])}


@pytest.mark.parametrize("order", "<>")
def test_a_thumbnail_before_the_picture_is_passed_over(order):
    pages = [page(SMALL, RGB, tags=THUMBNAIL), page(FULL, RGB, order=order)]
    picture = decode(tiff(*pages, order=order))
    assert np.array_equal(picture.rgb, FULL)
    assert "page 2 taken: those before it are thumbnails" in picture.notes


def test_a_picture_beneath_its_thumbnail_is_taken():
    picture = decode(tiff(page(SMALL, RGB, tags=THUMBNAIL, beneath=(page(FULL, RGB),))))
    assert np.array_equal(picture.rgb, FULL)


def test_a_picture_that_calls_itself_a_thumbnail_is_better_than_none():
    assert np.array_equal(decode(tiff(page(FULL, RGB, tags=THUMBNAIL))).rgb, FULL)


@pytest.mark.parametrize("kind", ["dng", "sensor data beneath a preview"])
def test_the_preview_of_a_raw_file_is_not_taken_for_the_picture(kind):
    if kind == "dng":
        data = tiff(page(SMALL, RGB, tags={50706: ("B", [1, 4, 0, 0])}))
    else:
        data = tiff(page(SMALL, RGB, tags=THUMBNAIL, beneath=(page(stored(shown(1), 16), 32803),)))
    with pytest.raises(UnreadablePicture, match=r"raw file.*; develop it"):
        decode(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_channels_apart_are_turned_as_the_others_are(orientation):
    tags = {274: ("H", [orientation])}
    samples = stored(shown(3), 16)
    together, apart = (decode(tiff(page(samples, RGB, apart=a, tags=tags))) for a in (False, True))
    assert np.array_equal(together.rgb16, apart.rgb16)
    assert apart.size == ((24, 40) if orientation >= 5 else (40, 24))


def test_channels_apart_keep_their_profile(as_file):
    from vivid_assets.imaging.io.color.icc import lab_profile

    broken = {34675: ("B", list(lab_profile()))}
    notes = decode(tiff(page(stored(shown(3), 8), RGB, apart=True, tags=broken))).notes
    assert notes
    assert notes[0].startswith("colour profile ignored")


@pytest.mark.parametrize("missing", [1, 2])
def test_planes_that_are_missing_are_said(missing):
    whole = page(stored(shown(3), 8), RGB, apart=True)
    whole["strips"] = whole["strips"][:-missing]
    with pytest.raises(UnreadablePicture, match=r"cut off|damaged"):
        decode(tiff(whole))


def test_a_plane_beyond_the_end_of_the_file_is_said():
    data = tiff(page(stored(shown(3), 8), RGB, apart=True))
    with pytest.raises(UnreadablePicture, match=r"cut off|damaged"):
        decode(data[: len(data) // 2])


def test_a_bomb_of_planes_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("pixels were decoded"))
    big = page(stored(shown(3), 8), RGB, apart=True, tags={256: ("I", [60_000]), 257: ("I", [60_000])})
    with pytest.raises(UnreadablePicture, match="over the limit"):
        decode(tiff(big))
