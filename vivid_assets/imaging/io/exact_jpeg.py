"""A JPEG in which a white, a black or another extreme background is that colour to the last pixel.

A JPEG blurs each block of 8×8 pixels, so that those of the background that share one with the subject come back a
little off. Here they are put *beyond* white, or below black, as far as it takes: a decoder clips what it finds there.

* The file holds red, green and blue themselves, which decoders know by Adobe's marker. Of luma and chroma only luma
  could be put beyond: chroma is clipped nowhere near grey.
* An encoder takes no samples beyond white. It is given the picture at half its contrast, and the steps of quantisation
  in the file are then doubled, which doubles what is decoded. Odd values are rounded up and down at random, so that a
  block's mean is kept.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from vivid_assets.imaging.io.jpeg import segments

Blocks = NDArray[np.uint8]
"""N×8×8×3, at half contrast: 64 + value / 2."""

LEAST_QUALITY = 60
"""From here on every block of 300,000 of noise and edges could be made exact; from about 40 downwards some cannot."""

_BLOCK = 8
_WHITE, _BLACK = 193, 62
"""At half contrast, what white must reach and black must not exceed; 255 is 191.5 there, and 0 is 64. What is left over
is for decoders whose arithmetic is coarser than libjpeg's."""
_ROUNDS = 400
_ABREAST = 64
"""Blocks side by side in the picture by which they are tried."""
_TABLES, _FRAME = 0xDB, 0xC0


def can_be_exact(color: tuple[int, int, int], quality: int) -> bool:
    """Whether every channel is one that decoders clip to, and the quality high enough."""
    return quality >= LEAST_QUALITY and all(value in (0, 255) for value in color)


def color_of(background: NDArray[Any] | None) -> tuple[int, int, int] | None:
    """The colour of a background that is one pixel, which stands for any size; None for others."""
    if background is None or background.shape[:2] != (1, 1) or background.dtype != np.uint8:
        return None
    red, green, blue = (int(value) for value in background[0, 0])
    return red, green, blue


def encode_exact(rgb: NDArray[np.uint8], color: tuple[int, int, int], quality: int, **extra: Any) -> bytes:
    """Encode a picture whose pixels of exactly ``color`` stay exactly that.

    Args:
        rgb: H×W×3, gamma-encoded sRGB.
        color: the background; see ``can_be_exact``.
        quality: that of libjpeg's table for luma, which all three channels have.
        extra: what else Pillow is to write: ``icc_profile``, ``xmp``, ``exif``.

    Returns:
        The whole file, at full colour resolution. The same arguments give the same bytes.

    Raises:
        ValueError: at this quality a block cannot be made so.

    """
    height, width = rgb.shape[:2]
    padded = np.pad(rgb, ((0, -height % _BLOCK), (0, -width % _BLOCK), (0, 0)), mode="edge")
    chance = np.random.default_rng(0).integers(0, 2, (*padded.shape[:2], 1), np.uint8)
    halved = (padded >> 1) + (padded & chance) + 64
    table = _half_table(quality)
    goal = np.where(np.equal(color, 255), _WHITE, _BLACK)
    blocks, kept = _in_blocks(halved), _in_blocks((padded == color).all(axis=2, keepdims=True))
    count = kept.sum(axis=(2, 3, 4))
    whole, mixed = count == _BLOCK**2, (count > 0) & (count < _BLOCK**2)
    if whole.any():
        flat = np.broadcast_to(goal.astype(np.uint8), (1, _BLOCK, _BLOCK, 3))
        blocks[whole] = _pushed(flat, np.ones((1, _BLOCK, _BLOCK, 1), bool), goal, table)
    if mixed.any():
        blocks[mixed] = _pushed(np.where(kept[mixed], goal, blocks[mixed]).astype(np.uint8), kept[mixed], goal, table)
    return _doubled(_encode(halved, table, **extra), height, width)


def _pushed(blocks: Blocks, kept: NDArray[np.bool_], goal: NDArray[np.intp], table: list[int]) -> Blocks:
    """The blocks, with their ``kept`` pixels so far beyond ``goal`` that they are at least there once decoded.

    Args:
        blocks: as the encoder would be given them.
        kept: N×8×8×1.
        goal: of each channel.
        table: the steps of quantisation.

    """
    blocks = blocks.copy()
    sign = np.where(goal == _WHITE, 1, -1)
    live = np.arange(len(blocks))
    for number in range(_ROUNDS):
        short = np.where(kept[live], sign * (goal - _decoded(blocks[live], table)), 0).clip(0)
        is_short = short.any(axis=(1, 2, 3))
        live, short = live[is_short], short[is_short]
        if not len(live):
            return blocks
        push = (short + 1) // 2
        if number % 4 == 3:
            # The whole background of a block, and not only what is short of it: that does not swing.
            push += kept[live] & short.any(axis=(1, 2), keepdims=True)
        blocks[live] = (blocks[live] + sign * push).clip(0, 255)
    raise ValueError("At this quality a JPEG cannot keep the background's colour: raise the quality.")


def _decoded(blocks: Blocks, table: list[int]) -> NDArray[np.int64]:
    """What the blocks come back as, at half contrast."""
    columns = min(len(blocks), _ABREAST)
    rows = -(-len(blocks) // columns)
    picture = np.zeros((rows * _BLOCK, columns * _BLOCK, 3), np.uint8)
    places = np.divmod(np.arange(len(blocks)), columns)
    _in_blocks(picture)[places] = blocks
    with Image.open(BytesIO(_encode(picture, table))) as encoded:
        return _in_blocks(np.asarray(encoded, np.int64))[places]


def _encode(pixels: NDArray[np.uint8], table: list[int], **extra: Any) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", qtables=[table], subsampling=0, keep_rgb=True, **extra)
    return stream.getvalue()


def _half_table(quality: int) -> list[int]:
    """Half of the steps that libjpeg's table for luma has at a quality."""
    stream = BytesIO()
    Image.new("L", (_BLOCK, _BLOCK)).save(stream, "JPEG", quality=quality)
    steps = JpegImageFile(BytesIO(stream.getvalue())).quantization[0]
    return [max(1, round(step / 2)) for step in steps]


def _doubled(data: bytes, height: int, width: int) -> bytes:
    """The file with its quantisation doubled, and the size of the picture without what fills its last blocks."""
    for marker, body in segments(data):
        if marker == _TABLES:
            changed = body[:1] + bytes(2 * step for step in body[1:])
        elif marker == _FRAME:
            changed = body[:1] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + body[5:]
        else:
            continue
        start = bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big")
        data = data.replace(start + body, start + changed, 1)
    return data


def _in_blocks(pixels: NDArray[Any]) -> NDArray[Any]:
    """A view of H×W×C by blocks: rows × columns × 8 × 8 × C."""
    height, width, channels = pixels.shape
    return pixels.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, channels).swapaxes(1, 2)
