"""What a place demands of a picture, judged on composites whose fill, frame and enlargement are known."""

import numpy as np
import pytest

from vivid_assets.imaging.blend.composite import compose
from vivid_assets.imaging.blend.options import BlendOptions, Padding, Placement, Rules
from vivid_assets.imaging.blend.rules import broken_rules
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.io.codec import decode, encode


def composite(background=(255, 255, 255), side=60, placement=None):
    """A red square of ``side`` in 100 pixels."""
    alpha = np.zeros((100, 100), np.float32)
    alpha[50 - side // 2 : 50 + side // 2, 50 - side // 2 : 50 + side // 2] = 1
    cut = separate(np.full((100, 100, 3), (200, 20, 20), np.uint8), Alpha(alpha, "person"), BlendOptions(mode="alpha"))
    return compose(cut, np.full((1, 1, 3), background, np.uint8), shadow="none", placement=placement)


@pytest.mark.parametrize(
    ("made", "rules", "broken"),
    [
        ({}, Rules(), ()),
        ({}, Rules("#ffffff", 0.6, 0.6, 100, 1.0), ()),
        ({"background": (254, 255, 255)}, Rules(border="#ffffff"), ("100.0% of the frame is not #ffffff",)),
        ({"side": 40}, Rules(least_fill=0.6), ("the product fills 40%, and not 60% or more",)),
        ({"side": 80}, Rules(most_fill=0.6), ("the product fills 80%, and not 60% or less",)),
        ({}, Rules(least_longest=101), ("the longer side has 100 pixels, and not 101 or more",)),
        (
            {"placement": Placement((150, 150), most_enlarged=2.0)},
            Rules(most_enlarged=1.0),
            ("the photograph is enlarged 1.50 times",),
        ),
    ],
)
def test_each_rule_is_broken_by_what_breaks_it_alone(made, rules, broken):
    assert broken_rules(composite(**made), rules) == broken


def test_a_subject_that_the_frame_cuts_leaves_the_frame_another_colour():
    assert len(broken_rules(composite(side=100), Rules(border="#ffffff"))) == 1


@pytest.mark.parametrize(
    ("canvas", "least", "size", "scale"),
    [
        ((400, 400), (50, 50), 75, 1.0),  # 60 pixels are 80 % of 75
        ((400, 400), (90, 90), 90, 1.2),
        ((400, 400), None, 400, 2.0),
        ((60, 60), (10, 10), 60, 0.8),
    ],
)
def test_a_canvas_shrinks_rather_than_a_photograph_is_enlarged(canvas, least, size, scale):
    wanted = Placement(canvas, Padding.all_round(0.1), "subject", most_enlarged=2.0, least_canvas=least)
    done = composite(placement=wanted)
    assert (done.place.width, done.place.height) == (size, size)
    assert done.place.scale == pytest.approx(scale, abs=0.01)


def test_a_smaller_canvas_keeps_its_shape():
    done = composite(placement=Placement((1080, 1920), fit="subject", most_enlarged=2.0, least_canvas=(10, 10)))
    assert done.place.width / done.place.height == pytest.approx(1080 / 1920, abs=0.01)
    assert done.place.scale == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("level", [255, 0])
def test_a_jpeg_keeps_white_and_black_in_every_block_without_subject(level):
    """At quality 92, in full colour resolution. A block that holds a part of the edge is blurred by the format."""
    done = composite(background=(level,) * 3, side=50)
    seen = decode(encode(done.composite, format="jpeg", quality=92)).rgb
    held = np.zeros((13, 13), bool)
    rows, columns = np.nonzero(done.alpha > 0)
    held[rows // 8, columns // 8] = True
    away = ~np.kron(held, np.ones((8, 8), bool))[:100, :100]
    assert away.mean() > 0.5
    assert (seen[away] == level).all()
