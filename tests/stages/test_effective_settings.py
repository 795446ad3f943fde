"""A setting that cannot change a composite does not make it stale, and one that can does."""

import logging
from dataclasses import asdict

import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.rows.stage import RowInput
from vivid_assets.settings import parse_settings
from vivid_assets.stages.composites import Behind, Given, MaskOf, PreparedSource
from vivid_assets.stages.stage import Shard

OTHERS = {
    "refine": False,
    "spill": False,
    "spill_strength": 0.2,
    "strength": 0.2,
    "limit": 40.0,
    "falloff": "smoothstep",
    "shadow": "soft",
    "quality": 50,
    "align": "left",
    "fit_shadow": True,
    "most_enlarged": 4.0,
}


def effective(origin, source_format, generator="backdrop", **entries):
    """What the row of a picture depends on, and the options of its blend."""
    said = "[composites]\n" + "\n".join(f"{name} = {value!r}".lower() for name, value in entries.items())
    settings = parse_settings(said.replace("'", '"'), where="", overrides={})
    shard = Shard("spring-00000", Store(root="/nowhere"), settings, logging.getLogger())
    read = (
        Given("digest", "", ""),
        MaskOf("m.png", origin, None),
        PreparedSource("p", source_format, 9, 9, None),
        Behind("b.png", generator, None, None),
    )
    row = RowInput("a", "", {type(one): one for one in read})
    with COMPOSITES.at_work(shard) as work:
        return work.settings_of(row), {k: v for k, v in asdict(settings.composites.blend).items() if k != "mode"}


def picture():
    """A soft disc on a stained wall: uint8 40×40×3, and its alpha."""
    y, x = np.mgrid[:40, :40]
    alpha = np.clip(14.5 - np.hypot(y - 20, x - 20), 0, 3).astype(np.float32) / 3
    wall, disc = np.array([90, 200, 120.0]), np.array([150, 60, 40.0])
    return (alpha[..., None] * disc + (1 - alpha[..., None]) * wall).astype(np.uint8), alpha


@pytest.mark.parametrize("mode", ["decontaminate", "lab-deprojection", "alpha"])
@pytest.mark.parametrize("origin", ["own", "person", "probability", "drawing"])
def test_what_does_not_enter_the_key_changes_no_pixel(origin, mode):
    image, alpha = picture()
    before, options = effective(origin, "PNG", mode=mode)
    blends_as = before["mode"]
    assert blends_as == ("alpha" if origin == "own" else mode)

    def blended(options):
        behind = np.full((40, 40, 3), 30, np.uint8)
        return blend_native(image, Alpha(alpha, origin), behind, mode=blends_as, **options).composite

    first = blended(options)
    kept = 0
    for name, value in OTHERS.items():
        after, changed = effective(origin, "PNG", mode=mode, **{name: value})
        if after == before:
            kept += 1
            assert np.array_equal(blended(changed), first), f"{name} matters"
    assert kept >= 6


def test_each_setting_counts_where_it_is_used():
    base = effective("probability", "JPEG")[0]
    for name in ("refine", "spill", "spill_strength", "shadow", "quality"):
        assert effective("probability", "JPEG", **{name: OTHERS[name]})[0] != base, name
    deprojected = effective("probability", "JPEG", mode="lab-deprojection")[0]
    for name in ("strength", "limit", "falloff"):
        changed = effective("probability", "JPEG", mode="lab-deprojection", **{name: OTHERS[name]})[0]
        assert changed != deprojected, name
    placed = effective("probability", "JPEG", canvas="64x64")[0]
    for name in ("align", "fit_shadow", "most_enlarged"):
        assert effective("probability", "JPEG", canvas="64x64", **{name: OTHERS[name]})[0] != placed, name


def test_the_format_counts_as_the_one_that_comes_out():
    assert effective("person", "PNG")[0] == effective("person", "PNG", format="png")[0]
    assert effective("person", "PNG", quality=50)[0] == effective("person", "PNG")[0]
    assert effective("person", "PNG", format="webp")[0] != effective("person", "PNG")[0]
    on_nothing = effective("person", "JPEG", generator="transparent")[0]
    assert effective("person", "JPEG", generator="transparent", format="jpeg")[0] != on_nothing, "it is refused"
