"""Scans of real folders: what is found, what is refused, and that nothing else is touched."""

import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from partitions.shards import catalogue_of, is_shard, ordinal_of, shard_key
from resources.store.store import Store
from vivid_assets.catalogue.ledger import commit_ledger, live_pictures, read_ledger, shards_of
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import find, register, registered


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "shoes").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "shoes/c.webp"):
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


@pytest.fixture
def catalogue(store, folder):
    return register(store, "spring", str(folder))


def touch(path, content):
    path.write_bytes(content)
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)


def names(store, shard):
    return [picture["picture"] for picture in live_pictures(store, shard)]


def test_the_first_scan_finds_everything(store, catalogue):
    first = scan(store, catalogue)
    assert (first.assignment.new, first.shards_to_run, first.refused) == (3, ["spring-00000"], [])
    assert names(store, "spring-00000") == ["a.jpg", "b.png", "shoes/c.webp"]


def test_a_scan_of_the_same_writes_nothing(store, catalogue):
    scan(store, catalogue)
    again = scan(store, catalogue)
    assert again.shards_to_run == []
    assert again.assignment.unchanged == 3
    assert read_ledger(store, "spring")[1] == 1


def test_a_changed_picture_enters_the_newest_shard_and_its_old_row_is_retired(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "catalogue.toml").write_text("shard_size = 2")
    touch(folder / "b.png", b"another")
    second = scan(store, catalogue)
    assert (second.assignment.changed, second.assignment.unchanged) == (1, 2)
    assert second.shards_to_run == ["spring-00001"], "the first is as full as one may be now"
    assert names(store, "spring-00000") == ["a.jpg", "shoes/c.webp"]
    assert names(store, "spring-00001") == ["b.png"]
    ledger, _ = read_ledger(store, "spring")
    assert ledger.filter(pc.equal(ledger["retired"], "changed"))["picture"].to_pylist() == ["b.png"]


def test_a_touched_picture_with_the_same_content_is_unchanged(store, catalogue, folder):
    scan(store, catalogue)
    touch(folder / "b.png", b"b.png")
    assert scan(store, catalogue).shards_to_run == []


def test_shards_are_filled_by_name_and_of_those_there_are_the_newest_alone(store, catalogue, folder):
    (folder / "catalogue.toml").write_text("shard_size = 2")
    assert scan(store, catalogue).shards_to_run == ["spring-00000", "spring-00001"]
    (folder / "a.jpg").unlink()
    (folder / "d.jpg").write_bytes(b"d")
    found = scan(store, catalogue)
    assert (found.shards_to_run, found.assignment.new_shards) == (["spring-00001"], [])
    (folder / "e.jpg").write_bytes(b"e")
    assert scan(store, catalogue).assignment.new_shards == ["spring-00002"]
    assert shards_of(store, "spring") == ["spring-00000", "spring-00001", "spring-00002"]


def test_pictures_that_arrive_one_by_one_make_one_shard(store, catalogue, folder):
    scan(store, catalogue)
    for name in "vwxyz":
        (folder / f"{name}.jpg").write_bytes(name.encode())
        assert scan(store, catalogue).shards_to_run == ["spring-00000"]
    assert shards_of(store, "spring") == ["spring-00000"]


def test_the_names_of_shards_sort_by_age_beyond_a_hundred_thousand():
    ordinals = [0, 7, 99_999, 100_000, 999_999, 1_000_000, 12_345_678]
    names = [shard_key("spring", ordinal) for ordinal in ordinals]
    assert names == sorted(names)
    assert names[2:4] == ["spring-99999", "spring-a100000"]
    assert [ordinal_of(name) for name in names] == ordinals
    assert all(is_shard(name) and catalogue_of(name) == "spring" for name in names)
    assert not any(map(is_shard, ("spring-100000", "spring-a00001", "spring-0001")))


def test_the_manifest_says_which_pictures_and_what_is_asked(store, catalogue, folder):
    (folder / "catalogue.toml").write_text('prompt = "plain grey"\nseed = 7')
    (folder / "manifest.csv").write_text(
        "Image,Prompt,Negative prompt,seed,scene\n"
        'a.jpg,"a kitchen, morning light",people,5,\n'
        "b.png,,,,loft\n"
        "shoes/c.webp,,,,loft\n"
        "lost.jpg,,,,\n"
    )
    scan(store, catalogue)
    a, b, lost, c = live_pictures(store, "spring-00000")
    assert (a["prompt"], a["negative_prompt"], a["seed"]) == ("a kitchen, morning light", "people", 5)
    assert b["prompt"] == c["prompt"] == "plain grey"
    assert b["seed"] == c["seed"] != 7
    assert (lost["picture"], lost["content"], lost["seed"]) == ("lost.jpg", "missing", 7)


