"""What a folder holds: what is taken, what is named as left out, and that absence is never taken for deletion."""

import json
import os
from contextlib import suppress

import pytest
from PIL import Image

from resources.store.store import Store
from vivid_assets.catalogue import listing
from vivid_assets.catalogue.ledger import live_pictures, read_ledger
from vivid_assets.catalogue.outcomes import read_outcome, send_outcome
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import each_registered, register, registered
from vivid_assets.imaging.io.formats import Extra

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(b"good")
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


def taken(store, folder, **options):
    """The pictures that are taken, and what the scan had to say."""
    found = scan(store, register(store, "c", str(folder)), **options)
    return sorted(row["picture"] for row in live_rows(store)), found.refused


def live_rows(store):
    ledger, _ = read_ledger(store, "c")
    return [row for row in ledger.to_pylist() if not row["retired"]]


def save(path, format_, color=(180, 40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path, format_)


def test_pictures_are_known_by_their_first_bytes_where_the_suffix_says_nothing(store, folder):
    for name in ("a.jfif", "b.jpe", "c", "d.jpeg_large", "f.JPG_orig", "sub/g.0001"):
        save(folder / name, "JPEG")
    for name in ("e.dib", "h.bitmap"):
        save(folder / name, "BMP")
    save(folder / "i.unknown", "WEBP")
    pictures, notes = taken(store, folder)
    wanted = ["a.jfif", "b.jpe", "c", "d.jpeg_large", "e.dib", "f.JPG_orig", "good.jpg", "h.bitmap", "i.unknown"]
    assert (pictures, notes) == ([*wanted, "sub/g.0001"], [])


def test_what_cannot_be_read_is_counted_by_kind_with_what_to_do(store, folder, monkeypatch):
    monkeypatch.setattr(Extra, "is_installed", lambda self: False)
    (folder / "IMG_1.HEIC").write_bytes(HEIC)
    (folder / "IMG_2.heic").write_bytes(HEIC)
    save(folder / "raw.dng", "TIFF")
    save(folder / "copying.jpg.part", "JPEG")
    (folder / "art.psd").write_bytes(b"8BPS" + bytes(30))
    (folder / "film").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(30))
    (folder / "odd.xyz").write_bytes(b"\1\2\3\4" * 8)
    for name in ("readme.md", "Thumbs.db", ".hidden.psd"):
        (folder / name).write_bytes(b"beside")
    pictures, (note,) = taken(store, folder)
    assert pictures == ["good.jpg"]
    assert note.startswith("7 files are no pictures that can be read: 2 .heic, such as 'IMG_1.HEIC' (a HEIC picture")
    for part in (
        "1 .dng, such as 'raw.dng' (a camera's raw file; export it as TIFF or JPEG)",
        "1 .part, such as 'copying.jpg.part' (half copied, or set aside)",
        "1 .psd, such as 'art.psd' (a Photoshop document; export it as PNG or TIFF)",
        "1 without a suffix, such as 'film' (a video",
        "1 .xyz, such as 'odd.xyz'",
    ):
        assert part in note
    assert "vivid-assets[heif]" in note
    assert "readme" not in note
    monkeypatch.setattr(Extra, "is_installed", lambda self: True)
    assert taken(store, folder)[0] == ["IMG_1.HEIC", "IMG_2.heic", "good.jpg"], "now there is who reads them"


def test_first_bytes_are_read_once_until_the_file_changes(store, folder, monkeypatch):
    looked = []
    look = listing._look
    monkeypatch.setattr(listing, "_look", lambda root, name: looked.append(name) or look(root, name))
    save(folder / "a", "PNG")
    (folder / "b.xyz").write_bytes(b"nothing")
    taken(store, folder)
    assert sorted(looked) == ["a", "b.xyz"]
    taken(store, folder)
    assert sorted(looked) == ["a", "b.xyz"], "nothing has changed"
    save(folder / "b.xyz", "PNG")
    assert taken(store, folder)[0] == ["a", "b.xyz", "good.jpg"]
    assert sorted(looked) == ["a", "b.xyz", "b.xyz"]


