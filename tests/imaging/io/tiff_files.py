"""TIFFs of every variant, written by hand: TIFF 6.0, BigTIFF."""

import struct
import zlib

import numpy as np

TYPES = {"B": 1, "H": 3, "I": 4, "Q": 16}


def tiff(*pages: dict, order: str = "<", big: bool = False) -> bytes:
    """Pages as of ``page``; a page's "beneath" are its SubIFDs."""
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    out += struct.pack(order + ("HHQ" if big else "I"), *((8, 0, 0) if big else (0,)))
    link = 8 if big else 4

    def write(page: dict, at: int | None) -> int:
        """Returns where the link to the next page is."""
        strips = page["strips"]
        places = []
        for strip in strips:
            places.append(len(out))
            out.extend(strip + bytes(len(strip) % 2))
        beneath = []
        for below in page.get("beneath", ()):
            write(below, None)
            beneath.append(below["place"])
        lengths = list(map(len, strips))
        tags = page["tags"] | {273: ("I", places), 279: ("I", lengths)} | ({330: ("I", beneath)} if beneath else {})
        entries = b""
        for tag, (code, values) in sorted(tags.items()):
            body = struct.pack(f"{order}{len(values)}{code}", *values)
            inline = 8 if big else 4
            if len(body) > inline:
                place = len(out)
                out.extend(body + bytes(len(body) % 2))
                body = struct.pack(order + ("Q" if big else "I"), place)
            entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, TYPES[code], len(values))
            entries += body.ljust(inline, b"\0")
        page["place"] = len(out)
        if at is not None:
            struct.pack_into(order + ("Q" if big else "I"), out, at, len(out))
        out.extend(struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(link))
        return len(out) - link

    at = 8 if big else 4
    for page in pages:
        at = write(page, at)
    return bytes(out)


def page(
    samples: np.ndarray,
    photometric: int,
    *,
    bits: int | None = None,
    apart: bool = False,
    deflate: bool = False,
    order: str = "<",
    tags: dict | None = None,
    beneath: tuple[dict, ...] = (),
) -> dict:
    """``samples``: height × width × channels of any type; ``bits`` packs them closer than that."""
    height, width, channels = samples.shape
    planes = [samples[..., c : c + 1] for c in range(channels)] if apart else [samples]
    bits = bits or samples.dtype.itemsize * 8

    def packed(plane: np.ndarray) -> bytes:
        if bits in (8, 16, 32, 64):
            return plane.astype(plane.dtype.newbyteorder(order)).tobytes()
        rows = (plane.astype(np.uint32)[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
        return np.packbits(rows.reshape(height, -1), axis=1).tobytes()

    strips = [packed(plane) for plane in planes]
    described = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [bits] * channels),
        259: ("H", [8 if deflate else 1]),
        262: ("H", [photometric]),
        277: ("H", [channels]),
        278: ("I", [height]),
        284: ("H", [2 if apart else 1]),
    }
    return {
        "strips": [zlib.compress(strip) for strip in strips] if deflate else strips,
        "tags": described | (tags or {}),
        "beneath": beneath,
    }
