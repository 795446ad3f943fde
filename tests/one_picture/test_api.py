"""The public functions, and that the commands do the same."""

import doctest
import subprocess
import sys
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from typer.testing import CliRunner

import vivid_assets
from tests.support.plain import plain
from vivid_assets import blend, find_mask, keep_models, replace_background
from vivid_assets.cli.main import app
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.one_picture import api

TIERS = ["gradients"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)


@pytest.fixture
def photo():
    """A red block before a grey wall, 120×160."""
    picture = np.full((120, 160, 3), 214, np.uint8)
    picture[30:90, 50:110] = (180, 40, 30)
    return picture


def vivid(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def levels(alpha):
    return np.rint(alpha * 255).astype(np.uint8)


@pytest.mark.parametrize("module", [vivid_assets, api])
def test_the_examples_are_true(module):
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_what_is_public_is_documented_and_there():
    for name in vivid_assets.__all__:
        assert name in dir(vivid_assets)
        assert getattr(vivid_assets, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'find_masks'"):
        _ = vivid_assets.find_masks


def test_the_import_loads_no_library_of_arrays():
    program = (
        "import sys, vivid_assets; dir(vivid_assets); print({'numpy', 'cv2', 'dagster', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


class TestTheCommandsDoTheSame:
    """The same input gives equal pixels: a file by the command, its pixels by the function."""

    @pytest.fixture(params=["8 bits", "16 bits", "transparent", "shadow"])
    def file(self, request, photo, tmp_path) -> Path:
        path = tmp_path / "photo.png"
        if request.param == "16 bits":
            path.write_bytes(encode(photo.astype(np.uint16) * 257 + 3))
        elif request.param == "transparent":
            alpha = np.ones(photo.shape[:2], np.float32)
            alpha[:, :20] = 0
            path.write_bytes(encode(photo, alpha=alpha))
        else:
            path.write_bytes(encode(plain().picture if request.param == "shadow" else photo))
        return path

    @staticmethod
    def pixels(path: Path):
        """The file's pixels as an array of all its channels and bits."""
        picture = decode(path.read_bytes())
        colors = picture.rgb if picture.rgb16 is None else picture.rgb16
        if picture.alpha is None:
            return colors
        return np.dstack([colors, np.rint(picture.alpha * np.iinfo(colors.dtype).max).astype(colors.dtype)])

    def test_mask(self, file):
        vivid("mask", file, "--tiers", "gradients")
        found = find_mask(self.pixels(file), tiers=TIERS)
        written = (file.parent / "photo-mask.png").read_bytes()
        np.testing.assert_array_equal(decode_mask(written), decode_mask(encode_mask(found.alpha)))

    @pytest.mark.slow
    @pytest.mark.parametrize("background", ["prompt", "colour", "picture"])
    def test_replace(self, file, background, tmp_path):
        other = np.zeros((50, 90, 3), np.uint8)
        other[:, 40:] = (20, 160, 220)
        (tmp_path / "beach.png").write_bytes(encode(other))
        command, arguments = {
            "prompt": (["--prompt", "sage paper", "--generator", "backdrop"], {"generator": "backdrop"}),
            "colour": (["--background", "#07f"], {"background": "#07f"}),
            "picture": (["--background", tmp_path / "beach.png"], {"background": other}),
        }[background]
        vivid("replace", file, *command, "--tiers", "gradients", "--seed", 7)
        prompt = "sage paper" if background == "prompt" else ""
        done = replace_background(self.pixels(file), prompt, seed=7, tiers=TIERS, **arguments)
        np.testing.assert_array_equal(done.composite, self.pixels(tmp_path / "photo-composite.png"))
        cutout = self.pixels(tmp_path / "photo-cutout.png")
        np.testing.assert_array_equal(done.cutout[..., : cutout.shape[2]], cutout)
        assert done.composite.dtype == self.pixels(file).dtype

    @pytest.mark.parametrize("mode", ["decontaminate", "lab-deprojection", "alpha"])
    def test_blend(self, file, mode, tmp_path):
        pixels = self.pixels(file)
        y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
        mask = np.clip((40 - np.hypot(y - 60, x - 80)) / 5 + 0.5, 0, 1).astype(np.float32)
        (tmp_path / "mask.png").write_bytes(encode_mask(mask))
        out = tmp_path / "out.png"
        vivid("blend", "--image", file, "--mask", tmp_path / "mask.png", "--background", "#203c78", "--output", out,
              "--mode", mode, "--cutout", tmp_path / "cut.png")  # fmt: skip
        done = blend(pixels, levels(mask), "#203c78", mode=mode)
        np.testing.assert_array_equal(done.composite, self.pixels(out))
        np.testing.assert_array_equal(done.cutout, self.pixels(tmp_path / "cut.png"))


class TestPillow:
    def test_the_results_are_pillow_s_with_the_same_pixels(self, photo):
        arrays = replace_background(photo, background="#07f", tiers=TIERS)
        images = replace_background(Image.fromarray(photo), background="#07f", tiers=TIERS)
        assert (images.composite.mode, images.cutout.mode, images.alpha.mode) == ("RGB", "RGBA", "L")
        np.testing.assert_array_equal(np.asarray(images.composite), arrays.composite)
        np.testing.assert_array_equal(np.asarray(images.cutout), arrays.cutout)
        np.testing.assert_array_equal(np.asarray(images.mask.alpha), levels(arrays.mask.alpha))

    def test_its_profile_and_its_orientation_are_applied(self, photo):
        image = Image.fromarray(photo)
        exif = image.getexif()
        exif[0x0112] = 6
        image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        file = BytesIO()
        image.save(file, "PNG", exif=exif)
        found = find_mask(Image.open(file), tiers=TIERS)
        assert found.alpha.size == (120, 160)

    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
    def test_its_modes(self, photo, mode):
        assert find_mask(Image.fromarray(photo).convert(mode), tiers=TIERS).alpha.size == (160, 120)

    def test_a_mode_that_is_not_taken_is_named(self, photo):
        with pytest.raises(ValueError, match="not CMYK: convert it to RGB"):
            find_mask(Image.fromarray(photo).convert("CMYK"))


def test_a_photograph_s_mask_has_an_estimate(photo):
    grain = np.random.default_rng(0).integers(-9, 10, photo.shape)
    found = find_mask((photo + grain).clip(0, 255).astype(np.uint8), tiers=TIERS)
    assert 0 <= found.right <= 1


def test_grey_arrays_are_taken(photo):
    assert find_mask(photo[..., 0], tiers=TIERS).alpha.shape == (120, 160)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4, 3)), ValueError, "uint8 or uint16, not float64"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"not \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"not \(0, 4, 3\)"),
        ([[1, 2]], TypeError, "not list"),
        ("photo.jpg", TypeError, "not str"),
    ],
)
def test_what_is_no_image_is_named(image, error, message):
    with pytest.raises(error, match=message):
        find_mask(image)


