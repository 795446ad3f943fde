"""Where a subject stands on its canvas, and what its resampled edge looks like there."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.plain import plain
from vivid_assets.imaging.blend.composite import compose
from vivid_assets.imaging.blend.options import ALIGNED, BlendOptions, Padding, Placement
from vivid_assets.imaging.blend.placement import find_place, mix_layers, place_layers, place_shadow, subject_box
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import ciede2000, linear_to_srgb, rgb_to_lab, srgb_to_linear, to_uint8


def ball(height=200, width=300, center=(150, 100), radius=50):
    """A soft-edged disc's alpha."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.clip(radius - np.hypot(x - center[0], y - center[1]) + 0.5, 0, 1).astype(np.float32)


def placed_box(alpha, place):
    return subject_box(place_layers(np.full((*alpha.shape, 3), 200, np.uint8), alpha, place)[1])


def placed(colors, alpha, wanted, background=(10, 200, 90)):
    """The blend of a cut-out with clean colours on its canvas."""
    cut = separate(colors, Alpha(alpha, "person"), BlendOptions(mode="alpha"))
    return compose(cut, np.full((1, 1, 3), background, np.uint8), shadow="none", placement=wanted)


def test_without_a_wish_everything_stays():
    alpha = ball()
    assert Placement().is_as_photographed
    place = find_place(alpha, Placement())
    assert (place.width, place.height, place.scale, place.left, place.top) == (300, 200, 1.0, 0.0, 0.0)
    assert place.is_a_shift


@pytest.mark.parametrize("canvas", [(400, 400), (1000, 500), (90, 160)])
def test_the_subject_fills_the_share_that_is_asked(canvas):
    alpha = ball()
    wanted = Placement(canvas=canvas, padding=Padding.all_round(0.075), fit="subject", most_enlarged=9)
    place = find_place(alpha, wanted)
    left, top, right, bottom = placed_box(alpha, place)
    room = 0.85 * np.array(canvas)
    filled = max((right - left) / room[0], (bottom - top) / room[1])
    assert abs(filled - 1) * room[np.argmax(np.array(((right - left), (bottom - top))) / room)] <= 1.5
    assert abs((left + right) / 2 - canvas[0] / 2) <= 1
    assert abs((top + bottom) / 2 - canvas[1] / 2) <= 1
    np.testing.assert_allclose(place.box, (left, top, right, bottom), atol=1.0)


def test_a_padding_from_one_on_is_pixels_and_each_side_has_its_own():
    place = find_place(ball(), Placement((500, 500), Padding(10, 0.1, 30, 0.2), "subject", ("left", "bottom")))
    left, _, right, bottom = place.box
    assert left == pytest.approx(10)
    assert bottom == pytest.approx(500 - 0.2 * 500)
    assert right <= 470


@pytest.mark.parametrize(
    ("align", "expected"),
    [(("left", "top"), (0, 0)), (("right", "bottom"), (200, 200)), (("center", "center"), (100, 100))],
)
def test_it_stands_where_it_is_asked_to(align, expected):
    place = find_place(ball(), Placement((300, 300), fit="subject", align=align, most_enlarged=1.0))
    assert place.scale == 1.0
    assert place.box[:2] == pytest.approx(expected, abs=1)


def test_no_photograph_is_enlarged_beyond_what_is_allowed_and_the_note_says_so():
    place = find_place(ball(), Placement((4000, 4000), fit="subject", most_enlarged=1.5))
    assert place.scale == 1.5
    assert "1.5 times" in place.note


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_side_that_the_frame_cuts_stays_at_the_canvas_s_side(side):
    center = {"left": (0, 100), "right": (300, 100), "top": (150, 0), "bottom": (150, 200)}[side]
    place = find_place(ball(center=center), Placement((500, 500), Padding.all_round(0.1), "subject", most_enlarged=9))
    assert place.cut == (side,)
    at = dict(zip(("left", "top", "right", "bottom"), place.box, strict=True))
    assert at[side] == pytest.approx(0 if side in ("left", "top") else 500)
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[side]
    assert (at[opposite] if opposite in ("left", "top") else 500 - at[opposite]) >= 49


def test_what_is_cut_on_both_sides_reaches_both():
    alpha = np.zeros((200, 300), np.float32)
    alpha[80:120] = 1
    place = find_place(alpha, Placement((600, 600), Padding.all_round(0.1), "subject"))
    assert place.cut == ("left", "right")
    assert (place.box[0], place.box[2]) == pytest.approx((0, 600))


def test_a_hair_at_the_frame_is_no_cut():
    alpha = ball()
    alpha[100, :160] = 1
    assert find_place(alpha, Placement((500, 500), fit="subject")).cut == ()


def test_a_padding_that_leaves_no_room_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="400 of 300 pixels across"):
        find_place(ball(), Placement(padding=Padding(200, 0, 200, 0)))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_senseless_padding_is_refused(value):
    with pytest.raises(ValueError, match="padding on the left"):
        Padding(left=value)


