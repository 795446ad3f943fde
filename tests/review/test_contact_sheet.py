"""A contact sheet shows whole pictures side by side, and is small enough for Dagster's records."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from vivid_assets.review.contact_sheet import as_markdown, contact_sheet


def test_groups_lie_side_by_side_and_pictures_keep_their_aspect():
    red, wide = np.full((50, 50, 3), (200, 0, 0), np.uint8), np.full((20, 80), 90, np.uint8)
    sheet = contact_sheet([(red, wide)] * 4, columns=4, tile=40)
    assert sheet.shape == (2 * 46 + 6, 2 * (2 * 46 + 6) + 6, 3)
    assert sheet[26, 26].tolist() == [200, 0, 0]
    assert sheet[26, 72].tolist() == [90, 90, 90]
    assert sheet[10, 72].tolist() == [245, 245, 245], "above the wide picture there is paper"


def test_twelve_photographs_take_little_of_the_records(photograph):
    tiles = [photograph[top : top + 256, left : left + 256] for top in (0, 128, 256) for left in (0, 64, 128, 256)]
    text = as_markdown(contact_sheet([(tile,) for tile in tiles]), "masks spring-00000")
    assert len(text) < 22_000, "Dagster keeps it twice"
    shown = Image.open(BytesIO(base64.b64decode(text.partition("base64,")[2].rstrip(")"))))
    assert shown.format == "WEBP" and shown.size == (6 * 92 + 6, 2 * 86 + 6)
