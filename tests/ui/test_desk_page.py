"""The review desk in a real browser: a wrong mask made again by a tier, an upload and a drawing; clicks are counted.

What the desk asks for is run here; tests/scheduling/test_alerts.py has the sensor that requests it in Dagster.
"""

import json
import threading

import cv2
import numpy as np
import pytest
import uvicorn

from resources.store.store import Store
from tests.support.shards import run_shard
from tests.support.waiting import until
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.catalogue.wishes import Wish, read_judged, read_kept_mask, read_wishes
from vivid_assets.desk.app import desk_app
from vivid_assets.desk.desk import Desk
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.read_mask import read_mask
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import SettingsFile

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=0.5)]

SIZE = 240
SHARD = "spring-00000"
PICTURES = {"bricks.png": "brick", "gravel.png": "gravel", "grass.png": "grass"}
MOST_CLICKS = 6
COUNT = "window.clicks = 0; addEventListener('pointerdown', () => { window.clicks += 1; }, true);"


def subject() -> np.ndarray:
    disc = np.zeros((SIZE, SIZE), np.uint8)
    return cv2.circle(disc, (SIZE // 2, SIZE // 2), SIZE // 4, 255, -1, cv2.LINE_AA)


def photograph(wall: np.ndarray) -> np.ndarray:
    """A red disc before a wall of a pattern, which the tier of the drawn gradients cannot tell from it."""
    weight = subject()[..., None] / 255
    wall = np.repeat(cv2.resize(wall, (SIZE, SIZE))[..., None], 3, axis=2)
    return (wall * (1 - weight) + np.array((30, 40, 200)) * weight).astype(np.uint8)


def overlap(alpha: np.ndarray) -> float:
    """Of a mask and the disc: intersection over union."""
    found, true = alpha > 0.5, subject() > 127
    return float((found & true).sum() / (found | true).sum())


class Studio:
    """A catalogue with wrong masks, its desk, and the runs that are asked for there."""

    def __init__(self, root):
        self.store, self.settings_file = Store(root=str(root / "store")), root / "vivid.toml"
        self.settings_file.write_text(
            '[masks]\ntiers = ["u2netp", "gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
        )
        from skimage import data

        folder = root / "pictures"
        folder.mkdir()
        for name, wall in PICTURES.items():
            cv2.imwrite(str(folder / name), photograph(getattr(data, wall)()))
        (folder / "manifest.csv").write_text("image,tier\n" + "".join(f"{name},gradients\n" for name in PICTURES))
        scan(self.store, register(self.store, "spring", str(folder)))
        run_shard(self.store, SHARD, self.settings_file)
        desk = Desk(self.store, SettingsFile(path=str(self.settings_file)))
        config = uvicorn.Config(desk_app(desk, hosts={"127.0.0.1"}), port=0, log_level="warning")
        self.server, self.socket = uvicorn.Server(config), config.bind_socket()
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/spring"
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        until(lambda: self.server.started, alive=self.thread.is_alive)

    def stop(self):
        self.server.should_exit = True
        self.thread.join()

    def mask(self, picture):
        """The tier and the alpha."""
        row = read_rows(self.store, MASKS, SHARD)[picture]
        return row["tier"], decode_mask(self.store.read(row["file"]))

    def run_what_was_asked(self):
        """The rows that were computed, by stage."""
        (waiting,) = self.store.names("updates")
        ((shard, stages, _),) = json.loads(self.store.read(f"updates/{waiting}"))
        self.store.remove([f"updates/{waiting}"])
        return run_shard(self.store, shard, self.settings_file, selection=stages)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.stop()


@pytest.fixture
def desk(browser, studio):
    page = browser.new_page(viewport={"width": 1400, "height": 850})
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.add_init_script(COUNT)
    page.goto(studio.url)
    yield page
    assert page.complaints == []
    page.close()


def choose(page, picture):
    page.locator(f".tile[title='{picture}']").click()


def make_again(page):
    """The clicks that it took since the page was opened."""
    page.get_by_role("button", name="Make again now").click()
    page.locator("#notice", has_text="1 run requested").wait_for()
    return page.evaluate("window.clicks")


def drag(page, *points):
    """With the pressed button over the picture, by its own pixels."""
    box = page.locator("#draw-mask").bounding_box()
    scale = box["width"] / SIZE
    for at, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=4)
        if not at:
            page.mouse.down()
    page.mouse.up()


def kept(studio, picture):
    return read_mask(read_kept_mask(studio.store, "spring", read_wishes(studio.store, "spring")[picture].mask)).values


def test_a_wrong_mask_is_made_again_by_another_tier(studio, desk, u2netp):
    assert overlap(studio.mask("bricks.png")[1]) < 0.5
    choose(desk, "bricks.png")
    desk.locator("#desk-tier").click()
    desk.keyboard.type("u2netp")
    assert make_again(desk) <= MOST_CLICKS
    desk.locator("#desk-busy").wait_for()
    wrong = desk.locator(".cell.after img").get_attribute("src")
    assert studio.run_what_was_asked()["masks"] == 1
    tier, alpha = studio.mask("bricks.png")
    assert (tier, overlap(alpha) > 0.95) == ("u2netp", True)
    # Without a click more: the page shows it in its place.
    desk.locator("#facts", has_text="u2netp").wait_for()
    desk.locator("#desk-busy").wait_for(state="hidden")
    desk.locator(f".cell.after img:not([src='{wrong}'])").wait_for()
    assert desk.locator("#strip .tile[aria-selected=true]").get_attribute("title") == "bricks.png"


def test_what_is_typed_for_one_picture_stays_while_another_one_comes_back(studio, desk):
    choose(desk, "gravel.png")
    desk.keyboard.press("m")
    desk.keyboard.press("Tab")
    desk.keyboard.type("teal paper")
    desk.keyboard.press("Enter")
    desk.locator("#notice", has_text="1 run requested").wait_for()
    choose(desk, "grass.png")
    desk.keyboard.press("f")
    desk.locator("#desk-prompt").fill("half a sentence")
    studio.run_what_was_asked()
    desk.locator("#notice", has_text="gravel.png has been made again.").wait_for()
    assert desk.locator("#name").inner_text() == "grass.png"
    assert desk.locator("#desk-prompt").input_value() == "half a sentence"
    assert desk.locator(".tile.flagged").get_attribute("title") == "grass.png"
    choose(desk, "gravel.png")
    assert "teal paper" in desk.locator("#facts").inner_text()
    desk.keyboard.press("x")
    with desk.expect_response("**/judge"):
        desk.get_by_role("button", name="Clear all").click()
    assert read_judged(studio.store, "spring") == {}


def test_who_judges_what_somebody_else_has_judged_meanwhile_is_told_and_sees_it(browser, studio, desk):
    other = browser.new_page(viewport={"width": 1400, "height": 850})
    other.goto(studio.url)
    for page in (desk, other):
        choose(page, "gravel.png")
    with desk.expect_response("**/judge"):
        desk.keyboard.press("a")
    # Both were said before anything was seen of the other's word.
    pressed = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'f', bubbles: true }));"
    other.evaluate(2 * pressed)
    other.locator("#notice", has_text="Somebody else said that gravel.png is right, meanwhile.").wait_for()
    other.locator(".tile.accepted[title='gravel.png']").wait_for()
    assert other.locator("#accept").get_attribute("aria-pressed") == "true"
    assert [one.is_right for one in read_judged(studio.store, "spring").values()] == [True]
    with other.expect_response("**/judge"):
        other.keyboard.press("f")
    assert [one.is_right for one in read_judged(studio.store, "spring").values()] == [False]
    with other.expect_response("**/judge"):
        other.keyboard.press("f")
    assert read_judged(studio.store, "spring") == {}
    other.close()


