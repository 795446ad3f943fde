"""What is kept of pictures that are gone, and a takedown that leaves nothing of one."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from partitions.assignment import LEDGER
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.export import EXPORTED
from vivid_assets.catalogue.ledger import commit_ledger, read_ledger, shards_of
from vivid_assets.catalogue.progress import State, state_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import find, register, take_off
from vivid_assets.catalogue.wishes import (
    Judged,
    Wish,
    keep_judged,
    keep_mask,
    keep_wish,
    read_judged,
    read_wishes,
)
from vivid_assets.cli.main import app
from vivid_assets.export.purge import find_rubbish
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.imaging.io.codec import decode
from vivid_assets.rows.columns import StoredFile
from vivid_assets.rows.stage import OK, Stage
from vivid_assets.rows.tables import Journal, read_shelf, shelve, write_rows
from vivid_assets.scheduling.upkeep import prune
from vivid_assets.stages.stage import all_stages


def _two_of_which_one_goes(pipeline):
    pipeline.put("a.png", size=48)
    pipeline.put("b.png", (20, 90, 40), size=56)
    (pipeline.folder / "catalogue.toml").write_text('prompt = "red paper"')
    pipeline.scan()
    pipeline.run()
    (pipeline.folder / "catalogue.toml").write_text('prompt = "grey paper"')
    (pipeline.folder / "b.png").rename(pipeline.folder.parent / "b.png")
    pipeline.scan()
    pipeline.run()


@pytest.fixture
def done(pipeline_after):
    """Two pictures, of which one is removed; the other's prompt was another once."""
    return pipeline_after(_two_of_which_one_goes)


def vivid(pipeline, *arguments, command="purge"):
    return CliRunner().invoke(app, ["catalogue", command, "spring", *arguments, "--store", pipeline.store.root])


def sizes_kept(pipeline):
    """The sizes of all pictures in the store's artefacts."""
    files = Path(pipeline.store.path("artefacts").path).rglob("*.png")
    return {decode(file.read_bytes()).size for file in files}


@pytest.mark.slow
def test_pruning_says_first_and_deletes_when_it_is_told(done):
    stray = done.store.path("artefacts/spring/masks/00/of a killed run.bin")
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"half")
    os.utime(stray.path, (1e9, 1e9))
    before = sizes_kept(done)
    unused = done.store.path("scenes/00/unused.png")
    unused.parent.mkdir(exist_ok=True)
    unused.write_bytes(b"twelve bytes")
    os.utime(unused.path, (1e9, 1e9))
    said = vivid(done, command="prune")
    assert "Nothing was deleted: add --yes" in said.output
    assert "1 file that killed runs left" in said.output
    assert "1 that no catalogue uses" in said.output
    assert sizes_kept(done) == before == {(48, 48), (56, 56)}
    assert vivid(done, "--yes", command="prune").exit_code == 0
    assert sizes_kept(done) == {(48, 48)}
    assert not stray.exists() and not unused.exists()
    assert [read_shelf(done.store, stage, "spring-00000") for stage in all_stages()] == [{}] * len(all_stages())
    assert set(done.run().values()) == {0}, "what lives is as it was"
    assert done.published() == {"a.png"}
    assert "0 files, 0.0 MB. Nothing was deleted" in vivid(done, command="prune").output


@pytest.mark.slow
def test_a_takedown_takes_one_picture_and_leaves_what_else_is_kept(done):
    (done.folder / "catalogue.toml").write_text('prompt = "red paper"')
    done.scan()
    assert done.run()["composites"] == 0, "a's composite before red paper is kept"
    done.put("c.png", (40, 40, 160), size=64)
    done.scan()
    done.run("spring-00000")
    (done.folder / "c.png").unlink()
    done.scan()
    assert done.published() == {"a.png", "c.png"}
    assert vivid(done, "c.png", "--yes").exit_code == 0
    assert done.published() == {"a.png"}
    assert sizes_kept(done) == {(48, 48), (56, 56)}
    page = Path(done.store.path("review/spring-00000.html").path).read_text(encoding="utf-8")
    assert not re.search(r"\bc\.png", page)  # a file named by its key may end so
    (done.folder.parent / "b.png").rename(done.folder / "b.png")
    done.scan()
    assert done.run()["prepared_images"] == 0, "b returns at no cost"
    assert sorted(done.rows(COMPOSITES)) == ["a.png", "b.png"]


