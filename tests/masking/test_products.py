"""Products before plain sweeps: what a detector of drawings takes for one, and a network masks well."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.matte.quality import agreement
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.mask import MaskRequest
from vivid_assets.masking.model import Tier

HEIGHT, WIDTH = 480, 640


class Network:
    """Answers as a good network does: the subject, its contour a little soft."""

    name, revision = "network", "1"

    def __init__(self, truth):
        small = cv2.resize(truth, (320, 320), interpolation=cv2.INTER_AREA)
        soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 0.8), truth.shape[::-1], interpolation=cv2.INTER_CUBIC)
        self.answer = np.clip(soft, 0, 1)

    def probabilities(self, images):
        return [self.answer if image.shape[:2] == self.answer.shape else None for image in images]

    def mask(self, picture):
        return Ladder([Tier(self.name, lambda: self, self.revision)]).masks([picture])[0]


def shape(draw):
    """float32 H×W, 0..1, anti-aliased, of what ``draw(canvas, scale)`` paints in 255."""
    canvas = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    draw(canvas, 4)
    return cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def lay(picture, alpha, color):
    return picture * (1 - alpha[..., None]) + np.float32(color) * alpha[..., None]


def shadow(alpha, *, down, blur, depth):
    """A soft shadow of a subject that stands on what lies below it; float32 H×W, 0..depth."""
    low = alpha * (np.arange(HEIGHT)[:, None] > np.nonzero(alpha.max(axis=1) > 0.5)[0].max() - 40)
    return depth * cv2.GaussianBlur(np.roll(low, down, axis=0), (0, 0), blur)


def photographed(picture, *, noise=0.5, quality=88):
    """As a camera and a shop leave it: a little noise, then JPEG."""
    grain = np.random.default_rng(0).normal(0, noise, picture.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(np.rint(np.clip(picture + grain, 0, 255)))).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def sweep(top, floor, horizon=None):
    """A backdrop that light falls off on; with ``horizon`` a floor of another tone from that row down."""
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    tone = top + (floor - top) * down if horizon is None else np.where(down * HEIGHT < horizon, top, floor)
    return np.repeat((tone - 6 * across**2)[..., None], 3, axis=2).astype(np.float32)


def grey_mug():
    """Of the sweep's own greys, with a handle, a dark foot and its shadow."""

    def outline(canvas, k):
        cv2.rectangle(canvas, (220 * k, 160 * k), (380 * k, 340 * k), 255, -1)
        cv2.ellipse(canvas, (380 * k, 240 * k), (55 * k, 60 * k), 0, -90, 90, 255, 18 * k)

    alpha = shape(outline)
    foot = shape(lambda canvas, k: cv2.rectangle(canvas, (220 * k, 310 * k), (380 * k, 340 * k), 255, -1))
    across = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :, None]
    glaze = np.float32((176, 182, 188)) + 40 * np.sin(np.pi * np.clip((across - 0.3) / 0.35, 0, 1)) ** 2
    picture = sweep(168, 214, horizon=250)
    picture = lay(picture, shadow(alpha, down=10, blur=14, depth=0.35), (60, 60, 60))
    picture = lay(picture, alpha, np.broadcast_to(glaze, picture.shape))
    return photographed(lay(picture, foot * 0.9, (70, 70, 72))), alpha


def white_shoe():
    """White with black trimmings and prints before a pale sweep, a soft shadow under the sole."""

    def outline(canvas, k):
        points = [(130, 330), (140, 200), (190, 180), (250, 215), (400, 270), (500, 300), (510, 350), (130, 350)]
        cv2.fillPoly(canvas, [np.int32(points) * k], 255)

    alpha = shape(outline)
    sole = shape(lambda canvas, k: cv2.rectangle(canvas, (125 * k, 335 * k), (515 * k, 352 * k), 255, -1))
    alpha = np.maximum(alpha, sole)
    rng = np.random.default_rng(1)

    def trim(canvas, k):
        cv2.polylines(canvas, [np.int32([(150, 310), (230, 290), (300, 310), (420, 290)]) * k], False, 255, 12 * k)
        for x, y in zip(rng.integers(160, 460, 30), rng.integers(200, 325, 30), strict=True):
            cv2.circle(canvas, (int(x) * k, int(y) * k), int(rng.integers(2, 6)) * k, 255, 2 * k)

    light = np.linspace(250, 226, HEIGHT, dtype=np.float32)[:, None, None]
    picture = sweep(226, 234)
    picture = lay(picture, shadow(alpha, down=8, blur=10, depth=0.5), (40, 40, 40))
    picture = lay(picture, alpha, np.broadcast_to(light, picture.shape))
    picture = lay(picture, shape(trim) * alpha, (24, 24, 26))
    return photographed(lay(picture, sole, (18, 18, 20))), alpha


