"""Backgrounds of one colour, and of none: exact to the last bit."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.small_catalogue import SmallCatalogue
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.rows.stage import FAILED
from vivid_assets.rows.tables import read_rows


def test_a_colour_is_exact_and_transparent_is_the_cut_out(tmp_path):
    spring = SmallCatalogue(tmp_path)
    for name in ("a.jpg", "b.png", "c.png"):
        spring.put(name)
    spring.say('background = "#12F"\n[composites]\nshadow = "none"\n')
    spring.manifest("image,background\na.jpg,\nb.png,transparent\nc.png,#fffffe\n")
    spring.run()
    assert {name: row["generator"] for name, row in spring.rows(BACKGROUNDS).items()} == {
        "a.jpg": "color",
        "b.png": "transparent",
        "c.png": "color",
    }
    assert spring.published() == {"a.jpg", "b.png", "c.png"}
    clear = np.array(spring.composite("b.png"))
    assert clear.shape[2] == 4
    alpha = clear[..., 3]
    assert set(np.unique(alpha)) >= {0, 255}
    exact = np.array(spring.composite("c.png"))
    assert (exact[alpha == 0] == (255, 255, 254)).all()
    inside = alpha == 255
    np.testing.assert_array_equal(exact[inside], clear[inside][:, :3])
    # Straight colours: over black it is the subject, darker towards its edge and nowhere of the old background's grey.
    soft = (alpha > 60) & (alpha < 200)
    assert soft.sum() > 20
    red = clear[soft][:, :3].astype(int)
    assert (red[:, 0] > red[:, 1] + 30).mean() > 0.95
    assert {row["shadow"] for row in spring.rows(COMPOSITES).values()} == {"none"}
    assert spring.run() == dict.fromkeys(spring.run(), 0)


def test_sixteen_bits_are_sixteen_before_a_colour(tmp_path):
    spring = SmallCatalogue(tmp_path)
    spring.put("a.png")
    deep = np.array(Image.open(spring.folder / "a.png")).astype(np.uint16) * 257 + 19
    cv2.imwrite(str(spring.folder / "a.png"), deep[..., ::-1])
    spring.say('background = "#336699"\n[composites]\nshadow = "none"\n')
    spring.run()
    made = cv2.imread(str(spring.store.path("composites/spring/a.png").path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert made.dtype == np.uint16
    assert made[2, 2].tolist() == [0x3333, 0x6666, 0x9999]
    assert (made[60:100, 60:100] % 257 == 19).all()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ('background = "../wall.jpg"', "background"),
        ('background = "#fff"\nbackground_folder = "walls"', "exclude each other"),
    ],
)
def test_a_background_that_cannot_be_is_refused_by_name(tmp_path, said, named):
    spring = SmallCatalogue(tmp_path)
    spring.put("a.jpg")
    spring.say(said)
    with pytest.raises(ValueError, match=named):
        scan(spring.store, register(spring.store, "spring", str(spring.folder)))


def test_jpeg_for_a_transparent_background_fails_with_what_to_do(tmp_path):
    spring = SmallCatalogue(tmp_path)
    spring.put("a.jpg")
    spring.say('background = "transparent"\n[composites]\nformat = "jpeg"\n')
    spring.run()
    (row,) = read_rows(spring.store, COMPOSITES, "spring-00000").values()
    assert row["status"] == FAILED
    assert "png or webp" in row["error"]