def test_a_purge_takes_what_was_said_of_the_picture_at_the_desk(done):
    for name in ("a.png", "b.png"):
        mask = keep_mask(done.store, "spring", name.encode())
        keep_wish(done.store, "spring", name, Wish(mask=mask))
        keep_judged(done.store, "spring", name, Judged("key", is_right=False))
    assert vivid(done, "b.png", "--yes").exit_code == 0
    assert {*read_wishes(done.store, "spring")} == {*read_judged(done.store, "spring")} == {"a.png"}
    assert len(done.store.names("desk/spring/masks")) == 1


def test_a_picture_that_is_in_the_catalogue_is_not_purged(done):
    refused = vivid(done, "a.png", "--yes")
    assert refused.exit_code == 1
    assert "is in spring: remove it from the folder" in refused.output
    assert "was never in spring" in vivid(done, "x.png").output


@dataclass(frozen=True)
class Scene:
    scene: StoredFile


SCENES = Stage(name="scenes", version="1", row=Scene)


@pytest.mark.parametrize("where", ["journal", "table", "shelf", None])
def test_a_scene_that_another_catalogue_names_stays(tmp_path, where):
    store, scene = Store(root=str(tmp_path)), "scenes/00/one.png"
    store.write(scene, b"shared")
    row = dict.fromkeys(SCENES.schema.names) | {"picture": "a.png", "rendition": "", "status": OK, "key": "k"}
    row |= {"scene": scene, "transient": False, "seconds": 0.0}
    write_rows(store, SCENES, "spring-00000", [row], after=0)
    gone = {"picture": "a.png", "content": "1", "shard": "spring-00000", "retired": "removed"}
    known = {
        name: [gone.get(name, "" if pa.types.is_string(type_) else 0)]
        for name, type_ in zip(LEDGER.names, LEDGER.types, strict=True)
    }
    commit_ledger(store, "spring", pa.table(known, schema=LEDGER), after=0)
    if where == "journal":
        journal = Journal(store, SCENES, "summer-00000")
        journal.append(row)
        journal.flush()
    elif where == "table":
        write_rows(store, SCENES, "summer-00000", [row], after=0)
    elif where == "shelf":
        shelve(store, SCENES, "summer-00000", [row])
    assert {*find_rubbish(store, "spring", [SCENES]).files} == (set() if where else {scene})


@pytest.mark.slow
def test_a_catalogue_that_is_removed_with_its_files_leaves_nothing_of_its_own(done, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(Path(done.store.root).parent))
    other = done.folder.parent / "other"
    other.mkdir()
    register(done.store, "spring-2", str(other))
    listed = CliRunner().invoke(app, ["catalogue", "list", "--store", done.store.root]).output
    assert "spring-2" in listed and "one composite a picture" in listed
    refused = CliRunner().invoke(
        app, ["catalogue", "remove", "spring", "--files", "--store", done.store.root], input="n\n"
    )
    assert refused.exit_code == 1 and "Nothing was changed" in refused.output
    assert done.published() == {"a.png"}
    assert vivid(done, "--files", "--yes", command="remove").exit_code == 0
    left = [str(path) for path in Path(done.store.root).rglob("*") if path.is_file() and "spring" in str(path)]
    assert [path for path in left if "spring-2" not in path and "claims" not in path] == []
    assert (done.folder / "a.png").exists(), "the pictures themselves are not touched"
    assert find(done.store, "spring-2").url == str(other)


