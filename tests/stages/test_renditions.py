"""Several pictures of one product: what is made once, what a rendition has for itself, and what a change touches."""

import json
from contextlib import nullcontext

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from resources.scenes.request import Scene, bucket
from resources.scenes.sdxl import SDXL
from tests.support.small_catalogue import SmallCatalogue
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.progress import counts_of, summary_of
from vivid_assets.checks.presets import PRESETS
from vivid_assets.imaging.backdrop.render import look_of, render
from vivid_assets.imaging.blend.placement import subject_box
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.review.look import FINE, RULES

THREE = """
prompt = "blue paper"
[composites]
shadow = "none"
[renditions.main]
background = "#ffffff"
canvas = "200x200"
fit = "subject"
padding = 0.1
format = "jpeg"
[renditions.beach]
prompt = "sand coloured paper"
[renditions.cut]
background = "transparent"
format = "png"
"""


@pytest.fixture
def spring(tmp_path):
    made = SmallCatalogue(tmp_path)
    made.put("a.jpg")
    made.put("shoes/b.jpg", subject=(30, 60, 150))
    return made


def test_a_mask_is_made_once_and_each_rendition_has_its_own_rows_and_folder(spring):
    spring.say(THREE)
    computed = spring.run()
    assert {computed[name] for name in ("prepared_images", "analysis", "masks")} == {2}
    assert {computed[name] for name in ("enhanced_prompts", "backgrounds", "composites", "review")} == {6}
    assert spring.published() == {
        "main/a.jpg",
        "main/shoes/b.jpg",
        "beach/a.jpg",
        "beach/shoes/b.jpg",
        "cut/a.jpg.png",
        "cut/shoes/b.jpg.png",
    }
    assert spring.composite("main/a.jpg").size == (200, 200)
    assert spring.composite("beach/a.jpg").size == (160, 160)
    assert spring.composite("cut/a.jpg.png").mode == "RGBA"
    assert {row["generator"] for row in spring.rows(BACKGROUNDS).values()} == {"color", "backdrop", "transparent"}
    assert spring.rows(ENHANCED_PROMPTS)["a.jpg (beach)"]["user_prompt"] == "sand coloured paper"
    assert set(spring.rows(MASKS)) == {"a.jpg", "shoes/b.jpg"}
    assert not any(spring.run().values())
    (summary,) = summary_of(spring.store, "spring").values()
    assert (summary.pictures, summary.renditions) == (2, 6)
    counts = counts_of(spring.store, "spring", ["masks", "composites"])
    assert {stage: dict(found) for stage, found in counts.items()} == {"masks": {"ok": 2}, "composites": {"ok": 6}}


def test_a_change_touches_the_rows_of_its_rendition_alone(spring):
    spring.say(THREE)
    spring.run()
    before = spring.rows(COMPOSITES)

    spring.say(THREE.replace("padding = 0.1", "padding = 0.2"))
    assert {stage: rows for stage, rows in spring.run().items() if rows} == {"composites": 2, "review": 2}
    after = spring.rows(COMPOSITES)
    assert {name for name, row in after.items() if row["key"] != before[name]["key"]} == {
        "a.jpg (main)",
        "shoes/b.jpg (main)",
    }

    spring.say(THREE.replace("sand coloured paper", "green paper"))
    assert {stage: rows for stage, rows in spring.run().items() if rows} == {
        "enhanced_prompts": 2,
        "backgrounds": 2,
        "composites": 2,
        "review": 2,
    }, "main's rows are as they were"

    four = THREE + '[renditions.black]\nbackground = "#000000"\n'
    spring.say(four)
    added = spring.run()
    # Its words are the picture's, whose prompts are there.
    assert {added[name] for name in ("prepared_images", "analysis", "masks", "enhanced_prompts")} == {0}
    assert {added[name] for name in ("backgrounds", "composites", "review")} == {2}
    assert "black/a.jpg" in spring.published()

    spring.say(THREE)
    assert not any(spring.run().values())
    assert not any(name.startswith("black/") for name in spring.published())
    spring.say(four)
    assert not any(spring.run().values()), "what was there once comes back at no cost"
    assert "black/a.jpg" in spring.published()


