"""The settings file: what it refuses, and how it says so."""

import pytest

from resources.masks.birefnet import BiRefNet
from resources.masks.vitmatte import VitMatte
from resources.weights.registry import CATALOGUE
from vivid_assets.settings import SettingsFile, parse_settings


def parse(text):
    return parse_settings(text, where="vivid.toml", overrides={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[masks]\nrefin = true", r"vivid\.toml: masks\.refin: there is no entry 'refin'; did you mean 'refine'"),
        ('[birefnet]\nmodle = "x"', "birefnet: there is no entry 'modle'; did you mean 'model'"),
        ("[masks.thresholds]\nmin_peek = 0.4", "there is no threshold 'min_peek'; did you mean 'min_peak'"),
        ("[masks.thresholds]\nmin_peak = 4", r"masks\.thresholds\.min_peak: Input should be less than or equal to 1"),
        ("[masks", "vivid.toml is not valid TOML"),
        ("[mask]\nrefine = true", "mask: there is no entry 'mask'; did you mean 'masks'"),
        ("refine = true", r"refine: there is no such entry at the top of the file; it belongs in the table \[masks\]"),
        ("[masks]\nstretch_low = nan", "masks.stretch_low: Input should be a finite number"),
        (
            '[sdxl]\ndevice = "gpu"',
            r"vivid\.toml: sdxl: device: 'gpu' is no device: use auto, cpu, cuda, cuda:N",
        ),
        ('[open_clip]\ndevice = "cuda:one"', "open_clip: device: 'cuda:one' is no device"),
        ('[birefnet]\ndevice = "CUDA"', "birefnet: device: 'CUDA' is no device"),
        ('[vitmatte]\ndevice = "0"', "vitmatte: device: '0' is no device"),
        ('[sdxl]\ndtype = "half"', "sdxl: dtype: Input should be 'auto', 'float32'"),
        ('[vitmatte]\nband = "wide"', "vitmatte: band: Input should be a valid number"),
    ],
)
def test_a_bad_entry_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_a_settings_file_of_another_editor(tmp_path):
    path = tmp_path / "vivid.toml"
    path.write_bytes(b"\xef\xbb\xbf[masks]\r\nrefine = false\r\n")
    assert not SettingsFile(path=str(path)).read().masks.refine
    path.write_bytes("[masks]\n# Gr\xfc\xdfe\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"vivid\.toml is not UTF-8 text \(line 2\): save it as UTF-8"):
        SettingsFile(path=str(path)).read()


def test_a_model_for_large_pictures_that_no_picture_would_reach_is_said():
    model = '[birefnet]\nhr_model = "ZhengPeng7/BiRefNet_HR"\n'
    with pytest.raises(ValueError, match="none larger than 1024: raise that"):
        parse(model)
    assert parse(model + "[prepared_images]\nlongest = 2048").entries("birefnet")["hr_model"]
    assert parse(model + "hr_from = 900").entries("birefnet")["hr_from"] == 900


def test_what_is_pulled_is_what_the_resource_asks_for():
    pulled, large = CATALOGUE["birefnet"].files, CATALOGUE["birefnet_hr"].files
    resource = BiRefNet(hr_model=large.source)
    assert (resource.model, resource.model_revision) == (pulled.source, pulled.revision)
    assert [variant.weights for variant in resource._variants()] == [pulled, large]
    assert VitMatte().weights == CATALOGUE["vitmatte"].files


def test_who_cannot_inpaint_is_not_asked_to():
    with pytest.raises(ValueError, match=r"backgrounds: .*place inpaint needs SDXL"):
        parse('[backgrounds]\ngenerator = "backdrop"\nplace = "inpaint"')
    assert parse('[backgrounds]\nplace = "inpaint"').backgrounds.place == "inpaint"


@pytest.mark.parametrize("text", ['masks = "u2net"', "masks = 3", "[[masks]]\nrefine = true"])
def test_a_table_that_is_none_is_named_whatever_a_catalogue_says(text):
    with pytest.raises(ValueError, match=r"^vivid\.toml: masks: Input should be a table, written \[masks\]"):
        parse_settings(text, where="vivid.toml", overrides={"masks": {"refine": False}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[masks]\ntiers = "u2net"', r"masks\.tiers: Input should be a list, as in \['u2net'\]"),
        ('[masks]\nthresholds = "high"', r"written \[masks\.thresholds\]"),
        ('[composites]\nformat = "jpg"', "or 'webp', and not 'jpg'"),
    ],
)
def test_what_should_be_there_and_what_is(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ('canvas = "2000"', "canvas: write WIDTHxHEIGHT in pixels, such as 2000x2000, or source, not '2000'"),
        ('canvas = "0x100"', "canvas"),
        ('canvas = "90000x90000"', "120 megapixels"),
        ("padding = -0.1", "padding"),
        ("padding = [0.1, 0.1]", "padding"),
        ("padding = 0.5", r"no room between left \(0\.5\) and right \(0\.5\)"),
        ('align = "middle"', "align"),
        ("most_enlarged = 0", "most_enlarged"),
    ],
)
def test_a_senseless_placement_is_refused_by_name(entry, named):
    with pytest.raises(ValueError, match=named):
        parse_settings(f"[composites]\n{entry}\n", where="vivid.toml", overrides={})


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ('preset = "amazn-main"', "did you mean 'amazon-main'"),
        ("pading = 0.1", "did you mean 'padding'"),
        ('canvas = "300x300"\npadding = 200', "no room: 400 of 300 pixels across, 400 of 300 down"),
        ('preset = "story"\npadding = 600', "no room: 1200 of 1080 pixels across"),
        ('background = "transparent"\nformat = "jpeg"', "format: JPEG holds no transparency"),
        ('preset = "amazon-main"\nbackground = "transparent"', "format: JPEG holds no transparency"),
        ('prompt = "sand"\nbackground = "#fff"', "exclude each other"),
    ],
)
def test_a_rendition_that_no_picture_could_have_is_refused(entries, message):
    with pytest.raises(ValueError, match=rf"renditions\.main.*{message}"):
        parse(f"[renditions.main]\n{entries}\n")