def test_what_somebody_else_has_asked_for_meanwhile_stays(browser, studio, desk):
    other = browser.new_page(viewport={"width": 1400, "height": 850})
    other.goto(studio.url)
    for page, field, text in ((desk, "#desk-prompt", "red paper"), (other, "#desk-tier", "gradients")):
        choose(page, "gravel.png")
        page.locator(field).fill(text)
        with page.expect_response("**/wish"):
            page.get_by_role("button", name="Keep for later").click()
    wish = read_wishes(studio.store, "spring")["gravel.png"]
    assert (wish.prompt, wish.tier) == ("red paper", "gradients")
    other.close()


def test_what_somebody_else_has_asked_for_stays_when_one_keeps_twice_or_gives_a_mask(browser, studio, desk, tmp_path):
    cv2.imwrite(str(tmp_path / "mine.png"), subject())
    other = browser.new_page(viewport={"width": 1400, "height": 850})
    other.goto(studio.url)
    for page in (desk, other):
        choose(page, "grass.png")

    def keeps(page, **texts):
        for field, text in texts.items():
            page.locator(f"#desk-{field}").fill(text)
        page.evaluate("document.querySelector('#notice').textContent = ''")
        page.get_by_role("button", name="Keep for later").click()
        page.locator("#notice", has_text="Kept.").wait_for()
        wish = read_wishes(studio.store, "spring").get("grass.png", Wish())
        return wish.prompt, wish.tier, wish.background

    keeps(desk, prompt=" blue paper ")
    assert keeps(other, tier="gradients") == ("blue paper", "gradients", "")
    assert other.locator("#desk-prompt").input_value() == "blue paper"
    assert keeps(other) == ("blue paper", "gradients", "")
    # What was kept once is not typed a second time, however it was spelled.
    assert keeps(other, prompt="green paper")[0] == "green paper"
    assert keeps(desk, background="#ffffff") == ("green paper", "gradients", "#ffffff")
    other.locator("#desk-mask").set_input_files(tmp_path / "mine.png")
    assert keeps(other) == ("green paper", "gradients", "#ffffff")
    assert keeps(other, prompt="", tier="", background="") == ("", "", "")
    other.locator("#desk-drop").click()
    other.locator("#desk-own").wait_for(state="hidden")
    assert "grass.png" not in read_wishes(studio.store, "spring")
    other.close()