def test_too_many_pixels_are_refused(photo):
    with pytest.raises(ValueError, match="over the limit of 0 megapixels"):
        find_mask(photo, settings={"prepared_images": {"max_megapixels": 0.001}})


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16, np.float32, np.float64])
def test_a_mask_of_every_dtype_is_the_same_mask(photo, dtype):
    mask = np.zeros((120, 160), np.float64)
    mask[30:90, 50:110] = 1
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    done = blend(photo, (mask * top).astype(dtype), "#07f", shadow="none")
    np.testing.assert_array_equal(done.alpha, mask)
    assert done.composite[2, 2].tolist() == [0, 119, 255]
    assert done.composite[60, 80].tolist() == [180, 40, 30]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.full((120, 160), 255.0), r"0\.\.1, not in 255\.\.255"),
        (np.full((120, 160), np.nan), r"0\.\.1, not in nan\.\.nan"),
        (np.zeros((120, 160, 3), np.uint8), "H×W"),
        (np.zeros((120, 160), np.int64), "not int64"),
        (np.zeros((60, 80), np.uint8), "image 160x120, mask 80x60"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(photo, mask, message):
    with pytest.raises(ValueError, match=message):
        blend(photo, mask, "#fff")


def test_your_own_mask_is_used_and_no_tier_is_tried(photo):
    mask = np.zeros((120, 160), np.uint8)
    mask[60:] = 255
    done = replace_background(photo, background="#00ff00", mask=Image.fromarray(mask))
    assert (done.mask.tier, done.mask.right) == ("your own", None)
    assert done.composite[10, 80].tolist() == [0, 255, 0]
    assert done.composite[110, 10].tolist() == [214, 214, 214]


def test_what_is_missing_or_misspelt_is_named(photo):
    with pytest.raises(ValueError, match="neither a prompt nor a background"):
        replace_background(photo)
    with pytest.raises(ValueError, match="not 'beach'"):
        replace_background(photo, background="beach")
    with pytest.raises(ValueError, match="no mask tier 'u2'"):
        find_mask(photo, tiers=["u2"])
    with pytest.raises(ValueError, match=r"composites\.mod"):
        blend(photo, photo[..., 0], "#fff", settings={"composites": {"mod": "alpha"}})


def test_settings_come_from_the_file_then_the_tables_then_the_argument(photo, tmp_path, monkeypatch):
    (tmp_path / "vivid.toml").write_text('[composites]\nshadow = "none"\nmode = "decontaminate"\n')
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    tables = {"composites": {"mode": "alpha"}}
    read = api.read_settings(tables, mode="lab-deprojection").composites
    assert (read.mode, read.shadow) == ("lab-deprojection", "none")
    assert api.read_settings(tables).composites.mode == "alpha"
    assert tables == {"composites": {"mode": "alpha"}}


def test_models_are_kept_within_the_block_and_no_longer(photo, monkeypatch):
    made = []
    make = api.Masks
    monkeypatch.setattr(api, "Masks", lambda *given: made.append(given[2]) or make(*given))
    with keep_models():
        for _ in range(2):
            find_mask(photo, tiers=TIERS)
        find_mask(photo, tiers=["u2netp", "gradients"])
    find_mask(photo, tiers=TIERS)
    assert made == [("gradients",), ("u2netp", "gradients"), ("gradients",)]


@pytest.mark.parametrize("package", ["vivid_assets", "resources", "partitions"])
def test_the_packages_say_that_they_are_typed(package):
    assert files(package).joinpath("py.typed").is_file()


def test_the_floor_of_a_clip_lies_below_all_of_its_frames():
    frames = [np.full((64, 96, 3), 214, np.uint8) for _ in range(6)]
    for place, frame in enumerate(frames):
        frame[4 + 6 * place : 28 + 6 * place, 36:60] = (180, 40, 30)
    options = {"generator": "backdrop", "tiers": ["gradients"], "shadow": "none"}
    down, up = (
        [*vivid_assets.replace_clip_background(clip, "oak table before a blue wall", **options)]
        for clip in (frames, frames[::-1])
    )
    assert np.array_equal(down[0].composite[:, :20], up[0].composite[:, :20])
