"""Store and source in an object store: a real S3 server, the whole pipeline, other clients at the same time."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resources.store.locks import Claims
from resources.store.store import Store
from tests.support.clips import moving_disc, save_clip
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.source import Catalogue
from vivid_assets.rows.tables import read_rows
from vivid_assets.stages.stage import all_stages

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=1)]

STAGE_NAMES = {stage.name for stage in all_stages()}


def test_the_whole_pipeline_with_store_and_source_on_s3(s3, product, make_deployed, settings):
    for number in range(3):
        s3.pipe_file(f"vivid/whole/pictures/{number}.png", product(number))
    s3.pipe_file("vivid/whole/pictures/catalogue.toml", b'prompt = "red paper"\nshard_size = 3\n')
    deployed = make_deployed("s3://vivid/whole/store", "s3://vivid/whole/pictures", settings)
    assert deployed.scan() == ["spring-00000"]
    assert deployed.run("spring-00000") == dict.fromkeys(STAGE_NAMES, 3)
    there = {name.removeprefix("vivid/whole/store/") for name in s3.find("vivid/whole/store")}
    assert {f"composites/spring/{number}.png" for number in range(3)} <= there
    assert {"review/spring-00000.html", "export/spring/data/spring-00000.parquet", "export/spring/README.md"} <= there
    assert not [name for name in there if "claim" in name or "journal" in name], "nothing is left of the run"

    assert deployed.scan() == []
    stamps = {name: info["LastModified"] for name, info in s3.find("vivid/whole/store", detail=True).items()}
    assert deployed.run("spring-00000") == dict.fromkeys(STAGE_NAMES, 0)
    assert {n: info["LastModified"] for n, info in s3.find("vivid/whole/store", detail=True).items()} == stamps

    # By another client, as whoever delivers pictures is one.
    s3.pipe_file("vivid/whole/pictures/1.png", product(7))
    s3.rm_file("vivid/whole/pictures/2.png")
    store = Store(root="s3://vivid/whole/store")
    store.remove([read_rows(store, MASKS, "spring-00000")["0.png"]["file"]])
    assert deployed.scan() == ["spring-00000"]
    assert deployed.run("spring-00000") == dict.fromkeys(STAGE_NAMES, 1) | {"masks": 2}
    there = {name.removeprefix("vivid/whole/store/") for name in s3.find("vivid/whole/store/composites")}
    assert there == {"composites/spring/0.png", "composites/spring/1.png"}


def test_what_others_do_is_seen_at_once(s3):
    """A code server lives for weeks, and an S3 client remembers what a folder held."""
    store = Store(root="s3://vivid/seen")
    source = Catalogue(name="spring", url="s3://vivid/seen")
    s3.pipe_file("vivid/seen/folder/a", b"1")
    assert store.names("folder") == [path.name for path in (source.root / "folder").iterdir()] == ["a"]
    s3.pipe_file("vivid/seen/folder/b", b"1")
    s3.pipe_file("vivid/seen/folder/a", b"longer")
    assert store.names("folder") == sorted(path.name for path in (source.root / "folder").iterdir()) == ["a", "b"]
    assert (store.size("folder/a"), source.read("folder/a", "unreadable:")) == (6, b"longer")
    s3.rm_file("vivid/seen/folder/a")
    assert (store.names("folder"), store.exists("folder/a")) == (["b"], False)


def test_a_copy_of_another_file_of_the_same_size_is_no_name_of_the_earlier_one(s3):
    store = Store(root="s3://vivid/linked")
    for number, data in ((1, b"made"), (2, b"more")):
        store.write(f"artefacts/{number}", data)
    store.link("artefacts/2", "seen/a")
    assert store.is_linked("artefacts/2", "seen/a")
    assert not store.is_linked("artefacts/1", "seen/a"), "made before the copy"
    store.link("artefacts/1", "seen/a")
    assert store.is_linked("artefacts/1", "seen/a")
    assert store.read("seen/a") == b"made"


def test_a_copy_under_a_key_of_kms_is_known_and_not_made_again(s3):
    """Each has another ETag there, which looks like an MD5."""
    s3.mkdir("vivid-kms")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.call_s3("put_bucket_encryption", Bucket="vivid-kms", ServerSideEncryptionConfiguration={"Rules": [rule]})
    store = Store(root="s3://vivid-kms/linked")
    for number, data in ((1, b"made"), (2, b"more")):
        store.write(f"artefacts/{number}", data)
    store.link("artefacts/2", "seen/a")
    assert s3.info("vivid-kms/linked/artefacts/2")["ETag"] != s3.info("vivid-kms/linked/seen/a")["ETag"]
    assert store.is_linked("artefacts/2", "seen/a")
    assert not store.is_linked("artefacts/1", "seen/a"), "of the same size, and made before the copy"
    store.write("seen/a", b"evil")
    assert not store.is_linked("artefacts/2", "seen/a"), "replaced by others"
    with pytest.raises(FileNotFoundError):
        store.link("artefacts/3", "seen/a")


def test_a_copy_keeps_the_kind_of_content(s3, tmp_path):
    store = Store(root="s3://vivid/kinds")
    (tmp_path / "disc.mp4").write_bytes(b"some video")
    store.write_file("artefacts/disc.mp4", tmp_path / "disc.mp4")
    store.link("artefacts/disc.mp4", "seen/disc.mp4")
    assert s3.info("vivid/kinds/seen/disc.mp4")["ContentType"] == "video/mp4"


def test_of_two_who_create_a_file_one_is_first(s3):
    store = Store(root="s3://vivid/create")
    assert [store.create("file", data) for data in (b"first", b"second")] == [True, False]
    assert store.read("file") == b"first"
    claims = Claims(store, "claims")
    claim = claims.take("shard")
    assert claim
    assert Claims(store, "claims").take("shard") is None
    claims.release(claim)
    assert Claims(store, "claims").take("shard")


def test_two_runs_on_the_same_shards_share_the_work(
    s3, product, settings, make_deployed, contents, differences, tmp_path
):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 1\n')
    for number in range(2):
        (pictures / f"{number}.png").write_bytes(product(number))
    local = make_deployed(str(tmp_path / "store"), str(pictures), settings)
    assert [set(local.run(shard).values()) for shard in local.scan()] == [{1}, {1}]

    make_deployed("s3://vivid/two/store", str(pictures), settings).scan()
    environment = os.environ | {"VIVID_STORE": "s3://vivid/two/store", "VIVID_SETTINGS": str(settings)}
    command = [sys.executable, "-m", "tests.deploy.two_runs"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    told = json.loads(ran.stdout)
    assert told["statuses"] == [0, 0], ran.stderr[-3000:]
    assert sum(told["computed"]) == len(all_stages()) * 2, told
    assert differences(contents("s3://vivid/two/store"), contents(str(tmp_path / "store"))) == []


def test_a_clip_is_composed_on_from_where_a_killed_process_was(s3, make_deployed, settings, tmp_path):
    save_clip(tmp_path / "disc.mp4", moving_disc(60))
    s3.pipe_file("vivid/clip/pictures/turntable/disc.mp4", (tmp_path / "disc.mp4").read_bytes())
    s3.pipe_file("vivid/clip/pictures/catalogue.toml", b'background = "#ffffff"\nclips = ["turntable/*"]\n')
    environment = os.environ | {"VIVID_SETTINGS": str(settings)}
    command = [sys.executable, "-m", "tests.deploy.killed_run"]
    made = {}
    # In the first segment of 48 frames and in the second; and a run that is not killed.
    for name, kills in {"killed": (20, 33), "whole": ()}.items():
        root = f"s3://vivid/clip/{name}"
        deployed = make_deployed(root, "s3://vivid/clip/pictures", settings)
        assert deployed.scan() == ["spring-00000"]
        for composed in kills:
            ran = subprocess.run(
                [*command, str(composed)], cwd=Path(__file__).parents[2], env=environment | {"VIVID_STORE": root}
            )
            assert ran.returncode == -signal.SIGKILL
        deployed.run("spring-00000")
        made[name] = s3.cat_file(f"vivid/clip/{name}/composites/spring/turntable/disc.mp4")
        assert not [path for path in s3.find(f"vivid/clip/{name}/artefacts") if path.endswith(".part")]
    assert made["killed"] == made["whole"]
