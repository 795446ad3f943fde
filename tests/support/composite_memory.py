"""What a picture takes from before it is decoded until its composite is encoded, in bytes a pixel.

``python -m tests.support.composite_memory PICTURE [MASK MODE FORMAT ORIGIN]`` in a process of its own prints it;
of decoding alone without a mask.
"""

import sys
from pathlib import Path

import numpy as np

from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha, Origin
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask


def make(picture: bytes, mask: bytes, mode: str, format_: str, origin: Origin) -> None:
    source = decode(picture)
    deep = source.rgb16 if format_ == "png" else None
    scene = np.full((683, 1024, 3), 90, np.uint8)
    blended = blend_native(
        source.rgb if deep is None else deep, Alpha(decode_mask(mask), origin), scene, mode=mode, shadow="auto"
    )
    encode(blended.composite, format=format_)


def main(picture: str, mask: str = "", *options: str) -> None:
    file, mask_file = Path(picture).read_bytes(), Path(mask).read_bytes() if mask else b""
    # What is loaded and compiled once is not the picture's.
    small = np.full((100, 150, 3), 1000, np.uint16)
    soft = np.tile(np.linspace(0, 1, 150, dtype=np.float32), (100, 1))
    for pixels in (small, small.astype(np.uint8)):
        data = encode(pixels, alpha=soft)
        decode(data)
        if mask:
            make(data, mask_file, *options)
    before = kilobytes("VmRSS")
    if mask:
        make(file, mask_file, *options)
    else:
        decode(file)
    # Not the resource module's figure, which begins with that of the process that started this one.
    print(round((kilobytes("VmHWM") - before) * 1024 / (3000 * 2000)))


def kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
