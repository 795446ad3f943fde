"""What a scan makes of clips: videos and folders of frames are one item each. It looks at names and bytes alone."""

import pytest

from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import find, register
from vivid_assets.rows.failures import PictureFailure

MP4 = b"\0\0\0\x18ftypisom" + bytes(12)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "turntable/shoe").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a")
    for name in ("disc.mp4", "spin.gif", "still.jpg"):
        (folder / "turntable" / name).write_bytes(MP4 + name.encode())
    for number in range(3):
        (folder / f"turntable/shoe/{number:04d}.png").write_bytes(b"%d" % number)
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


def scanned(store, folder, said='clips = ["turntable/*"]'):
    """The contents by name, and what was noted."""
    (folder / "catalogue.toml").write_text(said)
    found = scan(store, register(store, "spring", str(folder)))
    live = live_pictures(store, "spring-00000")
    return {one["picture"]: one["content"] for one in live}, found


def test_a_video_and_a_folder_of_frames_are_one_item_each(store, folder):
    contents, found = scanned(store, folder)
    kinds = {name: content.partition(":")[0] if ":" in content else "" for name, content in contents.items()}
    assert kinds == {
        "a.jpg": "",
        "turntable/still.jpg": "",
        "turntable/disc.mp4": "clip",
        "turntable/spin.gif": "clip",
        "turntable/shoe": "frames",
    }
    assert found.refused == []
    assert scanned(store, folder)[1].assignment.unchanged == 5


def test_what_is_not_declared_is_counted_and_a_pattern_that_fits_nothing_is_named(store, folder):
    contents, found = scanned(store, folder, 'clips = ["turn/*"]')
    assert "turntable/spin.gif" in contents
    assert "turntable/shoe/0000.png" in contents
    assert "turntable/disc.mp4" not in contents
    no_clip, counted = found.refused
    assert no_clip == "clips: 'turn/*' fits no video and no folder of frames."
    assert "1 .mp4, such as 'turntable/disc.mp4' (a video; declare it as a clip" in counted


def test_a_gif_that_becomes_a_clip_is_another_item(store, folder):
    scanned(store, folder, "")
    _, found = scanned(store, folder, 'clips = ["**.gif"]')
    assert (found.assignment.changed, found.assignment.unchanged) == (1, 5)


def test_a_manifest_asks_for_clips_by_their_names(store, folder):
    (folder / "manifest.csv").write_text("image,prompt\nturntable/disc.mp4,sand\nturntable/shoe,stone\n")
    contents, found = scanned(store, folder)
    assert ([*contents], found.refused) == (["turntable/disc.mp4", "turntable/shoe"], [])
    (folder / "manifest.csv").write_text("image,digest\nturntable/disc.mp4,0123\nturntable/shoe,version:7\n")
    contents, _ = scanned(store, folder)
    assert contents["turntable/disc.mp4"].startswith("clip:")
    assert contents["turntable/shoe"] == "frames:manifest:version:7"


def test_a_clip_takes_no_mask_of_a_persons(store, folder):
    (folder / "overrides/turntable").mkdir(parents=True)
    (folder / "overrides/turntable/disc.mp4.png").write_bytes(b"white")
    _, found = scanned(store, folder)
    assert found.refused == ["The mask 'overrides/turntable/disc.mp4.png' is not used: 'turntable/disc.mp4' is a clip."]


def test_a_clip_is_copied_as_it_was_found_or_not_at_all(store, folder, tmp_path):
    contents, _ = scanned(store, folder)
    catalogue = find(store, "spring")
    for name in ("turntable/disc.mp4", "turntable/shoe"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copied = catalogue.fetch(name, contents[name], tmp_path / "turntable", most=3)
        assert copied == tmp_path / name
    assert copied.is_dir()
    assert sorted(one.name for one in copied.iterdir()) == ["0000.png", "0001.png", "0002.png"]
    (folder / "turntable/shoe/0001.png").write_bytes(b"another")
    (folder / "turntable/disc.mp4").write_bytes(MP4)
    for name in ("turntable/disc.mp4", "turntable/shoe"):
        (tmp_path / "again" / name).mkdir(parents=True)
        with pytest.raises(PictureFailure, match="has been replaced since the last scan"):
            catalogue.fetch(name, contents[name], tmp_path / "again" / name, most=3)


def test_a_folder_of_too_many_frames_is_not_copied(store, folder, tmp_path):
    contents, _ = scanned(store, folder)
    with pytest.raises(ValueError, match="3 frames; the limit is 2"):
        find(store, "spring").fetch("turntable/shoe", contents["turntable/shoe"], tmp_path, most=2)
