"""A night with everything switched on, on a live Dagster, and what a person finds in the morning, in a browser.

While nobody looks a picture arrives, another one never fully, one is removed, and a manifest line leads elsewhere. Each
cause is one alert, the pages name just what a person should see, and the next night rests.
tests/assets/operations/test_switched_on.py has more of such nights, tick by tick.
"""

import time
from pathlib import Path

import pytest

from tests.support.operator import put
from tests.support.person import Person
from tests.support.waiting import HANG_S

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=4)]

SWITCHES = ("vivid_nightly", "vivid_arrivals")
FULL, NEWEST = SHARDS = ("autumn-00000", "autumn-00001")


def list_all(folder, *more, without=""):
    """The manifest, as a shop's system writes it: all that is there, and lines that are wrong."""
    there = sorted(path.name for path in folder.glob("*.png") if path.name != without)
    (folder / "manifest.csv").write_text("\n".join(["image", *there, *more]) + "\n")


def at_rest(operator):
    """Wait until all runs have ended, the night would find nothing more to do, and every alert has been sent."""
    since = time.time()

    def rests():
        nonlocal since
        if any(run["status"] not in ("SUCCESS", "FAILURE") for run in operator.runs()):
            since = time.time()
        newest = operator.ticks("vivid_failures")[0]
        return newest["timestamp"] > since and newest["skipReason"] == "No run has ended."

    operator.dagster.wait(rests)
    assert operator.night()["skipReason"] == "Nothing to do."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("autumn")
    (folder / "catalogue.toml").write_text("shard_size = 3")
    for name in ("a.png", "b.png", "c.png", "d.png"):
        put(folder / name)
    list_all(folder)
    return folder


@pytest.fixture(scope="module")
def evening(operator, folder, browser):
    """A catalogue that a person has added and seen made, and gone home from with every switch on."""
    for switch in SWITCHES:
        operator.turn_off(switch)
    page = browser.new_page(bypass_csp=True, viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(HANG_S * 1000)
    person = Person(operator, page)
    person.launch("vivid_add_catalogue", f"ops: {{vivid_add_folder: {{config: {{name: autumn, folder: {folder}}}}}}}")
    for shard in SHARDS:
        operator.dagster.wait(lambda shard=shard: operator.runs_of(shard, statuses=["SUCCESS"]))
    for switch in SWITCHES:
        person.switch_on(switch)
    page.close()
    at_rest(operator)
    yield operator
    for switch in SWITCHES:
        operator.turn_off(switch)
    operator.forget("autumn")


@pytest.fixture(scope="module")
def told(evening, folder):
    """What the alerts of the night were."""
    before = len(evening.webhook.told)
    put(folder / "arrived.png")
    (folder / "half.png").write_bytes((folder / "a.png").read_bytes()[:200])
    list_all(folder, "../../elsewhere.png", without="b.png")
    (folder / "b.png").unlink()
    evening.dagster.wait(lambda: evening.store.exists("composites/autumn/arrived.png"))
    evening.dagster.wait(lambda: not evening.store.exists("composites/autumn/b.png"))
    nights = len(evening.ticks("vivid_nightly"))
    evening.dagster.wait(lambda: len(evening.ticks("vivid_nightly")) > nights)
    at_rest(evening)
    return evening.webhook.told[before:]


@pytest.fixture
def person(evening, page):
    return Person(evening, page)


def test_each_cause_is_one_alert(told):
    causes = {
        "Catalogue autumn needs attention": ["elsewhere.png"],
        "Check not passed: prepared_images complete of autumn-00001": ["half.png"],
    }
    assert sorted(one["title"] for one in told) == sorted(causes)
    for one in told:
        named = [name for name in ("a.png", "arrived.png", "b.png", "elsewhere.png", "half.png") if name in one["text"]]
        assert named == causes[one["title"]]


@pytest.mark.usefixtures("told")
def test_the_dashboard_has_no_failed_run_and_says_what_is_wrong(evening, person):
    assert {run["status"] for shard in SHARDS for run in evening.runs_of(shard)} == {"SUCCESS"}
    person.sees("nothing_left_out", "autumn: 1 file or line left out, or in need of attention.")
    person.sees("prepared_images_up_to_date", "autumn: 1 failed")
    person.sees("has_pictures", "5 pictures in 1 catalogue")
    page = person.page
    page.goto(f"{evening.dagster.url}/assets/vivid/prepared_images?view=partitions&partition={NEWEST}")
    page.get_by_role("row", name="half.png").get_by_text("The file is cut off").wait_for()


@pytest.mark.usefixtures("told")
def test_people_see_what_is_there_and_are_asked_to_look_at_the_failed_one_alone(evening, page):
    published = {path.rpartition("/")[2] for path in evening.store.files_below("composites/autumn")}
    assert published == {"a.png", "arrived.png", "c.png", "d.png"}
    found = {}
    for shard in SHARDS:
        page.goto((Path(evening.store.root) / "review" / f"{shard}.html").as_uri())
        tiles = page.locator(".tile")
        tiles.first.wait_for()
        shown = [tile.get_attribute("title") for tile in tiles.all()]
        page.keyboard.press("l")
        found[shard] = shown, [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    assert found == {
        FULL: (["a.png", "c.png"], []),
        NEWEST: (["half.png", "arrived.png", "d.png"], ["half.png"]),
    }
    assert "prepared_images failed" in page.locator("#why").inner_text()


@pytest.mark.usefixtures("told")
def test_the_next_night_rests_and_a_whole_file_is_the_only_news(evening, folder):
    runs, before = len(evening.runs()), len(evening.webhook.told)
    at_rest(evening)
    assert (len(evening.runs()), evening.webhook.told[before:]) == (runs, [])
    put(folder / "half.png")
    list_all(folder)
    evening.dagster.wait(lambda: evening.store.exists("composites/autumn/half.png"))
    at_rest(evening)
    assert len(evening.runs()) == runs + 1
    news = [one["title"] for one in evening.webhook.told[before:]]
    assert news == ["Check passes again: prepared_images complete of autumn-00001"]