def test_without_renditions_the_rows_are_the_pictures(spring):
    spring.say('prompt = "blue paper"\n')
    first = spring.run()
    assert set(first.values()) == {2}
    keys = {name: row["key"] for name, row in spring.rows(COMPOSITES).items()}
    assert spring.published() == {"a.jpg", "shoes/b.jpg"}

    # One that says nothing asks for what the picture asks for: no key changes, and no row is made again.
    spring.say('prompt = "blue paper"\n[renditions.same]\n')
    assert not any(spring.run().values())
    assert {row["picture"]: row["key"] for row in spring.rows(COMPOSITES).values()} == keys
    assert spring.published() == {"same/a.jpg", "same/shoes/b.jpg"}
    spring.say('prompt = "blue paper"\n')
    assert not any(spring.run().values())
    assert spring.published() == {"a.jpg", "shoes/b.jpg"}


def test_the_manifest_gives_a_picture_its_own_words_and_leaves_renditions_out(spring):
    spring.put("wall.png")
    spring.say(THREE)
    spring.manifest(
        "image,rendition,prompt,background,seed\n"
        "a.jpg,,oak table,,7\n"
        "a.jpg,beach,pebbles,,\n"
        "a.jpg,main,,wall.png,\n"
        "shoes/b.jpg,cut,,,\n"
        "shoes/b.jpg,coast,x,,\n"
    )
    spring.run()
    assert any("rendition 'coast'" in note for note in spring.found.refused)
    words = {name: row["user_prompt"] for name, row in spring.rows(ENHANCED_PROMPTS).items()}
    assert words["a.jpg (beach)"] == "pebbles"
    backgrounds = spring.rows(BACKGROUNDS)
    assert set(backgrounds) == {"a.jpg (main)", "a.jpg (beach)", "a.jpg (cut)", "shoes/b.jpg (cut)"}
    assert backgrounds["a.jpg (main)"]["generator"] == "own"
    assert backgrounds["a.jpg (beach)"]["seed"] == 7
    assert backgrounds["a.jpg (cut)"]["generator"] == "transparent"


@pytest.mark.parametrize("listed", [True, False])
def test_a_rendition_is_not_called_as_a_folder_of_pictures_is(spring, listed):
    spring.put("Main/a.jpg")
    if listed:
        spring.manifest("image,digest\na.jpg,version:1\nMain/a.jpg,version:2\n")
    spring.say('prompt = "sand"\n')
    spring.scan()
    spring.say(THREE)
    with pytest.raises(ValueError, match=r"a rendition 'main', and 'Main' is a folder of pictures"):
        spring.scan()
    spring.say(THREE.replace("[renditions.main]", "[renditions.con]"))
    with pytest.raises(ValueError, match=r"renditions\.con: 'con' has a part that names a device"):
        spring.scan()


def test_a_name_that_a_rendition_takes_over_from_a_folder_stays_published(spring):
    (spring.folder / "shoes").rename(spring.folder / "main")
    (spring.folder / "main/b.jpg").rename(spring.folder / "main/a.jpg")
    spring.say('prompt = "blue paper"\nshard_size = 1\n')
    spring.run()
    assert spring.published() == {"a.jpg", "main/a.jpg"}
    (spring.folder / "main").rename(spring.folder / "other")
    spring.say('prompt = "blue paper"\nshard_size = 1\n[renditions.main]\n')
    spring.run()
    assert spring.published() == {"main/a.jpg", "main/other/a.jpg"}


def test_a_picture_that_changes_as_its_rendition_is_dropped_leaves_nothing_behind(spring):
    one, other = '[renditions.main]\nbackground = "#fff"\n', '[renditions.cut]\nbackground = "#000"\n'
    spring.say(f"shard_size = 1\n{one}{other}")
    spring.run()
    spring.put("a.jpg", subject=(20, 120, 60))
    spring.say(f"shard_size = 1\n{one}")
    spring.run()
    assert spring.published() == {"main/a.jpg", "main/shoes/b.jpg"}


