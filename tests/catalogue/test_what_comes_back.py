"""What was there before is known again: pictures that return, that are renamed, whose identity is told otherwise."""

import hashlib
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from partitions.assignment import NO_FILE
from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.identity import fits
from vivid_assets.catalogue.ledger import live_pictures, read_ledger
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.rows.failures import PictureFailure


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "shoes").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "c.jpg", "shoes/d.jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def catalogue(store, folder):
    return register(store, "spring", str(folder))


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


def where(store, *, shards=6):
    """The shard's ordinal of each live picture."""
    return {
        picture["picture"]: shard for shard in range(shards) for picture in live_pictures(store, f"spring-{shard:05d}")
    }


def write(path, content):
    path.write_bytes(content)
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)


def test_a_picture_that_returns_takes_its_row_back(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "a.jpg").rename(folder.parent / "away")
    assert scan(store, catalogue).assignment.removed == 1
    (folder.parent / "away").rename(folder / "a.jpg")
    back = scan(store, catalogue)
    assert (back.assignment.returned, back.assignment.new_shards, back.shards_to_run) == (1, [], ["spring-00000"])
    assert [*where(store)] == ["a.jpg", "b.jpg", "c.jpg", "shoes/d.jpg"]
    assert len(read_ledger(store, "spring")[0]) == 4
    assert scan(store, catalogue).shards_to_run == []


def test_a_picture_that_is_changed_back_takes_its_old_row_back(store, catalogue, folder):
    (folder / "catalogue.toml").write_text("shard_size = 1")
    scan(store, catalogue)
    write(folder / "a.jpg", b"another")
    scan(store, catalogue)
    assert where(store)["a.jpg"] == 4
    write(folder / "a.jpg", b"a.jpg")
    assert scan(store, catalogue).shards_to_run == ["spring-00000"]
    assert where(store)["a.jpg"] == 0


def test_a_renamed_picture_and_a_moved_folder_stay_in_their_shard(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "a.jpg").rename(folder / "first.jpg")
    (folder / "shoes").rename(folder / "boots")
    found = scan(store, catalogue)
    assert (found.assignment.renamed, found.assignment.new_shards) == (2, [])
    assert where(store) == {"b.jpg": 0, "boots/d.jpg": 0, "c.jpg": 0, "first.jpg": 0}
    assert "2 of them renamed" in str(found)


def test_of_two_copies_one_is_the_renamed_picture_and_the_other_is_new(store, catalogue, folder):
    (folder / "catalogue.toml").write_text("shard_size = 1")
    scan(store, catalogue)
    (folder / "a.jpg").rename(folder / "x.jpg")
    (folder / "y.jpg").write_bytes(b"a.jpg")
    found = scan(store, catalogue)
    assert (found.assignment.renamed, found.assignment.new) == (1, 2)
    assert sorted(where(store)[name] for name in ("x.jpg", "y.jpg")) == [0, 4]


def test_what_is_only_copied_is_new(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "copy.jpg").write_bytes(b"a.jpg")
    assert scan(store, catalogue).assignment.renamed == 0


def manifest(folder, **digests):
    table = pa.table({"image": [f"{name}.jpg" for name in digests], "digest": [*digests.values()]})
    pq.write_table(table, folder / "manifest.parquet")


def md5(text):
    return hashlib.md5(text).hexdigest()


def test_a_line_without_a_digest_changes_no_other_picture_and_filling_it_in_none(store, catalogue, folder):
    known = {name: md5(f"{name}.jpg".encode()) for name in "abc"}
    manifest(folder, **known)
    scan(store, catalogue)
    (folder / "new.jpg").write_bytes(b"new")
    manifest(folder, **known, new="")
    found = scan(store, catalogue)
    assert (found.assignment.new, found.assignment.changed) == (1, 0)
    assert scan(store, catalogue).shards_to_run == []
    manifest(folder, **known, new=hashlib.sha256(b"new").hexdigest())
    assert scan(store, catalogue).assignment.unchanged == 4
    assert scan(store, catalogue).assignment.unchanged == 4


def test_a_manifest_that_says_other_digests_than_before_changes_pictures(store, catalogue, folder):
    scan(store, catalogue)
    (folder / "shoes" / "d.jpg").unlink()
    manifest(folder, a=md5(b"a.jpg"), b=md5(b"another"), c="version 3")
    found = scan(store, catalogue)
    assert (found.assignment.unchanged, found.assignment.changed) == (2, 1), "c's file is the one that was looked at"


@pytest.mark.parametrize("expected", ["md5", "sha256", "named", "etag of a bucket"])
def test_what_is_read_is_what_was_promised(catalogue, folder, expected):
    said = {
        "md5": lambda data: f"manifest:{md5(data).upper()}",
        "sha256": lambda data: f"manifest:{hashlib.sha256(data).hexdigest()}",
        "named": lambda data: f"manifest:sha1:{hashlib.sha1(data).hexdigest()}",
        "etag of a bucket": lambda data: hashlib.blake2b(data, digest_size=16).hexdigest(),
    }[expected](b"a.jpg")
    assert catalogue.read("a.jpg", said) == b"a.jpg"
    (folder / "a.jpg").write_bytes(b"another")
    with pytest.raises(PictureFailure, match=r"replaced since the last scan|does not match its checksum") as failure:
        catalogue.read("a.jpg", said)
    assert failure.value.transient


def test_a_file_that_is_not_there_is_said_and_tried_again_unless_the_scan_knows_it(catalogue, folder):
    (folder / "a.jpg").unlink()
    for expected, again in (("manifest:v2", True), (md5(b"a.jpg"), True), (NO_FILE, False)):
        with pytest.raises(
            PictureFailure, match=r"'a\.jpg' is not in the catalogue's folder: copy it there"
        ) as failure:
            catalogue.read("a.jpg", expected)
        assert failure.value.transient is again


def test_what_is_no_checksum_is_believed(catalogue, folder):
    (folder / "a.jpg").write_bytes(b"another")
    for said in ("manifest:v2", "manifest:version:" + md5(b"x"), 'etag:"9b2cf535f27731c974343645a3985328-4"'):
        assert catalogue.read("a.jpg", said) == b"another"


def test_an_entity_tag_is_compared_with_the_one_that_the_file_has_now():
    assert fits('etag:"1-2"', [b""], 'etag:"1-2"') is True
    assert fits('etag:"1-2"', [b""], 'etag:"3-4"') is False


def test_a_store_of_another_edition_says_so(store, catalogue):
    scan(store, catalogue)
    ledger, generation = read_ledger(store, "spring")
    store.write_table(f"catalogues/spring/ledger/{generation:08d}.parquet", ledger.drop_columns(["returns"]))
    with pytest.raises(MachineFault, match="by another version of this program"):
        scan(store, catalogue)