def black_torch():
    """Black and grey on clipped white; its shadow is the only thing that is not as dark."""

    def turned(canvas, k, left, right, half):
        box = cv2.boxPoints(((320 * k + (left + right) / 2 * k, 240 * k), ((right - left) * k, 2 * half * k), 0))
        turn = cv2.getRotationMatrix2D((320 * k, 240 * k), 20, 1.0)
        cv2.fillPoly(canvas, [np.int32(cv2.transform(box[None], turn)[0])], 255)

    tube = shape(lambda canvas, k: turned(canvas, k, -200, 140, 28))
    head = shape(lambda canvas, k: turned(canvas, k, -200, -110, 50))
    band = shape(lambda canvas, k: turned(canvas, k, -80, 60, 28))
    alpha = np.maximum(tube, head)
    y = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    black = np.broadcast_to(np.float32((16, 16, 18)) + 70 * np.exp(-(((y - 0.45) / 0.05) ** 2)), (HEIGHT, WIDTH, 3))
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.float32)
    picture = lay(picture, 0.5 * cv2.GaussianBlur(np.roll(alpha, 14, axis=0), (0, 0), 16), (0, 0, 0))
    picture = lay(picture, alpha, black)
    return photographed(lay(picture, band, (120, 120, 122)), noise=0.3), alpha


def yellow_fruit():
    """Of the background's own hue, its shadow beside it."""
    alpha = shape(lambda canvas, k: cv2.ellipse(canvas, (320 * k, 240 * k), (130 * k, 70 * k), 30, 0, 360, 255, -1))
    light = np.linspace(1.05, 0.75, WIDTH, dtype=np.float32)[None, :, None] * np.float32((236, 200, 70))
    picture = np.broadcast_to(np.float32((232, 196, 12)), (HEIGHT, WIDTH, 3))
    cast = np.roll(alpha, (18, -26), axis=(0, 1))
    picture = lay(picture, 0.45 * cv2.GaussianBlur(cast, (0, 0), 12), (120, 80, 0))
    return photographed(lay(picture, alpha, np.broadcast_to(light, picture.shape))), alpha


