"""Colour profiles: from whatever a picture was made in to sRGB, which all later arithmetic assumes.

Standards: ICC.1:2010 (profiles), IEC 61966-2-1 (sRGB). The work is done by LittleCMS through Pillow.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

SAME_COLOR = 2
"""A profile that moves no colour by more than this many of 255 steps is sRGB by another maker's hand."""


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The sRGB profile as bytes, the same on every call and machine.

    LittleCMS stamps the time of creation into a profile (bytes 24–35 of its header); a fixed date keeps
    encoded pictures reproducible.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], dtype=">u2").tobytes()
    return bytes(profile)


def lab_profile() -> bytes:
    """The profile of CIE L*a*b* under D50, which pictures in Lab mean without saying so."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image | None, str]:
    """Convert a picture from its embedded ICC profile to sRGB.

    Args:
        image: mode L, RGB, CMYK or LAB; 8 bits a channel, no alpha.
        profile: the embedded profile.

    Returns:
        The picture in mode RGB, or None if its values can be taken as they are; and a note saying what was
        done, empty if the profile is sRGB already. A profile that cannot be used (broken, or for other
        channels than the picture has) is ignored, as viewers ignore it, and the note says so.
    """
    try:
        transform, mode, name = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        return None, f"colour profile ignored, it cannot be used ({reason})"
    if transform is None:
        return None, ""
    return transform.apply(image.convert(mode)), f"colours converted from {name} to sRGB"


# A catalogue holds a handful of profiles, and building a transform costs as much as applying it.
@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str, str]:
    """The transform to sRGB (None if it changes nothing), the mode that it takes, the profile's name."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if mode == "L" and source.profile.xcolor_space.strip() == "RGB":
        mode = "RGB"
    # Print profiles hold a table made for each intent: the perceptual one fits a larger gamut in without
    # clipping. Matrix profiles know only the relative colorimetric one.
    perceptual = mode == "CMYK"
    transform = ImageCms.ImageCmsTransform(
        source,
        ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
        mode,
        "RGB",
        intent=ImageCms.Intent.PERCEPTUAL if perceptual else ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.NONE if perceptual else ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode in ("L", "RGB") and _changes_nothing(transform, mode):
        return None, mode, ""
    return transform, mode, "CIE Lab" if mode == "LAB" else _name(source)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    if mode == "L":
        probe = Image.fromarray(steps[None])
    else:
        probe = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(16, 256, 3))
    before = np.asarray(probe.convert("RGB"), dtype=np.int16)
    after = np.asarray(transform.apply(probe), dtype=np.int16)
    return int(np.abs(after - before).max()) <= SAME_COLOR


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    try:
        name = ImageCms.getProfileDescription(profile).strip()
    except ImageCms.PyCMSError:
        name = ""
    printable = "".join(c for c in name if c.isprintable())[:60]
    return printable or "an unnamed colour profile"
