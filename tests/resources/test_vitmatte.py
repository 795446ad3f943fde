"""ViTMatte's wiring, with a small model of random weights: sizes, padding and what stays as the trimap says."""

from typing import Any

import numpy as np
import pytest

from resources.vitmatte import load_vitmatte, solve_alpha, trimap_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch = pytest.importorskip("torch")
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    torch.manual_seed(0)
    backbone = VitDetConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_channels=4,
        image_size=64,
        pretrain_image_size=64,
        out_features=["stage1"],
        initializer_range=0.5,
    )
    config = VitMatteConfig(
        backbone_config=backbone,
        hidden_size=32,
        convstream_hidden_sizes=[4, 8, 16],
        fusion_hidden_sizes=[16, 8, 8, 4],
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("vitmatte")
    VitMatteForImageMatting(config).save_pretrained(folder)
    return load_vitmatte(str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 64), (50, 77)])
def test_only_the_unknown_band_is_solved(model: Any, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    alpha = np.zeros(size, np.float32)
    alpha[15:35, 15:35] = 1
    trimap = trimap_of(alpha, width=3)
    out = solve_alpha(model, image, trimap)
    assert out.shape == size
    assert out.dtype == np.float32
    known = trimap != 0.5
    np.testing.assert_array_equal(out[known], trimap[known])
    assert ((out >= 0) & (out <= 1)).all()
    # The answer is the model's and depends on the picture, not a constant.
    assert np.abs(out - solve_alpha(model, 255 - image, trimap))[~known].max() > 1e-5


def test_a_trimap_is_unknown_about_the_edge_and_sure_elsewhere() -> None:
    alpha = np.zeros((60, 60), np.float32)
    alpha[20:40, 20:40] = 1
    trimap = trimap_of(alpha, width=4)
    assert trimap[30, 30] == 1
    assert trimap[2, 2] == 0
    assert set(trimap[30, 16:24]) == {np.float32(0.5)}


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(5, 4\)"):
        solve_alpha(None, np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32))