def cup_of_coffee():
    """A photographed cup with its saucer, cut from its table and laid before a white sweep that was painted over."""
    from skimage import data

    alpha = shape(lambda canvas, k: cv2.ellipse(canvas, (320 * k, 240 * k), (170 * k, 140 * k), 0, 0, 360, 255, -1))
    coffee = cv2.resize(data.coffee()[20:380, 130:560], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    picture = lay(np.full((HEIGHT, WIDTH, 3), 255, np.float32), shadow(alpha, down=12, blur=12, depth=0.4), (0, 0, 0))
    return photographed(lay(picture, alpha, coffee)), alpha


@pytest.mark.parametrize("product", [grey_mug, white_shoe, black_torch, yellow_fruit, cup_of_coffee])
def test_a_product_before_a_sweep_keeps_the_networks_mask(product):
    picture, truth = product()
    mask = Network(truth).mask(picture)
    assert agreement(mask.alpha, truth) > 0.95
    middle = cv2.erode((truth > 0.99).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert np.percentile(mask.alpha[middle], 1) > 0.9
    assert (mask.verdict, mask.review) == ("good", False)
    assert mask.figures["agreement"] > 0.95


def screen(*, stand=True):
    """A screen on a grey stand before white paper, each with sharp edges, and a soft shadow; and all but the stand."""
    face = shape(lambda canvas, k: cv2.rectangle(canvas, (170 * k, 70 * k), (470 * k, 300 * k), 255, -1))
    foot = shape(lambda canvas, k: cv2.rectangle(canvas, (280 * k, 300 * k), (360 * k, 370 * k), 255, -1)) * stand
    alpha = np.maximum(face, foot)
    light = np.linspace(210, 120, WIDTH, dtype=np.float32)[None, :, None]
    picture = sweep(250, 246)
    picture = lay(picture, shadow(alpha, down=12, blur=12, depth=0.4), (60, 60, 60))
    picture = lay(picture, foot, np.broadcast_to(light, picture.shape))
    return photographed(lay(picture, face, (60, 40, 110))), alpha, face


def test_a_part_that_a_network_misses_before_a_plain_background_is_for_a_look():
    picture, _, seen = screen()
    mask = Network(seen).mask(picture)
    assert (mask.verdict, mask.review) == ("disputed", True)
    assert "leaves out" in mask.reason


def test_a_grip_that_a_network_takes_for_a_hole_is_for_a_look():
    picture, truth, _ = screen()
    grip = shape(lambda canvas, k: cv2.rectangle(canvas, (240 * k, 120 * k), (330 * k, 220 * k), 255, -1))
    picture = photographed(lay(picture.astype(np.float32), grip, (110, 112, 114)))
    mask = Network(truth * (1 - grip)).mask(picture)
    assert (mask.verdict, mask.review) == ("disputed", True)


def test_a_shadow_beside_a_product_and_in_its_hole_is_not_left_out():
    picture, truth, _ = screen(stand=False)
    hole = shape(lambda canvas, k: cv2.circle(canvas, (320 * k, 180 * k), 50 * k, 255, -1))
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    shaded = 1 - 0.3 * np.exp(-(((x - 340) / 60) ** 2) - ((y - 200) / 60) ** 2)[..., None]
    picture = photographed(lay(picture.astype(np.float32), hole, sweep(250, 246) * shaded))
    mask = Network(truth * (1 - hole)).mask(picture)
    assert (mask.verdict, mask.review) == ("good", False)


@pytest.mark.parametrize("white", [255, 236], ids=["burnt out", "not quite"])
def test_a_reflection_that_goes_over_into_the_floor_is_for_a_look(white):
    """A network takes it for the dock's lower half; a dock of another white than the floor's has an edge."""
    dock = shape(lambda canvas, k: cv2.rectangle(canvas, (200 * k, 140 * k), (440 * k, 250 * k), 255, -1))
    below = shape(lambda canvas, k: cv2.rectangle(canvas, (200 * k, 250 * k), (440 * k, 300 * k), 255, -1))
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.float32)
    picture = lay(lay(picture, below, (white, white, white)), dock, (205, 208, 212))
    mask = Network(np.maximum(dock, below)).mask(photographed(picture, noise=0.0))
    assert mask.verdict == ("disputed" if white == 255 else "good")


def test_nothing_is_left_out_of_what_a_person_has_pointed_to():
    picture, _, seen = screen()
    whole, beside = np.vstack([picture, picture]), np.vstack([seen, np.zeros_like(seen)])
    ladder = Ladder([Tier("network", lambda: Pointed(beside), "1")])
    box = MaskRequest(box=(0.2, 0.02, 0.8, 0.3))
    assert "leaves out" in ladder.masks([whole])[0].reason
    assert "leaves out" not in ladder.masks([whole], [box])[0].reason


class Pointed:
    """Answers with as much of a mask as the picture shows of the top of the whole one."""

    name, revision = "network", "1"

    def __init__(self, answer):
        self.answer = answer

    def probabilities(self, images):
        return [cv2.GaussianBlur(self._of(image), (0, 0), 2) for image in images]

    def _of(self, image):
        height, width = image.shape[:2]
        if image.shape[:2] == self.answer.shape:
            return self.answer
        left = (self.answer.shape[1] - width) // 2
        return np.ascontiguousarray(self.answer[:height, left : left + width])
