"""Which masks a matting network is asked about, and what is kept of its answer."""

import numpy as np
import pytest

from vivid_assets.masking.mask import Mask
from vivid_assets.masking.matting import matted, trimap_of


class Grey:
    """Solves every pixel as 0.25; breaks on black pictures."""

    name, band = "grey", 0.05
    asked = 0

    def alphas(self, images, trimaps):
        self.asked += len(images)
        return [
            np.full(trimap.shape, 0.25, np.float32) if image.any() else ValueError("black")
            for image, trimap in zip(images, trimaps, strict=True)
        ]


def square(size=100, **options):
    """A mask that is not quite 0 and 1 away from its edge."""
    alpha = np.full((size, size), 0.02, np.float32)
    alpha[30:70, 30:70] = 0.98
    told = {"tier": "u2net", "verdict": "good", "reason": "", "figures": {}, "tried": (), "line_art": False}
    return Mask(**{"alpha": alpha, **told, "line_art_probability": 0.0, **options})


def picture(value=128, size=100):
    return np.full((size, size, 3), value, np.uint8)


def test_the_band_is_the_networks_and_the_rest_the_ladders():
    mask = square()
    (found,) = matted([mask], [picture()], Grey())
    band = trimap_of(mask.alpha, 5) == 0.5
    assert band.any() and not band.all()
    np.testing.assert_array_equal(found.alpha[band], np.float32(0.25))
    np.testing.assert_array_equal(found.alpha[~band], mask.alpha[~band])
    (record,) = found.tried
    assert (record.tier, record.verdict) == ("grey", "applied")
    assert "% of the picture" in record.reason
    assert (found.tier, found.verdict) == (mask.tier, mask.verdict)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (square(origin="person"), "given mask"),
        (square(line_art=True), "line art"),
        (square(alpha=np.zeros((100, 100), np.float32)), "no edge"),
        (square(alpha=np.ones((100, 100), np.float32)), "no edge"),
        (square(alpha=np.pad(np.ones((4, 4), np.float32), 48)), "surely subject"),
        (square(alpha=1 - np.pad(np.ones((4, 4), np.float32), 48)[44:56, 44:56]), "surely background"),
    ],
)
def test_what_is_left_alone_says_why(mask, reason):
    model = Grey()
    (found,) = matted([mask], [picture(size=len(mask.alpha))], model)
    np.testing.assert_array_equal(found.alpha, mask.alpha)
    assert found.tried[-1].verdict == "left"
    assert reason in found.tried[-1].reason
    assert model.asked == 0


def test_a_picture_that_breaks_the_network_is_alone():
    masks = [square(), square(), square(line_art=True)]
    first, second, third = matted(masks, [picture(), picture(0), picture(0)], Grey())
    assert first.tried[-1].verdict == "applied"
    assert isinstance(second, ValueError)
    assert third.tried[-1].verdict == "left"


def test_a_trimap_is_unknown_about_edges_and_soft_parts_and_sure_elsewhere():
    alpha = np.zeros((60, 60), np.float32)
    alpha[20:40, 20:40] = 1
    alpha[50, 50] = 0.5
    trimap = trimap_of(alpha, 4)
    assert trimap[30, 30] == 1
    assert trimap[2, 2] == 0
    assert set(trimap[30, 16:24]) == set(trimap[50, 47:53]) == {np.float32(0.5)}
