"""The exported dataset, opened by the tools it is for."""

import json

import duckdb
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.export.part import schema
from vivid_assets.imaging.io.codec import decode, read_provenance


def export_two_shards(pipeline):
    """A catalogue of four pictures in two shards; one of them is no picture."""
    for name in ("a.png", "b.png", "shoes/red.jpg"):
        pipeline.put(name)
    (pipeline.folder / "d.png").write_bytes(b"no picture")
    (pipeline.folder / "catalogue.toml").write_text('prompt = "teal paper"\nseed = 7\nshard_size = 2')
    pipeline.scan()
    for shard in ("spring-00000", "spring-00001"):
        pipeline.run(shard)


@pytest.fixture
def exported(pipeline_after):
    pipeline = pipeline_after(export_two_shards)
    pipeline.dataset = pipeline.store.path("export/spring")
    return pipeline


def read(pipeline):
    table = pyarrow.dataset.dataset(str(pipeline.dataset / "data")).to_table()
    return {row["picture"]: row for row in table.to_pylist()}


def test_pyarrow_reads_a_row_for_every_picture_with_its_outcome(exported):
    rows = read(exported)
    assert [*rows] == ["a.png", "b.png", "d.png", "shoes/red.jpg"]
    good, failed = rows["shoes/red.jpg"], rows["d.png"]
    assert (good["status"], good["user_prompt"], good["seed"], good["generator"]) == ("ok", "teal paper", 7, "backdrop")
    assert good["prompt"].startswith("teal paper")
    assert (good["tier"], good["width"], good["shard"]) == ("gradients", 160, "spring-00001")
    assert 0.2 < good["mask_coverage"] < 0.5
    assert "gradients" in json.loads(good["models"])["masks"]["ladder"]
    assert failed["status"] == "failed"
    assert failed["error"].startswith("prepared_images failed: ")
    assert failed["composite"] is failed["provenance"] is None


def test_paths_lead_to_the_files_and_the_key_is_the_one_in_the_file(exported):
    for row in read(exported).values():
        if row["status"] == "ok":
            composite = (exported.dataset / row["composite"]).read_bytes()
            assert decode(composite).size == (row["width"], row["height"])
            assert read_provenance(composite)["provenance"] == row["provenance"]
            assert all((exported.dataset / row[name]).exists() for name in ("mask", "background"))


def test_duckdb_opens_the_folder(exported):
    counted = duckdb.sql(
        f"SELECT status, count(*), bool_and(halo IS NOT NULL) FROM '{exported.dataset}/data/*.parquet' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert counted == [("failed", 1, False), ("ok", 3, True)]


@pytest.mark.slow
def test_datasets_opens_the_folder_and_its_pictures(exported, tmp_path):
    from datasets import Image, load_dataset

    rows = load_dataset(str(exported.dataset), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.column_names == schema().names
    assert len(rows) == 4
    # As the card says it.
    good = rows.filter(lambda row: row["status"] == "ok")
    folder = str(exported.dataset)
    pictures = good.map(lambda row: {"image": f"{folder}/{row['composite']}"}).cast_column("image", Image())
    assert {picture.size for picture in pictures["image"]} == {(160, 160)}


def test_the_card_names_every_column(exported):
    card = (exported.dataset / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nconfigs:")
    assert all(f"| `{name}` |" in card for name in schema().names)
    assert '{"image": f"{folder}/{row[\'composite\']}"}' in card


@pytest.mark.slow
def test_a_changed_picture_s_old_row_leaves_the_other_shard_s_part(exported):
    exported.put("a.png", (20, 30, 200))
    (exported.folder / "b.png").unlink()
    assert exported.scan().assignment.new_shards == ["spring-00002"]
    exported.run("spring-00002")
    assert {name: row["shard"] for name, row in read(exported).items()} == {
        "d.png": "spring-00001",
        "shoes/red.jpg": "spring-00001",
        "a.png": "spring-00002",
    }


@pytest.mark.slow
def test_a_part_is_left_alone_until_a_row_changes(exported):
    part = exported.dataset / "data" / "spring-00001.parquet"
    first = part.stat().st_mtime_ns
    exported.run("spring-00001")
    assert part.stat().st_mtime_ns == first
    exported.say(exported.settings_file.read_text() + "[composites]\nspill_strength = 0.5\n")
    exported.run("spring-00001")
    assert part.stat().st_mtime_ns != first
    (row,) = [row for row in pq.read_table(part).to_pylist() if row["status"] == "ok"]
    assert row["provenance"] == exported.rows(COMPOSITES, "spring-00001")[row["picture"]]["key"]
    assert row["masks_key"] == exported.rows(MASKS, "spring-00001")[row["picture"]]["key"]
