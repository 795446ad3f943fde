"""The review page in a real browser: keyboard, filters, slider, zoom, flags, and names that would like to run."""

import csv
from urllib.parse import quote

import numpy as np
import pytest

from tests.support.waiting import until
from vivid_assets.review.judgements import Label, read_judgements
from vivid_assets.review.look import FINE, RULES
from vivid_assets.review.page import review_page
from vivid_assets.review.thumbnails import thumbnail

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=0.5)]

ATTACK = "<img src=x onerror=window.ran=1>.png"
ENDING = "</script><script>window.ran=1</script>"


def row(picture, rank=FINE, **columns):
    small = thumbnail(np.full((60, 80, 3), 40 * rank, np.uint8), 80)
    return {
        "picture": picture,
        "status": "ok",
        "key": f"key of {picture}",
        "outcome": "ok",
        "rank": rank,
        "why": [] if rank == FINE else ["The mask is uncertain: undecided."],
        "tier": "u2net",
        "verdict": "good" if rank == FINE else "uncertain",
        "reason": "coverage 0.40",
        "leakage": 0.2,
        "generator": "backdrop",
        "prompt": "teal paper",
        "composite": f"composites/spring/{picture}",
        "source_width": 800,
        "source_height": 600,
        "right": 0.97,
        "edge_right": 0.9,
        "frames": None,
        "flagged_frames": None,
        "flicker": None,
        "before": small,
        "mask": small,
        "edges": small,
        "after": small,
    } | columns


ROWS = [
    row("a.png"),
    row("b.png", tier="gradients"),
    row("=c.png", rank=1),
    row(
        ATTACK,
        rank=0,
        outcome="failed",
        why=[f"masks failed: {ENDING}{ATTACK}"],
        prompt=ENDING,
        tier=None,
        verdict=None,
        after=None,
        composite=None,
    ),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spring-00000.html").write_bytes(review_page("spring-00000", ROWS))
    return tmp_path


@pytest.fixture
def page(browser, folder):
    """The page as opened from a disk, its content security policy in force."""
    context = browser.new_context(viewport={"width": 1400, "height": 850})
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.goto((folder / "spring-00000.html").as_uri())
    yield page
    context.close()


def name(page):
    return page.locator("#name").inner_text()


def reopen(page):
    """Reload the page as it is, with all that it has stored."""
    # A new process reads the storage; what was written within the last instant may not have reached it.
    stored = "JSON.stringify(Object.entries(localStorage).sort())"
    written = page.evaluate(stored)

    def has_arrived():
        page.reload()
        return page.evaluate(stored) == written

    until(has_arrived)


def policy_complaints(page):
    return [text for text in page.complaints if "Content Security Policy" in text]


def tiles(page):
    return [tile.get_attribute("title") for tile in page.locator(".tile").all()]


def test_what_wants_a_look_comes_first_and_the_arrows_go_through_it(page):
    assert tiles(page) == [ATTACK, "=c.png", "a.png", "b.png"]
    assert name(page) == ATTACK
    page.keyboard.press("ArrowRight")
    assert name(page) == "=c.png"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert name(page) == "b.png", "the last one is the last one"
    page.keyboard.press("k")
    assert name(page) == "a.png"
    assert page.locator("#position").inner_text() == "3 of 4"
    page.reload()
    assert name(page) == "a.png", "the address remembers the picture"


def test_filters_by_key_and_by_click(page):
    page.keyboard.press("l")
    assert tiles(page) == [ATTACK, "=c.png"]
    page.keyboard.press("l")
    page.locator("#filters").get_by_text("gradients").click()
    assert tiles(page) == ["b.png"]
    page.keyboard.press("t")
    page.keyboard.press("t")
    assert tiles(page) == [ATTACK, "=c.png", "a.png", "b.png"], "past the last tier all are shown again"
    page.keyboard.press("v")
    assert tiles(page) == ["a.png", "b.png"]
    page.keyboard.press("/")
    page.keyboard.type("B.P")
    assert tiles(page) == ["b.png"], "while a name is typed no key is a command"
    page.keyboard.type("nothing")
    assert page.locator("#nothing").inner_text() == "No picture passes the filters."


def test_the_slider_cuts_between_before_and_after(page):
    page.keyboard.press("End")
    cut = "getComputedStyle(document.querySelector('.cell.before')).clipPath"
    page.keyboard.press("Shift+ArrowRight")
    assert "45%" in page.evaluate(cut)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 100)
    page.mouse.up()
    assert page.locator("#wipe").input_value() == "25"
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    assert page.locator("#wipe").input_value() == "25", "let go, the slider stays"


def test_the_views_show_the_mask_and_all_three(page):
    page.keyboard.press("End")
    shown = "[...document.querySelectorAll('.cell')].filter(c => c.offsetParent).map(c => c.classList[1]).sort()"
    assert page.evaluate(shown) == ["after", "before"]
    page.keyboard.press("2")
    assert page.evaluate(shown) == ["before", "mask"]
    page.keyboard.press("3")
    assert page.evaluate(shown) == ["after", "before", "mask"]
    widths = [page.locator(f".cell.{part}").bounding_box()["width"] for part in ("before", "mask", "after")]
    assert max(widths) - min(widths) < 2