def test_a_store_inside_the_folder_is_left_out(folder):
    """The default store is ./vivid_store: whoever works in the folder of the pictures has it there."""
    inside = Store(root=str(folder / "vivid_store"))
    catalogue = register(inside, "c", str(folder))
    inside.write("composites/c/good.jpg", b"a result")
    found = scan(inside, catalogue)
    assert [row["picture"] for row in live_rows(inside)] == ["good.jpg"]
    assert found.refused == ["The folder 'vivid_store' is left out: it is a store of results."]
    assert scan(inside, catalogue).assignment.new == 0


def test_a_store_that_a_link_leads_to_and_anothers_store_are_left_out(store, folder, tmp_path):
    other = Store(root=str(folder / "old" / "results"))
    register(other, "elsewhere", str(tmp_path))
    other.write("composites/elsewhere/x.jpg", b"a result")
    (tmp_path / "way in").symlink_to(folder)
    through = Store(root=str(tmp_path / "way in" / "kept here"))
    register(through, "c", str(folder))
    through.write("masks/m.png", b"a result")
    found = scan(through, register(through, "c", str(folder)))
    assert [row["picture"] for row in live_rows(through)] == ["good.jpg"]
    assert sorted(found.refused) == [
        "The folder 'kept here' is left out: it is a store of results.",
        "The folder 'old/results' is left out: it is a store of results.",
    ]


def test_a_store_that_is_the_folder_itself_is_refused(folder):
    same = Store(root=str(folder))
    with pytest.raises(ValueError, match="is the store itself: use another folder for results"):
        scan(same, register(same, "c", str(folder)))


def test_a_store_below_the_prefix_of_an_object_store_is_left_out():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/bucket/a.jpg": b"a", "/bucket/x/b": b"\x89PNG\r\n\x1a\n....", "/bucket/c.psd": b"8BPS"})
    try:
        inside = Store(root="memory://bucket/results")
        catalogue = register(inside, "c", "memory://bucket")
        inside.write("composites/c/a.jpg", b"a result")
        found = scan(inside, catalogue)
        assert [row["picture"] for row in live_rows(inside)] == ["a.jpg", "x/b"]
        assert any("1 .psd" in note for note in found.refused)
        assert scan(inside, catalogue).assignment.new == 0
    finally:
        memory.store.clear()


def test_files_swapped_with_their_size_and_time_kept_are_seen(store, folder):
    for name, content in (("a.bmp", b"first"), ("b.bmp", b"other")):
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1e9, 1e9))
    taken(store, folder)
    before = {row["picture"]: row["content"] for row in live_rows(store)}
    (folder / "a.bmp").rename(folder / "c")
    (folder / "b.bmp").rename(folder / "a.bmp")
    (folder / "c").rename(folder / "b.bmp")
    assert (folder / "a.bmp").stat().st_mtime == (folder / "b.bmp").stat().st_mtime == 1e9
    found = scan(store, register(store, "c", str(folder)))
    after = {row["picture"]: row["content"] for row in live_rows(store)}
    assert found.assignment.changed == 2
    assert (after["a.bmp"], after["b.bmp"]) == (before["b.bmp"], before["a.bmp"])


def test_a_restored_copy_and_a_ledger_of_an_earlier_version_make_nothing_new(store, folder):
    taken(store, folder)
    content = (folder / "good.jpg").read_bytes()
    (folder / "good.jpg").unlink()
    (folder / "good.jpg").write_bytes(content)
    found = scan(store, register(store, "c", str(folder)))
    assert (found.shards_to_run, found.assignment.unchanged) == ([], 1)


def test_overrides_that_are_not_used_as_they_are_named(store, folder):
    for name in ("cup.jpg", "cup.png", "two.jpg", "mug.jpg", "hat.jpg", "pot.jpg"):
        (folder / name).write_bytes(name.encode())
    (folder / "overrides").mkdir()
    for name in ("cup.png", "cup.jpg.png", "tow.png", "TWO.JPG.png", "mug.png", "mug.jpg", "hat.png", "hat.jpg.png"):
        (folder / "overrides" / name).write_bytes(b"\x89PNG" + name.encode())
    _, notes = taken(store, folder)
    masks = {row["picture"]: row["mask"] for row in live_rows(store)}
    assert masks == {
        "cup.jpg": "overrides/cup.jpg.png",
        "cup.png": "",
        "good.jpg": "",
        "hat.jpg": "overrides/hat.jpg.png",
        "mug.jpg": "",
        "pot.jpg": "",
        "two.jpg": "overrides/TWO.JPG.png",
    }
    assert notes == [
        "'overrides/mug.jpg', 'overrides/mug.png' are all masks for 'mug.jpg', and none is used: keep one of them.",
        "The mask 'overrides/TWO.JPG.png' is used for 'two.jpg', which differs in case.",
        "The mask 'overrides/cup.png' matches 2 pictures and is not used: name it 'overrides/cup.jpg.png' or "
        "'overrides/cup.png.png', for one of 'cup.jpg', 'cup.png'.",
        "The mask 'overrides/hat.png' is not used: 'overrides/hat.jpg.png' is for 'hat.jpg' alone.",
        "The mask 'overrides/tow.png' matches no picture; did you mean 'overrides/two.jpg.png'?",
    ]