@pytest.mark.slow
def test_a_renamed_catalogue_has_its_results_under_the_new_name_and_computes_nothing(done, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(Path(done.store.root).parent))
    before = {stage.name: set(done.rows(stage)) for stage in all_stages()}
    register(done.store, "taken", str(done.folder.parent))
    register(done.store, "twin", str(done.folder))
    take_off(done.store, register(done.store, "earlier", str(done.folder)).name)
    commit_ledger(done.store, "earlier", LEDGER.empty_table(), after=0)
    for name in ("taken", "twin", "spring", "earlier"):
        refused = vivid(done, name, command="rename")
        assert refused.exit_code == 1 and "choose another name" in refused.output
    renamed = vivid(done, "summer", command="rename")
    assert renamed.exit_code == 0, renamed.output
    assert {stage.name: set(done.rows(stage, "summer-00000")) for stage in all_stages()} == before
    assert done.store.exists("composites/summer/a.png") and not done.store.exists("composites/spring/a.png")
    assert "summer" in done.store.read("review/summer-00000.html").decode()
    left = [path for path in Path(done.store.root).rglob("*spring*") if path.is_file() and "claims" not in str(path)]
    assert left == []
    done.catalogue = find(done.store, "summer")
    (done.folder.parent / "b.png").rename(done.folder / "b.png")
    done.scan()
    done.instance.add_dynamic_partitions("vivid_shards", ["summer-00000"])
    worked = {stage: rows for stage, rows in done.run("summer-00000").items() if rows}
    assert worked == {"backgrounds": 1, "composites": 1, "review": 1}, "of b, which another prompt was asked for once"
    assert done.store.exists("composites/summer/b.png")


def old_trial(store):
    """A trial that nothing was written to for long, and one that is just made."""
    for name, written in (("old", 1e9), ("new", None)):
        file = store.path(f"trials/{name}/tables/masks/spring-00000/00000001.parquet")
        file.parent.mkdir(parents=True)
        file.write_bytes(b"rows")
        if written:
            os.utime(file.path, (written, written))


@pytest.mark.slow
def test_pruning_merges_shards_of_which_little_is_left_and_then_forgets_them(pipeline):
    (pipeline.folder / "catalogue.toml").write_text("shard_size = 4")
    for number in range(9):
        pipeline.put(f"{number}.png", (10 + 20 * number, 40, 30), size=24)
    pipeline.scan()
    for shard in shards_of(pipeline.store, "spring"):
        pipeline.run(shard)
    old_trial(pipeline.store)
    for number in (1, 2, 3, 5, 6, 7):
        (pipeline.folder / f"{number}.png").unlink()
    scan(pipeline.store, pipeline.catalogue, accept_removals=True)
    said = vivid(pipeline, command="prune").output
    assert "Its shards are left as they are while it has runs to come" in said, "names are to be taken away first"
    assert "trials: 1 file of those untouched for 30 days" in said
    assert "2 shards, a quarter full or less, to merge" in vivid(pipeline, "--yes", command="prune").output
    assert pipeline.store.names("trials/old/tables/masks/spring-00000") == []
    assert len(pipeline.store.names("trials/new/tables/masks/spring-00000")) == 1
    composites = {picture: pipeline.store.read(f"composites/spring/{picture}") for picture in pipeline.published()}

    assert shards_of(pipeline.store, "spring") == ["spring-00002"], "merged"
    assert set(pipeline.run("spring-00002").values()) == {0}, "every row was taken along"
    assert [*pipeline.rows(COMPOSITES, "spring-00002")] == ["0.png", "4.png", "8.png"]
    found = prune(pipeline.store, delete=True)
    assert [shard for one in found for shard in one.forgotten] == ["spring-00000", "spring-00001"]
    ledger, _ = read_ledger(pipeline.store, "spring")
    assert {*ledger["shard"].to_pylist()} == {"spring-00002"}
    assert {path.split("/")[2] for path in pipeline.store.files_below("tables")} == {"spring-00002"}
    assert set(pipeline.run("spring-00002").values()) == {0}
    assert {name: pipeline.store.read(f"composites/spring/{name}") for name in pipeline.published()} == composites
    assert {*composites} == {"0.png", "4.png", "8.png"}
    assert state_of(pipeline.store, "spring", STAGE_NAMES, [one.name for one in EXPORTED]) == State([], [])
    assert "0 files, 0.0 MB. Nothing was deleted" in vivid(pipeline, command="prune").output