def test_an_error_in_one_judgement_is_said_and_the_next_one_is_kept(studio, desk):
    choose(desk, "gravel.png")
    desk.evaluate("vividDesk.whenRejudged(() => { throw new Error('a fault'); })")
    desk.route("**/judge", lambda route: route.fulfill(status=409, json={"said": "No."}))
    desk.keyboard.press("f")
    desk.locator("#notice", has_text="gravel.png may not have been kept: a fault. Reload the page.").wait_for()
    desk.unroute("**/judge")
    choose(desk, "grass.png")
    with desk.expect_response("**/judge"):
        desk.keyboard.press("a")
    assert {name: one.is_right for name, one in read_judged(studio.store, "spring").items()} == {"grass.png": True}
    with desk.expect_response("**/judge"):
        desk.keyboard.press("a")
    assert read_judged(studio.store, "spring") == {}


def test_a_wrong_mask_is_made_again_by_one_that_is_uploaded(studio, desk, tmp_path):
    cv2.imwrite(str(tmp_path / "mine.png"), subject())
    choose(desk, "gravel.png")
    with desk.expect_file_chooser() as chooser:
        desk.locator("#desk-mask").click()
    chooser.value.set_files(tmp_path / "mine.png")
    in_the_file_dialog = 2
    assert make_again(desk) + in_the_file_dialog <= MOST_CLICKS
    assert studio.run_what_was_asked()["masks"] == 1
    tier, alpha = studio.mask("gravel.png")
    assert (tier, overlap(alpha) > 0.99) == ("override", True)