def test_backgrounds_and_overrides_are_never_pictures(store, folder):
    for name in ("backgrounds/wall.jpg", "Overrides/good.png", "walls/w.jpg", "shoes/backgrounds/red.jpg"):
        save(folder / name, "PNG")
    pictures, notes = taken(store, folder)
    assert pictures == ["good.jpg", "shoes/backgrounds/red.jpg", "walls/w.jpg"]
    assert "The folder 'Overrides' is not read: name it 'overrides'." in notes
    assert any("The folder 'backgrounds' is not used: set background_folder = 'backgrounds'" in note for note in notes)
    (folder / "catalogue.toml").write_text('background_folder = "walls"')
    assert taken(store, folder)[0] == ["good.jpg", "shoes/backgrounds/red.jpg"]


@pytest.mark.parametrize("is_known", [True, False], ids=["after a scan", "at first"])
@pytest.mark.parametrize("trouble", ["empty", "away", "a file", "unread kinds", "toml", "header", "sub-folder"])
def test_a_catalogue_in_trouble_is_left_as_it_was(store, folder, trouble, is_known, monkeypatch, tmp_path):
    (folder / "sub").mkdir()
    (folder / "sub" / "more.jpg").write_bytes(b"more")
    catalogue = register(store, "c", str(folder))
    if is_known:
        scan(store, catalogue)
    before = read_ledger(store, "c")
    match trouble:
        case "empty":
            (folder / "sub" / "more.jpg").unlink()
            (folder / "sub").rmdir()
            (folder / "good.jpg").unlink()
        case "away":
            folder.rename(tmp_path / "unmounted")
        case "a file":
            folder.rename(tmp_path / "unmounted")
            folder.write_bytes(b"")
        case "unread kinds":
            (folder / "good.jpg").rename(folder / "good.psd")
            (folder / "sub" / "more.jpg").rename(folder / "sub" / "more.psd")
        case "toml":
            (folder / "catalogue.toml").write_text("prompt = ")
        case "header":
            (folder / "manifest.csv").write_text("image,prompt\n")
        case "sub-folder":
            scandir = os.scandir

            def refuse(path):
                if str(path).endswith("sub"):
                    raise PermissionError(13, "Permission denied", path)
                return scandir(path)

            monkeypatch.setattr(os, "scandir", refuse)
    why = {
        "empty": "has no picture",
        "away": "cannot be listed .No such file or directory.: is the disk or share mounted",
        "a file": "cannot be listed .Not a directory",
        "unread kinds": "has no picture.*2 .psd",
        "toml": "not valid TOML",
        "header": "has no picture",
        "sub-folder": r"cannot be listed: sub \(Permission denied\)",
    }[trouble]
    with pytest.raises(ValueError, match=why):
        scan(store, catalogue)
    assert read_ledger(store, "c") == before
    assert read_outcome(store, "c")["fault"]


@pytest.mark.parametrize(
    ("of", "gone", "stops"), [(6, 3, False), (6, 4, True), (4, 3, False), (4, 4, True), (1, 1, True)]
)
def test_a_scan_that_would_lose_most_pictures_stops_until_it_is_confirmed(store, folder, of, gone, stops):
    (folder / "good.jpg").unlink()
    for number in range(of):
        (folder / f"{number}.jpg").write_bytes(b"%d" % number)
    taken(store, folder)
    for number in range(gone):
        (folder / f"{number}.jpg").unlink()
    if stops:
        with pytest.raises(
            ValueError, match=r"Nothing was changed\. If this is intended: vivid catalogue scan c --accept-rem"
        ):
            taken(store, folder)
        assert len(live_rows(store)) == of
    pictures, _ = taken(store, folder, accept_removals=True)
    assert len(pictures) == of - gone
    assert len(taken(store, folder)[0]) == of - gone, "what was accepted is accepted"


