"""What counts as a clip, and how large it may be."""

from dataclasses import dataclass

CLIP_SUFFIXES = frozenset({".gif", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
FRAME_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Of the files of a folder those that are frames; others are not looked at."""


@dataclass(frozen=True)
class ClipLimits:
    """What a clip may have at most."""

    seconds: float = 600.0
    pixels: int = 4096 * 2304
    """Of a frame."""
    frames: int = 20_000
