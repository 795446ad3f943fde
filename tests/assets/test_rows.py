"""What the rows and the files say about single pictures."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.imaging.io.codec import decode, read_provenance


def png_header(width, height):
    """A PNG that announces its size and holds next to nothing."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_bad_files_fail_with_a_sentence_and_the_rest_completes(pipeline):
    for name in ("a.png", "b.png", "c.png"):
        pipeline.put(name)
    whole = (pipeline.folder / "a.png").read_bytes()
    (pipeline.folder / "corrupt.png").write_bytes(whole[: len(whole) // 2])
    (pipeline.folder / "text.jpg").write_text("these are words")
    (pipeline.folder / "empty.png").write_bytes(b"")
    (pipeline.folder / "huge.png").write_bytes(png_header(30_000, 30_000))
    pipeline.scan()
    counts = pipeline.run()
    assert counts["prepared_images"] == 7
    assert counts["composites"] == 3

    rows = pipeline.rows(PREPARED_IMAGES)
    failed = {name: row["error"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed.keys() == {"corrupt.png", "text.jpg", "empty.png", "huge.png"}
    assert "30,000" in failed["huge.png"] or "30000" in failed["huge.png"]
    assert all(sentence.endswith(".") and "Traceback" not in sentence for sentence in failed.values())
    skipped = pipeline.rows(COMPOSITES)["text.jpg"]
    assert skipped["status"] == "skipped"
    assert skipped["error"] == f"prepared_images failed: {failed['text.jpg']}"

    assert pipeline.run() == dict.fromkeys(counts, 0), "what will never pass is not tried every night"
    (pipeline.folder / "text.jpg").write_bytes(whole)
    found = pipeline.scan()
    assert found.shards_to_run == ["spring-00000"]
    pipeline.run()
    assert pipeline.rows(COMPOSITES)["text.jpg"]["status"] == "ok"


@pytest.mark.slow
def test_a_picture_that_the_manifest_names_in_vain_fails_by_name(pipeline):
    pipeline.put("a.png")
    (pipeline.folder / "manifest.csv").write_text("image\na.png\nlost.png\n")
    pipeline.scan()
    pipeline.run()
    assert "not in the catalogue's folder" in pipeline.rows(PREPARED_IMAGES)["lost.png"]["error"]


def test_a_failed_share_above_the_tolerated_stops_what_follows(pipeline):
    pipeline.put("a.png")
    for number in range(12):
        (pipeline.folder / f"bad{number:02}.png").write_bytes(b"bad")
    pipeline.scan()
    result = pipeline.materialize("spring-00000")
    assert not result.success
    assert [event.asset_key.path[-1] for event in result.get_asset_materialization_events()] == ["prepared_images"]
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert "bad00.png" in check.description


@pytest.mark.slow
def test_the_composite_keeps_name_size_and_format_and_says_what_it_is(pipeline):
    pipeline.put("shoes/red.jpg", size=1500)
    (pipeline.folder / "catalogue.toml").write_text('prompt = "navy blue paper"')
    pipeline.scan()
    pipeline.run()
    row = pipeline.rows(COMPOSITES)["shoes/red.jpg"]
    data = pipeline.store.read("composites/spring/shoes/red.jpg")
    composite = decode(data)
    assert (composite.format, composite.size) == ("JPEG", (1500, 1500))
    assert read_provenance(data) == {"tool": "vivid_assets", "source_type": "composite", "provenance": row["key"]}
    corner, middle = composite.rgb[20:60, 20:60].mean(axis=(0, 1)), composite.rgb[750, 750]
    assert corner[2] > corner[0] + 20, "the wall is the prompt's navy blue"
    assert np.abs(middle.astype(int) - (180, 40, 30)).max() <= 3, "the subject is untouched"
    assert pipeline.rows(PREPARED_IMAGES)["shoes/red.jpg"]["width"] == 1024


@pytest.mark.slow
def test_a_source_with_transparency_brings_its_own_mask(pipeline):
    rgba = np.zeros((90, 120, 4), np.uint8)
    rgba[20:70, 30:90] = (200, 30, 40, 255)
    rgba[20:70, 90:100] = (200, 30, 40, 128)
    Image.fromarray(rgba).save(pipeline.folder / "cutout.png")
    pipeline.scan()
    pipeline.run()
    mask = pipeline.rows(MASKS)["cutout.png"]
    assert (mask["tier"], mask["reason"]) == ("source_alpha", "the source's own transparency")
    composite = decode(pipeline.store.read(pipeline.rows(COMPOSITES)["cutout.png"]["file"]))
    assert composite.alpha is None
    assert (composite.rgb[30:60, 40:80] == (200, 30, 40)).all()


@pytest.mark.slow
def test_an_own_background_is_used_and_a_bad_one_is_that_pictures_failure(pipeline):
    for name in ("a.png", "b.png", "c.png"):
        pipeline.put(name)
    Image.new("RGB", (400, 300), (10, 200, 30)).save(pipeline.folder / "green.png")
    (pipeline.folder / "broken.png").write_bytes(b"no picture")
    (pipeline.folder / "manifest.csv").write_text(
        "image,background\na.png,green.png\nb.png,broken.png\nc.png,gone.png\n"
    )
    pipeline.scan()
    pipeline.run()
    rows = pipeline.rows(BACKGROUNDS)
    assert rows["a.png"]["generator"] == "own"
    assert "'broken.png' cannot be used" in rows["b.png"]["error"]
    assert "'gone.png' is not in the catalogue's folder" in rows["c.png"]["error"]
    corner = decode(pipeline.store.read(pipeline.rows(COMPOSITES)["a.png"]["file"])).rgb[5, 5]
    assert np.abs(corner.astype(int) - (10, 200, 30)).max() <= 4


@pytest.mark.slow
def test_a_missing_clip_is_said_in_the_row_and_prompts_do_without(pipeline):
    pipeline.put("a.png")
    pipeline.scan()
    pipeline.run()
    row = pipeline.rows(ANALYSIS)["a.png"]
    assert row["subject_type"] == "unavailable"
    assert "vivid models pull" in row["subject_reason"]
    assert row["temperature"] == "warm"
    assert "subject type is unknown" in pipeline.rows(ENHANCED_PROMPTS)["a.png"]["warnings"][-1]


@pytest.mark.slow
def test_u2netp_masks_a_photograph(pipeline, u2netp):
    from skimage import data

    Image.fromarray(data.astronaut()).save(pipeline.folder / "astronaut.png")
    pipeline.say('[masks]\ntiers = ["u2netp", "gradients"]\n[backgrounds]\ngenerator = "backdrop"')
    pipeline.scan()
    pipeline.run()
    assert pipeline.rows(MASKS)["astronaut.png"]["tier"] == "u2netp"
    alpha = decode(pipeline.store.read(pipeline.rows(MASKS)["astronaut.png"]["file"])).rgb[..., 0]
    assert alpha[300, 200] == 255, "the suit is subject"
    assert alpha[40, 20] < 20, "the flag's corner is wall"