def test_an_empty_alpha_is_placed_as_the_photograph_and_shows_nothing():
    alpha = np.zeros((50, 80), np.float32)
    place = find_place(alpha, Placement((160, 160), fit="subject"))
    colors, matte = place_layers(np.full((50, 80, 3), 9, np.uint8), alpha, place)
    assert not matte.any()
    assert not colors.any()


@given(
    x=st.integers(20, 280),
    y=st.integers(20, 180),
    radius=st.integers(8, 60),
    canvas=st.tuples(st.integers(40, 500), st.integers(40, 500)),
    padding=st.floats(0, 0.3),
    most=st.sampled_from([1.0, 3.0]),
)
@settings(max_examples=30, deadline=None)
def test_a_mirrored_photograph_gives_the_mirrored_picture(x, y, radius, canvas, padding, most):
    alpha = ball(center=(x, y), radius=radius)
    alpha[y, max(0, x - radius - 9) : x] = 0.7  # heavier on one side
    colors = np.random.default_rng(3).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    wanted = Placement(canvas, Padding.all_round(padding), "subject", most_enlarged=most)
    here = placed(colors, alpha, wanted)
    there = placed(np.ascontiguousarray(colors[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1]), wanted)
    # Half a level of 8 bits and a little: single pixels of an enlarged edge differ by .002.
    np.testing.assert_allclose(here.alpha, there.alpha[:, ::-1], atol=2.5e-3)
    soft = here.alpha > 0.05
    assert np.abs(here.foreground.astype(int) - there.foreground[:, ::-1])[soft].max(initial=0) <= 1
    assert np.abs(here.composite.astype(int) - there.composite[:, ::-1]).max() <= 1


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.3, 2.0])
@pytest.mark.parametrize("color", [(255, 255, 255), (28, 90, 170)])
def test_a_placed_edge_is_nearer_to_the_truth_than_a_finished_composite_that_is_resized(color, scale):
    """In linear light, by the same filter; the truth is the same cut-out, drawn four times as large."""
    large = plain(size=1200, hole=True, noise=0)

    def at(size):
        """Alpha and what it lets through of the subject's light, at a size."""
        planes = np.dstack([large.front * large.alpha[..., None], large.alpha])
        made = cv2.resize(planes, (size, size), interpolation=cv2.INTER_AREA)
        return made[..., 3], made[..., :3]

    alpha, front = at(300)
    picture = to_uint8(linear_to_srgb(front + (1 - alpha[..., None]) * srgb_to_linear(np.uint8([[[60, 170, 75]]]))))
    cut = separate(picture, Alpha(alpha, "person"), BlendOptions(spill=False))
    size, behind = round(300 * scale), np.full((1, 1, 3), color, np.uint8)
    made = compose(cut, behind, shadow="none", placement=Placement((size, size), most_enlarged=2.0)).composite
    finished = srgb_to_linear(compose(cut, behind, shadow="none").composite).transpose(2, 0, 1)
    share, light = at(size)
    truth = to_uint8(linear_to_srgb(light + (1 - share[..., None]) * srgb_to_linear(behind)))
    band = (share > 0.02) & (share < 0.98)

    def apart(one):
        return float(ciede2000(rgb_to_lab(one[band]), rgb_to_lab(truth[band])).mean())

    by = Image.Resampling.LANCZOS
    planes = [np.asarray(Image.fromarray(one.copy()).resize((size, size), by)) for one in finished]
    resized = apart(to_uint8(linear_to_srgb(np.dstack(planes).clip(0, 1))))
    assert apart(made) < (0.98 if scale > 1 else 1.01) * resized