def test_pictures_that_a_manifest_names_and_that_all_are_gone_are_not_changed_pictures(store, folder):
    """A share that is not mounted, with the manifest elsewhere on it."""
    (folder / "manifest.csv").write_text("image\na/1.jpg\na/2.jpg\n")
    (folder / "a").mkdir()
    for name in "12":
        (folder / "a" / f"{name}.jpg").write_bytes(name.encode())
    taken(store, folder)
    (folder / "a").rename(folder.parent / "unmounted")
    with pytest.raises(ValueError, match="none of the 2 that the manifest names"):
        taken(store, folder)
    (folder.parent / "unmounted").rename(folder / "a")
    assert scan(store, register(store, "c", str(folder))).shards_to_run == []


def test_a_file_that_cannot_be_read_for_a_while_is_not_a_changed_picture(store, folder, monkeypatch):
    (folder / "other.jpg").write_bytes(b"other")
    taken(store, folder)
    os.utime(folder / "good.jpg", (1e9, 1e9))
    digests = listing.content_digests
    monkeypatch.setattr(
        "vivid_assets.catalogue.clips.content_digests",
        lambda root, names, stamps: [f"unreadable:{stamp}" for stamp in stamps],
    )
    found = scan(store, register(store, "c", str(folder)))
    assert found.refused == ["'good.jpg' cannot be read; its results stay."]
    assert (found.assignment.changed, found.assignment.unchanged) == (0, 2)
    monkeypatch.setattr("vivid_assets.catalogue.clips.content_digests", digests)
    assert scan(store, register(store, "c", str(folder))).assignment.unchanged == 2


def test_people_are_told_once_of_what_changed_and_again_where_the_alert_was_lost(store, folder):
    told = []
    catalogue = register(store, "c", str(folder))

    def look():
        with suppress(ValueError):
            scan(store, catalogue)
        send_outcome(store, "c", lambda title, text: told.append((title, text)))
        return [title for title, _ in told]

    def lose(title, text):
        raise OSError("the webhook is away")

    assert look() == []
    (folder / "art.psd").write_bytes(b"8BPS")
    assert look() == look() == ["Catalogue c needs attention"]
    assert "1 .psd, such as 'art.psd'" in told[-1][1]
    (folder / "catalogue.toml").write_text("prompt = ")
    with pytest.raises(ValueError, match="TOML"):
        scan(store, catalogue)
    with pytest.raises(OSError, match="away"):
        send_outcome(store, "c", lose)
    assert look() == look() == ["Catalogue c needs attention", "Catalogue c could not be scanned"]
    (folder / "catalogue.toml").unlink()
    assert look()[2:] == ["Catalogue c can be scanned again"]


def test_a_damaged_record_and_an_odd_folder_among_the_catalogues_are_not_the_others_fault(store, folder):
    register(store, "good", str(folder))
    store.write("catalogues/bad/catalogue.json", b"{")
    store.write("catalogues/Not a name/catalogue.json", b"{}")
    assert [one.name for one in registered(store)] == ["good"]
    assert [name for name, one in each_registered(store) if isinstance(one, ValueError)] == ["bad"]


def test_the_outcome_is_text_whatever_the_names_are(store, folder):
    (folder / os.fsdecode(b"bad \xff name.jpg")).write_bytes(b"x")
    (folder / os.fsdecode(b"bad \xff name")).write_bytes(b"x")
    pictures, notes = taken(store, folder)
    assert pictures == ["good.jpg"]
    assert sum("has control characters in its name: rename it" in note for note in notes) == 2
    assert json.loads(store.read("catalogues/c/outcome.json"))["count"] == 2
    assert len(live_pictures(store, "c-00000")) == 1


def test_a_disk_s_own_folders_are_nobody_s_to_list(store, folder, monkeypatch):
    """At the top of a disk: only root may list lost+found, and no user can take it away."""
    (folder / "lost+found").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert taken(store, folder) == (["good.jpg"], [])