def test_a_scene_has_the_shape_of_its_canvas(spring):
    laid = 'canvas = "90x160"\nfit = "subject"\npadding = 0.1\nalign = "center"\nformat = "png"\n'
    spring.say(
        f'prompt = "blue paper"\n[composites]\nshadow = "none"\n[renditions.story]\n{laid}[renditions.own]\n'
        f'[renditions.cut]\nbackground = "transparent"\n{laid}'
    )
    spring.run()
    sizes = {
        row["rendition"]: Image.open(spring.store.path(row["file"]).path).size
        for row in spring.rows(BACKGROUNDS).values()
        if row["file"]
    }
    assert sizes == {"story": (90, 160), "own": (160, 160)}
    # Its floor reaches up to where the subject stands, which is before the wall by itself.
    made, cut = (np.array(spring.composite(f"{name}/a.jpg.png")).astype(float) for name in ("story", "cut"))
    foot = (np.flatnonzero((cut[..., 3] > 127).any(axis=1))[-1] + 1) / 160
    look = look_of(spring.rows(BACKGROUNDS)["a.jpg (story)"]["recipe"])
    meeting, by_itself = (
        np.abs(render(look, 160, 90, seed=42, foot=one) - made)[cut[..., 3] == 0].mean() for one in (foot, 1.0)
    )
    assert 0.6 < foot < 0.8
    assert meeting < 0.5 * by_itself


@pytest.mark.parametrize("place", ["scene", "inpaint"])
def test_a_model_is_asked_for_the_canvas_s_shape_and_sees_the_subject_where_it_will_stand(spring, monkeypatch, place):
    asked = []

    def paint(requests):
        asked.extend(requests)
        return [Scene(np.full((64, 64, 3), 90, np.uint8), {}) for _ in requests]

    monkeypatch.setattr(SDXL, "lease", lambda self: nullcontext(paint))
    wanted = {"masks": {"tiers": ["gradients"]}, "backgrounds": {"generator": "sdxl", "place": place}}
    monkeypatch.setattr("tests.support.small_catalogue._SETTINGS", wanted)
    laid = 'canvas = "900x1600"\nfit = "subject"\npadding = 0.1\nalign = "bottom"\nmost_enlarged = 16\n'
    spring.say(
        f'prompt = "sand"\n[renditions.story]\n{laid}[renditions.own]\n'
        f'[renditions.cut]\nbackground = "transparent"\nformat = "png"\n{laid}'
    )
    spring.run("prepared_images", "analysis", "masks")
    spring.run()
    stories, own = ([one for one in asked if (one.height > one.width) is tall] for tall in (True, False))
    assert {bucket(one.height, one.width) for one in stories} == {bucket(1600, 900)}
    assert {(one.height, one.width) for one in own} == {(160, 160)}
    if place == "scene":
        assert [len(stories), len(own)] == [1, 1], "one scene for both pictures"
        assert {one.subject for one in asked} == {None}
        return
    assert [len(stories), len(own)] == [2, 2]
    cut = np.array(spring.composite("cut/a.jpg.png"))[..., 3]
    left, _, right, bottom = (side / 10 for side in subject_box(cut / 255))
    for one in stories:
        assert one.subject.image.shape == (160, 90, 3)
        # Where the composite stands; how high, the photograph says better than its mask, which is what the model sees.
        np.testing.assert_allclose(np.array(subject_box(one.subject.alpha))[[0, 2, 3]], (left, right, bottom), atol=1)


def test_the_dataset_has_a_row_per_picture_and_rendition(spring):
    spring.say(THREE)
    spring.run()
    table = pq.read_table(spring.store.path("export/spring/data/spring-00000.parquet").path).to_pylist()
    assert [(row["picture"], row["rendition"], row["status"]) for row in table[:3]] == [
        ("a.jpg", "main", "ok"),
        ("a.jpg", "beach", "ok"),
        ("a.jpg", "cut", "ok"),
    ]
    assert len(table) == 6
    assert table[0]["composite"] == "../../composites/spring/main/a.jpg"
    assert len({row["mask"] for row in table}) == 2
    page = spring.store.read("review/spring-00000.html").decode()
    assert "a.jpg (main)" in page