def test_a_wrong_mask_is_drawn_anew(studio, desk):
    choose(desk, "grass.png")
    desk.get_by_role("button", name="Draw the mask").click()
    desk.locator("#draw[open]").wait_for()
    for _ in range(16):
        desk.keyboard.press("]")
    desk.keyboard.press("r")
    drag(desk, (0, 120), (240, 120))
    for _ in range(3):
        desk.keyboard.press("[")
    desk.keyboard.press("a")
    drag(desk, (120, 120))
    desk.get_by_role("button", name="Keep this mask").click()
    desk.locator("#draw[open]").wait_for(state="detached")
    assert make_again(desk) <= MOST_CLICKS
    assert studio.run_what_was_asked()["masks"] == 1
    tier, alpha = studio.mask("grass.png")
    assert (tier, alpha.shape) == ("override", (SIZE, SIZE))
    assert overlap(alpha) > 0.9
    desk.locator("#desk-own").get_by_role("button").click()
    desk.locator("#desk-own").wait_for(state="hidden")
    assert "grass.png" not in read_wishes(studio.store, "spring")


def test_what_is_drawn_goes_onto_the_mask_that_was_given_and_undo_takes_just_the_last_stroke(studio, desk, tmp_path):
    shades = np.tile(np.linspace(0, 255, SIZE).astype(np.uint8), (SIZE, 1))
    cv2.imwrite(str(tmp_path / "soft.png"), shades)
    choose(desk, "grass.png")
    desk.locator("#desk-mask").set_input_files(tmp_path / "soft.png")
    desk.get_by_role("button", name="Keep for later").click()
    desk.locator("#desk-own").wait_for()
    desk.keyboard.press("d")
    desk.locator("#draw[open]").wait_for()
    drag(desk, (40, 60), (60, 60))
    desk.keyboard.press("r")
    drag(desk, (200, 180), (220, 180))
    desk.keyboard.press("Escape")
    drag(desk, (40, 180), (220, 60))
    desk.keyboard.press("Control+z")
    desk.mouse.wheel(0, -100)
    desk.route("**/mask?*", lambda route: route.abort())
    desk.keyboard.press("Enter")
    desk.locator("#draw-help", has_text="It is still here").wait_for()
    desk.unroute("**/mask?*")
    desk.keyboard.press("Enter")
    desk.locator("#draw[open]").wait_for(state="detached")
    alpha = np.rint(255 * kept(studio, "grass.png"))
    assert alpha[58:62, 42:58].min() == 255, "added"
    assert alpha[178:182, 202:218].max() == 0, "removed"
    untouched = np.ones((SIZE, SIZE), bool)
    untouched[50:70, 30:70] = untouched[170:190, 190:230] = False
    assert np.array_equal(alpha[untouched], shades[untouched]), "soft edges stay as they were, the third stroke is gone"


def test_no_key_of_the_page_works_while_a_mask_is_drawn_and_an_untouched_one_is_left_by_escape(studio, desk):
    choose(desk, "bricks.png")
    desk.keyboard.press("d")
    desk.locator("#draw[open]").wait_for()
    for key in ("f", "ArrowRight", "x", "a"):
        desk.keyboard.press(key)
    desk.keyboard.press("Escape")
    desk.locator("#draw[open]").wait_for(state="detached")
    assert desk.locator("#name").inner_text() == "bricks.png"
    assert desk.locator(".tile.flagged, .tile.accepted").count() == 0
    assert not desk.locator("#list[open]").count()
    wish = read_wishes(studio.store, "spring").get("bricks.png")
    assert wish is None or not wish.mask


def test_no_mask_is_offered_for_a_clip(desk):
    shown = "frames => { vividDesk.show({ picture: 'a.mp4', frames, full: { before: 'a' } }, {}, () => {}); }"
    offers = desk.locator("#desk-draw, #desk-mask")
    desk.evaluate(shown, 12)
    assert [offers.nth(place).is_visible() for place in range(2)] == [False, False]
    desk.evaluate("vividDesk.draw()")
    assert not desk.locator("#draw").is_visible()
    desk.evaluate(shown, None)
    assert [offers.nth(place).is_visible() for place in range(2)] == [True, True]