def test_zoom_enlarges_all_sides_about_the_pointer_and_the_next_picture_starts_whole(page):
    page.keyboard.press("End")
    canvas, before, after = page.locator("#canvas"), page.locator(".cell.before img"), page.locator(".cell.after img")
    box, whole = canvas.bounding_box(), after.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 80)
    page.mouse.wheel(0, -100)
    page.locator("#zoom", has_text="2×").wait_for()
    twice = after.bounding_box()
    assert twice["width"] == pytest.approx(2 * whole["width"])
    assert whole["x"] - twice["x"] == pytest.approx(box["x"] + 100 - whole["x"]), (
        "what is under the pointer stays there"
    )
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 90)
    page.mouse.up()
    assert after.bounding_box()["x"] - twice["x"] == pytest.approx(30)
    assert before.bounding_box() == after.bounding_box()
    page.keyboard.press("z")
    page.locator("#zoom", has_text="4×").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator("#zoom", has_text="1×").wait_for()


def test_flags_last_and_are_listed_with_the_mask_to_drop(page, tmp_path):
    page.keyboard.press("f")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    page.keyboard.press("End")
    page.keyboard.press("f")
    page.keyboard.press("f")
    reopen(page)
    assert page.locator("#flag-count").inner_text() == "2"
    page.keyboard.press("x")
    assert page.locator("#names").input_value() == f"{ATTACK}\n=c.png"
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert download.value.suggested_filename == "spring-00000-judged.csv"
    download.value.save_as(tmp_path / "flagged.csv")
    with (tmp_path / "flagged.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(line["picture"], line["override_mask"]) for line in lines] == [
        (ATTACK, f"overrides/{ATTACK}.png"),
        ("./=c.png", "overrides/=c.png.png"),
    ], "a name that a spreadsheet would run stays a path to the same file"
    page.locator("#clear").click()
    assert page.locator(".tile.flagged").count() == 0


def test_a_judgement_is_right_or_wrong_and_is_saved_with_what_the_page_showed(page, tmp_path):
    page.keyboard.press("End")
    page.keyboard.press("a")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("a")
    page.keyboard.press("f")
    assert page.locator("#accept").get_attribute("aria-pressed") == "false", "flagged, it is accepted no longer"
    reopen(page)
    assert page.locator(".tile.accepted").count() == 1
    page.keyboard.press("x")
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "judged.csv")
    labels = read_judgements((tmp_path / "judged.csv").read_bytes(), where="judged.csv")
    assert labels == [Label("a.png", False, 0.97), Label("b.png", True, 0.97)]


def test_the_edge_is_shown_beside_the_picture_before(page):
    page.keyboard.press("End")
    page.keyboard.press("4")
    assert page.locator(".cell.edges").is_visible()
    assert not page.locator(".cell.after").is_visible()
    page.keyboard.press("1")
    assert not page.locator(".cell.edges").is_visible()
    assert "97 %" in page.locator("#facts").inner_text()


def test_a_picture_made_anew_sheds_its_flag(page, folder):
    page.keyboard.press("End")
    page.keyboard.press("f")
    reopen(page)
    assert page.locator("#flag-count").inner_text() == "1"
    (folder / "spring-00000.html").write_bytes(
        review_page("spring-00000", [*ROWS[:1], row("b.png", key="another"), *ROWS[2:]])
    )
    page.reload()
    assert page.locator("#flag-count").inner_text() == "0"
    assert page.locator("#notice").inner_text() == "1 flag cleared: made anew or removed since."


def test_hostile_names_and_errors_are_text(page):
    assert name(page) == ATTACK
    assert ENDING in page.locator("#why").inner_text()
    assert ENDING in page.locator("#nothing").inner_text()
    for key in ("f", "x", "Escape", "ArrowRight", "ArrowLeft", "l", "v"):
        page.keyboard.press(key)
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src='x']").count() == 0
    assert page.complaints == []


def test_the_policy_lets_no_other_script_run_and_nothing_load(page):
    page.evaluate(
        """() => {
            document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}));
            document.body.insertAdjacentHTML('beforeend', '<img src=x.png onerror="window.ran = 1">');
        }"""
    )
    until(lambda: page.evaluate("1") and len(policy_complaints(page)) >= 2)
    assert page.evaluate("window.ran") is None


def test_the_full_picture_is_linked_by_its_path_from_the_page(page):
    page.keyboard.press("ArrowRight")
    assert page.locator("#full").get_attribute("href") == f"../composites/spring/{quote('=c.png')}"
    page.keyboard.press("Home")
    assert not page.locator("#full").is_visible(), "a failed picture has none"


def test_a_composite_that_breaks_its_presets_rules_is_named_with_the_rule(browser, tmp_path):
    file = tmp_path / "shop.html"
    why = "It breaks its preset's rules: the product fills 40%, and not 85% or more."
    file.write_bytes(review_page("shop", [row("a.png"), row("b.png", rank=RULES, verdict="good", why=[why])]))
    page = browser.new_page()
    page.goto(file.as_uri())
    assert name(page) == "b.png"
    assert page.locator("#strip h3").all_inner_texts() == ["Preset's rules · 1", "Good · 1"]
    assert page.locator("#why").inner_text() == why
    page.keyboard.press("l")
    assert tiles(page) == ["b.png"]
    page.close()


def test_a_clip_is_shown_over_its_time(browser, tmp_path):
    file = tmp_path / "clips.html"
    file.write_bytes(
        review_page("clips", [row("a.png"), row("turntable/disc.mp4", frames=10, flagged_frames=2, flicker=0.0123)])
    )
    page = browser.new_page()
    page.goto(file.as_uri())
    page.keyboard.press("4")
    assert page.locator("#views [data-view=edges]").inner_text().startswith("Edge")
    assert page.locator(".cell.before").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.locator("#views [data-view=edges]").inner_text().startswith("Over time")
    # Nothing lies before the sheet.
    assert page.locator(".cell.edges").is_visible()
    assert not page.locator(".cell.before").is_visible()
    assert "10, 2 flagged" in page.locator("#facts").inner_text()
    assert "1.2 %" in page.locator("#facts").inner_text()
    page.close()