def test_a_picture_that_goes_takes_its_renditions_with_it(spring):
    spring.say(THREE)
    spring.run()
    (spring.folder / "a.jpg").unlink()
    assert not any(spring.run().values())
    assert spring.published() == {"main/shoes/b.jpg", "beach/shoes/b.jpg", "cut/shoes/b.jpg.png"}
    named = json.loads(spring.store.read("published/spring/spring-00000.json"))
    assert len(named) == 3


def test_what_breaks_a_presets_rules_is_said_for_each_rendition(spring):
    # In a thumbnail what JPEG leaves beside the subject reaches the frame.
    spring.put("a.jpg", size=480)
    spring.put("shoes/b.jpg", size=480, subject=(30, 60, 150))
    spring.say(
        '[renditions.main]\npreset = "amazon-main"\ncanvas = "120x120"\nleast_canvas = ""\n'
        '[renditions.square]\npreset = "square-white"\ncanvas = "100x100"\n'
    )
    spring.run()
    judged = PRESETS.judge(spring.outcomes["composites"], None)
    assert not judged.passed
    assert judged.sentence.startswith("main: 2 of 2 break its rules (a.jpg: ")
    assert judged.sentence.count("the longer side has 120 pixels, and not 1000 or more") == 2
    assert "square" not in judged.sentence
    assert judged.figures == {"broken_rules": 0.5}
    table = pq.read_table(spring.store.path("export/spring/data/spring-00000.parquet").path).to_pylist()
    assert {row["rendition"]: len(row["broken_rules"]) > 0 for row in table} == {"main": True, "square": False}
    looked = spring.outcomes["review"].rows
    assert {row["rendition"]: row["rank"] for row in looked} == {"main": RULES, "square": FINE}
    (why,) = next(row["why"] for row in looked if row["rendition"] == "main")
    assert why.startswith("It breaks its preset's rules: ")
    assert "the longer side has 120 pixels, and not 1000 or more" in why


@pytest.mark.parametrize("color", ["#ffffff", "#000000", "#3a7d12"])
def test_a_colour_is_exact_in_every_pixel_without_subject(spring, color):
    laid = 'canvas = "200x200"\nfit = "subject"\npadding = 0.1\n'
    spring.say(
        f'[composites]\nshadow = "none"\n[renditions.plain]\nbackground = "{color}"\nformat = "png"\n{laid}'
        f'[renditions.file]\nbackground = "{color}"\nformat = "jpeg"\nquality = 92\n{laid}'
        f'[renditions.cut]\nbackground = "transparent"\nformat = "png"\n{laid}'
    )
    spring.run()
    picture, cut = (np.array(spring.composite(f"{name}/a.jpg.png")) for name in ("plain", "cut"))
    clear = cut[..., 3] == 0
    assert clear.mean() > 0.2
    wanted = tuple(bytes.fromhex(color[1:]))
    assert (picture[clear] == wanted).all()
    if {*wanted} <= {0, 255}:
        assert (np.array(spring.composite("file/a.jpg"))[clear] == wanted).all()


def test_a_subject_is_taken_off_its_photograph_once_for_all_that_can_share_it(spring, monkeypatch):
    taken = []

    def counted(image, alpha, options, **others):
        taken.append(options.mode)
        return separate(image, alpha, options, **others)

    monkeypatch.setattr("vivid_assets.stages.composites.separate", counted)
    spring.say(THREE.replace('format = "png"\n', ""))
    spring.run()
    assert len(taken) == 4, "of each picture one for JPEG, and one for PNG, which may have 16 bits"
    with_one = {name: spring.store.read(f"composites/spring/{name}") for name in spring.published()}
    monkeypatch.setattr("vivid_assets.stages.composites._KEPT_PIXELS", 0)
    spring.say(THREE.replace('format = "png"\n', "").replace("padding = 0.1", "padding = 0.2"))
    spring.run()
    spring.say(THREE.replace('format = "png"\n', ""))
    assert not spring.run()["composites"]
    assert len(taken) == 6, "main's two, by themselves"
    assert {name: spring.store.read(f"composites/spring/{name}") for name in spring.published()} == with_one