def test_a_changed_prompt_moves_nothing_and_names_the_shard_to_run(store, catalogue, folder):
    manifest = folder / "manifest.csv"
    manifest.write_text("image,prompt\na.jpg,red\nb.png,red\n")
    scan(store, catalogue)
    manifest.write_text("image,prompt\na.jpg,red\nb.png,blue\n")
    second = scan(store, catalogue)
    assert second.assignment.rerequested == 1
    assert second.shards_to_run == ["spring-00000"]
    assert [picture["prompt"] for picture in live_pictures(store, "spring-00000")] == ["red", "blue"]


def test_a_parquet_manifest_with_numbers_and_nulls(store, catalogue, folder):
    pq.write_table(
        pa.table({"image": ["a.jpg", "b.png"], "seed": pa.array([3, None], pa.int32()), "sku": [1, 2]}),
        folder / "manifest.parquet",
    )
    found = scan(store, catalogue)
    assert [picture["seed"] for picture in live_pictures(store, "spring-00000")] == [3, 42]
    assert found.refused == ["The manifest's column 'sku' is not used."]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("../secret.jpg", "leads out"),
        ("/etc/passwd.jpg", "is not a path below"),
        ("C:\\\\windows.jpg", "is not a path below"),
        ("http://169.254.169.254/latest.jpg", "is not a path below"),
        ("a/../../b.jpg", "leads out"),
        ('"a\tb.jpg"', "control character"),
        ("a.jpg", "is listed a second time"),
    ],
)
def test_hostile_manifest_lines_are_refused_by_name_and_the_rest_goes_on(store, catalogue, folder, line, why):
    (folder / "manifest.csv").write_text(f"image,prompt\na.jpg,red\n{line},red\n")
    found = scan(store, catalogue)
    assert len(found.refused) == 1
    assert why in found.refused[0]
    assert names(store, "spring-00000") == ["a.jpg"]