def test_no_second_contour_lies_about_an_enlarged_edge():
    """What a long filter leaves beyond an edge and within it."""
    alpha = np.zeros((60, 60), np.float32)
    alpha[20:40, 20:40] = 1
    place = find_place(alpha, Placement((150, 150), most_enlarged=9))
    _, made = place_layers(np.full((60, 60, 3), 90, np.uint8), alpha, place)
    away = cv2.distanceTransform((made < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    depth = cv2.distanceTransform((made >= 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    assert not made[away > 3].any()
    assert (made[depth > 4] == 1).all()


@given(
    canvas=st.tuples(st.integers(60, 400), st.integers(60, 400)),
    padding=st.tuples(*[st.integers(1, 25)] * 4),
    align=st.sampled_from(list(ALIGNED.values())),
    fit=st.sampled_from(["subject", "photograph"]),
)
@settings(max_examples=25, deadline=None)
def test_a_shift_by_whole_pixels_gives_the_same_composite_byte_for_byte(scene, canvas, padding, align, fit):
    """Alpha solved against the plate, spill taken off, a shadow kept: whatever a composite has, it has on a canvas.

    But near the photograph's frame, where a shadow fades out.
    """
    wanted = Placement(canvas, Padding(*padding), fit, align, most_enlarged=1.0)
    for shadow, rim in (("none", 0), ("keep", 8)):
        alone = compose(scene, np.full((1, 1, 3), 240, np.uint8), shadow=shadow)
        made = compose(scene, np.full((1, 1, 3), 240, np.uint8), shadow=shadow, placement=wanted)
        if not made.place.is_a_shift:  # what is larger than its canvas is made smaller
            return
        height, width = scene.alpha.shape
        left, top = int(made.place.left), int(made.place.top)
        rows = slice(max(0, top + rim), max(0, min(canvas[1], top + height - rim)))
        columns = slice(max(0, left + rim), max(0, min(canvas[0], left + width - rim)))
        there = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        for name in ("composite", "alpha", "foreground"):
            np.testing.assert_array_equal(getattr(made, name)[rows, columns], getattr(alone, name)[there])
        beside = np.ones(made.alpha.shape, bool)
        beside[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = False
        assert (made.composite[beside] == 240).all()


@pytest.fixture(scope="module")
def scene():
    """A subject before a green plate, with hairs, and with a shadow that ends within its photograph."""
    found = plain((60, 170, 75), size=200, hairs=20)
    cut = separate(found.picture, Alpha(found.mask, "probability"), BlendOptions(shadow="keep"))
    assert ((cut.alpha > 0) & (cut.alpha < 1)).sum() > 200
    return cut


@pytest.mark.parametrize("scale", [0.37, 0.8, 1.7])
def test_the_edge_is_nearer_to_the_truth_than_that_of_a_resized_composite(scale):
    """Before a background with detail; the truth's alpha comes from four times the size."""
    fine = ball(800, 1200, (600, 400), 200)
    front = np.full((200, 300, 3), (180, 40, 30), np.uint8)
    alpha = cv2.resize(fine, (300, 200), interpolation=cv2.INTER_AREA)
    size = (round(300 * scale), round(200 * scale))
    behind = np.random.default_rng(2).integers(60, 200, (*size[::-1], 3), dtype=np.uint8)
    place = find_place(alpha, Placement(size, most_enlarged=9))
    colors, matte = place_layers(front, alpha, place)
    ours = mix_layers(colors, matte, behind, None)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted = cv2.resize(behind, (300, 200), interpolation=cv2.INTER_AREA)
    resized = cv2.resize(mix_layers(front, alpha, fitted, None), size, interpolation=method)
    exact = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)[..., None]
    truth = to_uint8(linear_to_srgb(exact * srgb_to_linear(front[:1, :1]) + (1 - exact) * srgb_to_linear(behind)))
    band = (exact[..., 0] > 0.02) & (exact[..., 0] < 0.98)

    def error(picture):
        return ciede2000(rgb_to_lab(picture[band]), rgb_to_lab(truth[band])).mean()

    assert error(ours) < 0.7 * error(resized)
    solid = cv2.erode((exact[..., 0] > 0.999).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(ours.astype(int) - truth)[solid].max() <= 1


def test_a_background_stays_to_the_last_bit_where_nothing_lies_on_it():
    alpha = ball()
    place = find_place(alpha, Placement((640, 640), Padding.all_round(0.1), "subject", most_enlarged=9))
    shadow = np.ones((100, 150, 3), np.float32)
    shadow[70:90, 40:110] = 0.6
    colors, matte = place_layers(np.full((200, 300, 3), 90, np.uint8), alpha, place)
    layer = place_shadow(shadow, alpha.shape, place)
    white = np.full((640, 640, 3), 255, np.uint8)
    made = mix_layers(colors, matte, white, layer)
    nothing = (matte == 0) & (layer == 1).all(axis=2)
    assert nothing.mean() > 0.3
    assert (made[nothing] == 255).all()
    assert made[(layer < 0.7).any(axis=2)].max() < 250


def test_a_shadow_is_placed_with_its_subject_and_fades_where_its_photograph_ends():
    alpha = ball()
    shadow = np.ones((100, 150, 3), np.float32)
    shadow[70:80] = 0.5  # runs out of the photograph on both sides
    place = find_place(alpha, Placement((900, 600)))
    assert place.scale == 2.0
    wide = find_place(alpha, Placement((1200, 600)))
    layer = place_shadow(shadow, alpha.shape, wide)
    assert layer[400, 600] == pytest.approx(0.5, abs=0.02)
    first = int(wide.left)
    assert (layer[:, first : first + 2] > 0.9).all()
    assert (layer[:, :first] == 1).all()


def test_sixteen_bits_stay_sixteen():
    alpha = ball()
    colors = np.full((200, 300, 3), 40_001, np.uint16)
    place = find_place(alpha, Placement((150, 100)))
    placed, matte = place_layers(colors, alpha, place)
    assert placed.dtype == np.uint16
    inner = matte == 1
    assert np.abs(placed[inner].astype(int) - 40_001).max() <= 8
