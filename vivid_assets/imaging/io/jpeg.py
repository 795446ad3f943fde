"""What a JPEG's markers say (ISO 10918-1, annex B): its coding, and whether every pixel is there."""

from collections.abc import Iterator
from hashlib import blake2b
from io import BytesIO

from PIL import JpegImagePlugin

END = b"\xff\xd9"
_BASELINE = (0xC0, 0xC1)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
MAX_SEGMENTS = 10_000


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, body) up to the first scan, that included."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        position = data.find(b"\xff", position)
        while 0 <= position < len(data) - 1 and data[position + 1] == 0xFF:
            position += 1
        if position < 0 or position + 4 > len(data):
            return
        marker = data[position + 1]
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, data[position + 4 : position + 2 + length]
        if marker == 0xDA:
            return
        position += 2 + max(2, length)


def unread_coding(data: bytes) -> str:
    """The coding in words, where it is one that decoders commonly lack; else empty."""
    for marker, body in segments(data):
        if marker in _FRAMES and body:
            precision = body[0]
            if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                return "a lossless JPEG (an old kind for medical and camera raw data)"
            if precision != 8:
                return f"a JPEG of {precision} bits a channel"
            if marker in (0xC5, 0xC6, 0xCD, 0xCE):
                return "a hierarchical JPEG"
            if marker in (0xC9, 0xCA):
                return "a JPEG with arithmetic coding"
            return ""
    return ""


def only_end_is_missing(data: bytes) -> bool:
    """Whether a JPEG that ends too early lacks nothing but its end mark.

    Whatever is put in place of what is missing must not change a pixel: then the decoder reads none of it. Asked of
    JPEGs with one scan only, since others could lack a whole scan.
    """
    headers = list(segments(data))
    frame = next((body for marker, body in headers if marker in _BASELINE), b"")
    scan = next((body for marker, body in headers if marker == 0xDA), b"")
    if len(frame) < 6 or not scan or scan[0] != frame[5] or END in data[-2:] or data.count(b"\xff\xda") != 1:
        return False
    digests = set()
    for filling in (b"", b"\xaa" * 512, b"\x55" * 512):
        image = JpegImagePlugin.JpegImageFile(BytesIO(without_half_mark(data) + filling + END))
        digests.add(blake2b(image.tobytes()).digest())
    return len(digests) == 1


def without_half_mark(data: bytes) -> bytes:
    """Without the first half of an end mark."""
    return data.rstrip(b"\xff")