def test_a_misspelt_manifest_column_is_an_error_that_says_what_is_meant(store, catalogue, folder):
    (folder / "manifest.csv").write_text("image,promt\na.jpg,red\n")
    with pytest.raises(ValueError, match="'promt': did you mean 'prompt'"):
        scan(store, catalogue)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt = ", "not valid TOML"),
        ("shardsize = 3", "shardsize: there is no entry 'shardsize'; did you mean 'shard_size'"),
        ('tiers = ["u2net"]', r"tiers: there is no such entry at the top .* the table \[masks\]"),
        ('[settings.masks]\ntiers = ["nonsense"]', r"no table \[settings\]: write \[masks\] for \[settings.masks\]"),
        ('[mask]\ntiers = ["u2net"]', "mask: there is no entry 'mask'; did you mean 'masks'"),
        ('[masks]\ntiers = ["nonsense"]', r"masks\.tiers\.0: Input should be 'birefnet', 'u2net'"),
        ("shard_size = 0", "shard_size: Input should be greater"),
        ("[composites]\nstrength = 7", "composites.strength: Input should be less"),
        ("[composites]\nstrenght = 0.5", "composites.strenght: there is no entry 'strenght'; did you mean 'strength'"),
        ('manifest = "none.csv"', "no manifest 'none.csv'"),
        ('background_folder = "none"', "no folder 'none'"),
    ],
)
def test_a_bad_catalogue_file_is_named_with_its_entry(store, catalogue, folder, text, message):
    (folder / "catalogue.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        scan(store, catalogue)


def test_settings_of_the_catalogue_are_recorded(store, catalogue, folder):
    (folder / "catalogue.toml").write_text('[masks]\ntiers = ["u2netp", "gradients"]')
    scan(store, catalogue)
    assert catalogue_settings(store, "spring").said() == {"masks": {"tiers": ["u2netp", "gradients"]}}


def test_own_backgrounds_are_shared_out_and_stay(store, catalogue, folder):
    (folder / "backgrounds").mkdir()
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(b"%d" % number)
        (folder / "backgrounds" / f"{number}.png").write_bytes(b"background %d" % number)
    (folder / "catalogue.toml").write_text('background_folder = "backgrounds"')
    scan(store, catalogue)
    before = {p["picture"]: p["background"] for p in live_pictures(store, "spring-00000")}
    assert len(set(before.values())) > 1
    assert not any(name.startswith("backgrounds/") for name in before)
    (folder / "backgrounds" / "extra.png").write_bytes(b"one more")
    scan(store, catalogue)
    after = {p["picture"]: p["background"] for p in live_pictures(store, "spring-00000")}
    assert {after[name] for name in after if after[name] != before[name]} <= {"backgrounds/extra.png"}


def test_a_changed_background_touches_the_pictures_that_use_it(store, catalogue, folder):
    (folder / "wall.png").write_bytes(b"wall")
    (folder / "manifest.csv").write_text("image,background\na.jpg,wall.png\nb.png,\n")
    scan(store, catalogue)
    touch(folder / "wall.png", b"other wall")
    second = scan(store, catalogue)
    assert second.assignment.rerequested == 1
    assert scan(store, catalogue).shards_to_run == []


def test_dropping_an_override_asks_for_that_picture_alone(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "overrides" / "shoes").mkdir(parents=True)
    (folder / "overrides" / "shoes" / "c.png").write_bytes(b"mask")
    second = scan(store, catalogue)
    assert second.assignment.rerequested == 1
    assert [p["mask"] for p in live_pictures(store, "spring-00000")] == ["", "", "overrides/shoes/c.png"]


def test_a_link_out_of_the_folder_is_refused(store, catalogue, folder, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    found = scan(store, catalogue)
    assert found.refused == ["'link.jpg' is a link that leads out of the catalogue's folder."]
    assert "link.jpg" not in names(store, "spring-00000")


def test_two_scans_at_once_lose_nothing(store, catalogue, folder, monkeypatch):
    """The slower scan finds its generation taken and looks again from the other's result."""
    scan(store, catalogue)
    touch(folder / "a.jpg", b"changed")
    raced = []

    def commit_after_another(*arguments, **options):
        if not raced:
            raced.append(True)
            scan(store, catalogue)
        return commit_ledger(*arguments, **options)

    monkeypatch.setattr("vivid_assets.catalogue.scan.commit_ledger", commit_after_another)
    scan(store, catalogue)
    ledger, generation = read_ledger(store, "spring")
    assert generation == 2
    assert sorted(ledger["picture"].to_pylist()) == ["a.jpg", "a.jpg", "b.png", "shoes/c.webp"]


def test_old_generations_are_cleared_away(store, catalogue, folder):
    for number in range(8):
        touch(folder / "a.jpg", b"%d" % number)
        scan(store, catalogue)
    assert read_ledger(store, "spring")[1] == 8
    assert len(store.names("catalogues/spring/ledger")) <= 4


def test_an_object_store_serves_as_source_and_as_store():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/cat/a.jpg": b"a", "/cat/x/b.jpg": b"b"})
    try:
        store = Store(root="memory://kept")
        catalogue = register(store, "cloud", "memory://cat")
        assert scan(store, catalogue).assignment.new == 2
        assert names(store, "cloud-00000") == ["a.jpg", "x/b.jpg"]
        assert scan(store, catalogue).shards_to_run == []
    finally:
        memory.store.clear()


def test_catalogues_are_registered_once(store, catalogue, folder, tmp_path):
    assert find(store, "spring") == catalogue
    assert register(store, "spring", str(folder)) == catalogue
    assert registered(store) == [catalogue]
    with pytest.raises(ValueError, match="already"):
        register(store, "spring", str(tmp_path))
    with pytest.raises(ValueError, match="not a folder"):
        register(store, "other", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="cannot be a catalogue's name"):
        register(store, "../up", str(folder))
    with pytest.raises(ValueError, match="no catalogue 'winter'"):
        find(store, "winter")


def test_a_manifest_with_digests_is_believed_and_no_file_is_listed(store, catalogue, folder, monkeypatch):
    def write(**digests):
        images = [f"{name}.jpg" for name in digests]
        pq.write_table(pa.table({"image": images, "digest": [*digests.values()]}), folder / "manifest.parquet")

    def refuse(*arguments, **options):
        raise AssertionError("the files were listed")

    write(x="1", y="2")
    monkeypatch.setattr("vivid_assets.catalogue.scan.list_files", refuse)
    assert scan(store, catalogue).assignment.new == 2
    assert scan(store, catalogue).shards_to_run == []
    write(x="1", y="3")
    second = scan(store, catalogue)
    assert (second.assignment.changed, second.shards_to_run) == (1, ["spring-00000"])
    write(x="1", y="")
    with pytest.raises(AssertionError, match="listed"):
        scan(store, catalogue)
