"""The review desk: who may ask it what, and that what is said there is what the next scan and run make."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.wishes import one_at_a_time, read_judged, read_kept_mask, read_wishes
from vivid_assets.desk.app import desk_app
from vivid_assets.desk.desk import Desk, Judgement
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.review.judgements import kept
from vivid_assets.review.look import FINE
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import SettingsFile

pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=alert(1)>.png"
OURS = {"X-Vivid-Desk": "1"}
NAMES = ("a.png", "shoes/b & c.png")


def done(pipeline):
    pipeline.put("a.png")
    pipeline.put("shoes/b & c.png", (20, 90, 160))
    pipeline.scan()
    pipeline.run()


def client(pipeline, **options):
    desk = Desk(pipeline.store, SettingsFile(path=str(pipeline.settings_file)))
    app = desk_app(desk, hosts={"localhost"}, **options)
    return TestClient(app, base_url="http://localhost:3001", raise_server_exceptions=False)


@pytest.fixture
def pipeline(pipeline_after):
    return pipeline_after(done)


def judged(pipeline, judgement, name="a.png", seen=""):
    """What the page sends about a picture that it shows as it is now."""
    key = pipeline.rows(REVIEW)[name]["key"]
    return {"picture": name, "name": name, "judgement": judgement, "key": key, "seen": seen}


def estimated(*asked, **options):
    """The pictures here are drawings, whose masks have no estimate: as if they had one."""
    return {name: row | {"right": 0.4} for name, row in read_rows(*asked, **options).items()}


def mask_file(value=255):
    drawn = np.zeros((160, 160), np.uint8)
    drawn[40:120, 30:90] = value
    return cv2.imencode(".png", drawn)[1].tobytes()


def test_the_index_counts_what_there_is_to_look_at_and_what_was_said(pipeline):
    asked = client(pipeline)

    def counts():
        row = re.search(r'<a href="/spring">spring</a></th>(.*?)</tr>', asked.get("/").text)[1]
        return [int(number) for number in re.findall(r">(\d+)</td>", row)]

    pictures, look, *said = counts()
    desk = Desk(pipeline.store, SettingsFile())
    shown = desk.entries("spring")[0]
    assert (pictures, look, said) == (len(shown), sum(one["rank"] != FINE for one in shown), [0, 0])
    for one, judgement in zip(shown, ("wrong", "right"), strict=False):
        desk.judge("spring", Judgement(one["picture"], one["name"], judgement, one["key"]))
    assert counts() == [pictures, look, 1, 1]
    pipeline.put("a.png", (10, 90, 30))
    pipeline.scan()
    pipeline.run()
    assert counts()[2:] in ([0, 1], [1, 0]), "a picture that was made anew has not been looked at"


def test_a_judgement_that_is_taken_back_is_no_label(pipeline, monkeypatch):
    monkeypatch.setattr("vivid_assets.desk.desk.read_rows", estimated)
    asked = client(pipeline)
    for name, judgement in zip(NAMES, ("wrong", "right"), strict=True):
        assert asked.post("/spring/judge", json=judged(pipeline, judgement, name), headers=OURS).status_code == 200
    said = {label.picture: label.is_right for label in kept(pipeline.store, "spring")}
    assert said == dict(zip(NAMES, (False, True), strict=True))
    asked.post("/spring/judge", json=judged(pipeline, "", seen="wrong"), headers=OURS)
    assert [label.picture for label in kept(pipeline.store, "spring")] == ["shoes/b & c.png"]


def test_of_two_people_who_judge_a_picture_at_once_one_is_asked_again(pipeline, monkeypatch):
    monkeypatch.setattr("vivid_assets.desk.desk.read_rows", estimated)
    asked = client(pipeline)
    for name in NAMES:
        together = threading.Barrier(2)

        def says(judgement, name=name, together=together):
            together.wait()
            answer = asked.post("/spring/judge", json=judged(pipeline, judgement, name), headers=OURS)
            return judgement, answer.status_code, answer.json().get("said", "")

        with ThreadPoolExecutor(2) as pool:
            (held, _, _), (late, status, said) = sorted(pool.map(says, ("right", "wrong")), key=lambda one: one[1])
        assert (status, said.partition(", meanwhile")[0]) == (409, f"Somebody else said that {name} is {held}")
        assert holds(pipeline, name) == (held, held)
        # Who has seen it may say something else, and who says the same need not have.
        for seen in (held, ""):
            body = judged(pipeline, late, name, seen)
            assert asked.post("/spring/judge", json=body, headers=OURS).status_code == 200
            assert holds(pipeline, name) == (late, late)


def holds(pipeline, name):
    """What the page of the next person shows, and the label."""
    said = {label.picture: "right" if label.is_right else "wrong" for label in kept(pipeline.store, "spring")}
    shown = {one["name"]: one["judged"] for one in Desk(pipeline.store, SettingsFile()).entries("spring")[0]}
    return shown[name], said[name]


def test_what_was_said_of_a_picture_that_has_been_made_again_meanwhile_is_not_recorded(pipeline):
    asked, said = client(pipeline), judged(pipeline, "wrong")
    pipeline.put("a.png", (10, 90, 30))
    pipeline.scan()
    pipeline.run()
    answer = asked.post("/spring/judge", json=said, headers=OURS)
    assert (answer.status_code, "made again meanwhile" in answer.json()["said"]) == (409, True)
    assert read_judged(pipeline.store, "spring") == {}


def test_what_was_said_while_a_run_ends_is_not_recorded_of_the_old_mask(pipeline, monkeypatch):
    monkeypatch.setattr("vivid_assets.desk.desk.read_rows", estimated)
    asked, said = client(pipeline), judged(pipeline, "wrong")

    @contextmanager
    def after_a_run(*catalogue):
        pipeline.put("a.png", (10, 90, 30))
        pipeline.scan()
        pipeline.run()
        with one_at_a_time(*catalogue):
            yield

    monkeypatch.setattr("vivid_assets.desk.desk.one_at_a_time", after_a_run)
    answer = asked.post("/spring/judge", json=said, headers=OURS)
    assert (answer.status_code, "made again meanwhile" in answer.json()["said"]) == (409, True)
    assert (read_judged(pipeline.store, "spring"), kept(pipeline.store, "spring")) == ({}, [])


def test_a_page_that_does_not_say_what_it_shows_is_told_to_be_reloaded(pipeline):
    body = judged(pipeline, "wrong")
    del body["key"]
    answer = client(pipeline).post("/spring/judge", json=body, headers=OURS)
    assert (answer.status_code, "Reload the page" in answer.json()["said"]) == (400, True)
    assert "meanwhile" not in answer.json()["said"]
    assert read_judged(pipeline.store, "spring") == {}


def test_a_label_is_the_masks_and_stays_until_no_rendition_of_the_picture_is_judged(pipeline, monkeypatch):
    (pipeline.folder / "catalogue.toml").write_text(
        '[renditions.main]\n[renditions.sand]\nbackground = "#c2b280"\n[renditions.white]\nbackground = "#ffffff"\n'
    )
    pipeline.scan()
    pipeline.run()
    monkeypatch.setattr("vivid_assets.desk.desk.read_rows", estimated)
    asked, rows = client(pipeline), pipeline.rows(REVIEW)
    main, sand, white = (name for name, row in sorted(rows.items()) if row["picture"] == "a.png")

    def says(name, judgement, seen=""):
        body = {"picture": "a.png", "name": name, "judgement": judgement, "key": rows[name]["key"], "seen": seen}
        assert asked.post("/spring/judge", json=body, headers=OURS).status_code == 200
        return [label.is_right for label in kept(pipeline.store, "spring")]

    assert says(main, "wrong") == [False]
    assert says(white, "right") == [True], "the later word"
    assert says(white, "", seen="right") == [False], "what still holds"
    assert says(white, "right") == says(sand, "right") == [True]
    assert says(sand, "", seen="right") == [True], "others differ, and the label stays"
    assert says(main, "", seen="wrong") == [True]
    assert says(white, "", seen="right") == []


def test_what_two_people_ask_for_one_picture_at_once_is_all_asked_for(pipeline):
    asked = client(pipeline)
    for number in range(5):
        prompt, together = f"teal paper {number}", threading.Barrier(2)

        def wishes(prompt=prompt, together=together):
            together.wait()
            return asked.post("/spring/wish", json={"picture": "a.png", "prompt": prompt}, headers=OURS)

        def gives(number=number, together=together):
            together.wait()
            mask = mask_file(255 - number)
            return asked.post("/spring/mask", params={"picture": "a.png"}, content=mask, headers=OURS)

        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(one) for one in (wishes, gives)]
            assert [one.result().status_code for one in answers] == [200, 200]
        wish = read_wishes(pipeline.store, "spring")["a.png"]
        given = decode_mask(read_kept_mask(pipeline.store, "spring", wish.mask))
        assert (wish.prompt, round(float(given.max() * 255))) == (prompt, 255 - number)


def test_the_page_has_every_picture_and_its_full_size(pipeline):
    asked = client(pipeline)
    page = asked.get("/spring").text
    assert '"name": "a.png"' in page and "shoes/b \\u0026 c.png" in page.replace(" & ", " \\u0026 ")
    for part, size in (("before", (160, 160)), ("after", (160, 160)), ("mask", (160, 160))):
        answer = asked.get(f"/spring/full/{part}", params={"picture": "shoes/b & c.png"})
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("image/"), part
        assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), 1).shape[:2] == size
    assert asked.get("/spring/small/after", params={"picture": "a.png"}).content[:4] == b"RIFF"
    assert asked.get("/spring/full/after", params={"picture": "../../vivid.toml"}).status_code == 404
    assert asked.get("/winter").status_code == 400


def test_who_comes_from_elsewhere_is_refused(pipeline):
    asked = client(pipeline)
    said = judged(pipeline, "wrong")
    assert asked.post("/spring/judge", json=said).status_code == 403, "without the header"
    for origin in ("http://evil.example", "http://localhost:9", "null"):
        answer = asked.post("/spring/judge", json=said, headers=OURS | {"Origin": origin})
        assert answer.status_code == 403, origin
    assert asked.get("/spring", headers={"Host": "evil.example"}).status_code == 403, "a name that leads here"
    assert read_judged(pipeline.store, "spring") == {}
    fine = asked.post("/spring/judge", json=said, headers=OURS | {"Origin": "http://localhost:3001"})
    assert fine.status_code == 200
    assert "access-control-allow-origin" not in fine.headers
    assert not read_judged(pipeline.store, "spring")["a.png"].is_right


def test_a_token_and_reading_alone(pipeline):
    asked = client(pipeline, token="secret")
    assert asked.get("/spring").status_code == 401
    assert asked.get("/spring", params={"token": "secrets"}).status_code == 401
    assert asked.get("/spring", params={"token": "secret"}).status_code == 200, "it goes on with a cookie"
    assert asked.get("/spring").status_code == 200
    reading = client(pipeline, read_only=True)
    assert 'id="desk"' not in reading.get("/spring").text
    answer = reading.post("/spring/judge", json=judged(pipeline, "wrong"), headers=OURS)
    assert (answer.status_code, answer.json()["said"]) == (403, "The desk is read-only.")


def test_what_is_no_wish_is_said_and_changes_nothing(pipeline):
    asked = client(pipeline)

    def refused(path, **options):
        answer = asked.post(path, headers=OURS, **options)
        assert answer.status_code in (400, 404), answer.text
        return answer.json()["said"]

    assert "and not 'magic'" in refused("/spring/wish", json={"picture": "a.png", "tier": "magic"})
    said = refused("/spring/wish", json={"picture": "a.png", "tier": "rembg:silueta"})
    assert "rembg:silueta is not among those of spring: gradients" in said
    assert "There is no picture" in refused("/spring/wish", json={"picture": HOSTILE, "tier": "gradients"})
    assert "is no JSON" in refused("/spring/wish", content=b"{")
    assert "is no text" in refused("/spring/wish", json={"picture": 3})
    assert refused("/spring/mask", params={"picture": "a.png"}, content=b"no picture")
    assert "a judgement is" in refused("/spring/judge", json=judged(pipeline, "x")).lower()
    assert read_wishes(pipeline.store, "spring") == {}


def test_a_mask_a_tier_and_a_prompt_are_made_and_nothing_else(pipeline):
    asked = client(pipeline)
    nothing = asked.post("/spring/launch", content=b"{}", headers=OURS).json()["said"]
    assert nothing.startswith("Nothing has changed")
    given = asked.post("/spring/mask", params={"picture": "a.png"}, content=mask_file(), headers=OURS)
    assert given.status_code == 200
    wish = {"picture": "shoes/b & c.png", "tier": "", "prompt": "teal paper", "background": ""}
    assert asked.post("/spring/wish", json=wish, headers=OURS).json()["wish"]["prompt"] == "teal paper"
    said = asked.post("/spring/launch", content=b"{}", headers=OURS).json()["said"]
    assert said == "1 run requested; only pictures that changed are computed."
    assert len(pipeline.store.names("updates")) == 1
    computed = pipeline.run()
    assert (computed["masks"], computed["backgrounds"], computed["composites"]) == (1, 1, 2)
    row = pipeline.rows(MASKS)["a.png"]
    assert (row["origin"], row["verdict"]) == ("person", "override")
    own = asked.get("/spring/full/own", params={"picture": "a.png"})
    assert np.array_equal(
        cv2.imdecode(np.frombuffer(own.content, np.uint8), 0), cv2.imdecode(np.frombuffer(mask_file(), np.uint8), 0)
    )
    assert asked.get("/spring/full/own", params={"picture": "shoes/b & c.png"}).status_code == 404
    assert not (pipeline.folder / "overrides").exists(), "the folder is never written to"
    assert pipeline.rows(ENHANCED_PROMPTS)["shoes/b & c.png"]["user_prompt"] == "teal paper"
    # Taken back, everything is as it was and nothing is computed.
    asked.post("/spring/mask", params={"picture": "a.png"}, content=b"", headers=OURS)
    asked.post("/spring/wish", json=wish | {"prompt": ""}, headers=OURS)
    asked.post("/spring/launch", content=b"{}", headers=OURS)
    assert set(pipeline.run().values()) <= {0, 2}
    assert pipeline.rows(MASKS)["a.png"]["origin"] != "person"


def test_the_tiers_that_the_deployment_has_may_be_asked_for_whatever_their_models_are(pipeline):
    names = ["rembg:silueta", f"birefnet:ORG/NAME@{40 * 'a'}", "onnx:/a/file.onnx"]
    pipeline.say(f"[masks]\ntiers = {[*names, 'gradients']}\n")
    asked = client(pipeline)

    def offered():
        page = asked.get("/spring").text
        return [name for name in [*names, "gradients"] if f'<option value="{name}">' in page]

    def wish(name):
        return asked.post("/spring/wish", json={"picture": "a.png", "tier": name}, headers=OURS)

    # With one that nobody has, the picture would lose its composite.
    assert offered() == ["gradients"]
    assert all(f"The tier {name} is not installed: " in wish(name).json()["said"] for name in names)
    had = {f"tier {name}": "on a machine elsewhere" for name in names}
    pipeline.store.write("deployment/models.json", json.dumps(had).encode())
    assert offered() == [*names, "gradients"]
    for name in names:
        answer = wish(name)
        assert (answer.status_code, answer.json()["wish"]["tier"]) == (200, name)


def test_what_was_said_is_there_for_the_next_person_until_the_picture_is_made_anew(pipeline):
    client(pipeline).post("/spring/judge", json=judged(pipeline, "wrong"), headers=OURS)
    assert '"judged": "wrong"' in client(pipeline).get("/spring").text
    client(pipeline).post("/spring/mask", params={"picture": "a.png"}, content=mask_file(), headers=OURS)
    pipeline.scan()
    pipeline.run()
    assert '"judged": "wrong"' not in client(pipeline).get("/spring").text
