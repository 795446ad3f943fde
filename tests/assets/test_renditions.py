"""Sixty products with five renditions each in a real instance: every mask once, and a change touches its rows alone."""

import numpy as np
import pytest
from PIL import Image

PRODUCTS = 60
FIVE = """
prompt = "blue paper"
[composites]
shadow = "none"
[renditions.main]
preset = "amazon-main"
canvas = "64x64"
padding = {padding}
[renditions.brand]
background = "#3a7d12"
[renditions.counter]
prompt = "oak"
[renditions.wall]
prompt = "grey paper"
canvas = "36x64"
[renditions.cut]
background = "transparent"
"""


@pytest.mark.slow
def test_every_mask_is_made_once_and_a_change_touches_its_rows_alone(pipeline):
    for number in range(PRODUCTS):
        picture = np.full((48, 48, 3), 214, np.uint8)
        picture[12:36, 12 : 26 + number % 10] = (150, 40 + number, 30)
        Image.fromarray(picture).save(pipeline.folder / f"{number:02}.png")
    declared = pipeline.folder / "catalogue.toml"
    declared.write_text(FIVE.format(padding=0.07))
    pipeline.scan()
    first = pipeline.run()
    assert {first[stage] for stage in ("prepared_images", "analysis", "masks")} == {PRODUCTS}
    assert {first[stage] for stage in ("enhanced_prompts", "backgrounds", "composites")} == {5 * PRODUCTS}
    assert len(pipeline.published()) == 5 * PRODUCTS

    declared.write_text(FIVE.format(padding=0.2))
    assert pipeline.scan().shards_to_run == [], "how a rendition looks is a setting, and tuned as those are"
    assert worked(pipeline.run()) == {"composites": PRODUCTS, "review": PRODUCTS}

    declared.write_text(FIVE.format(padding=0.2) + '[renditions.sand]\nprompt = "sand"\n')
    assert pipeline.scan().shards_to_run == ["spring-00000"]
    stages = ("enhanced_prompts", "backgrounds", "composites", "review")
    assert worked(pipeline.run()) == dict.fromkeys(stages, PRODUCTS)
    assert len(pipeline.published()) == 6 * PRODUCTS

    declared.write_text(FIVE.format(padding=0.2))
    assert pipeline.scan().shards_to_run == ["spring-00000"]
    assert worked(pipeline.run()) == {}
    assert len(pipeline.published()) == 5 * PRODUCTS


def worked(computed):
    return {stage: rows for stage, rows in computed.items() if rows}
