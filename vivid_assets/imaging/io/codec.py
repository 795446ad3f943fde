"""Pictures as files and as arrays: the one place to import reading and writing from."""

from vivid_assets.imaging.core.resize import fitted_size, resize_to_fit
from vivid_assets.imaging.io.carried import Carried
from vivid_assets.imaging.io.decode import MAX_FRAMES, MAX_PIXELS, Picture, decode, reduced
from vivid_assets.imaging.io.encode import SUFFIXES, Format, encode, read_provenance
from vivid_assets.imaging.io.exact_jpeg import color_of
from vivid_assets.imaging.io.formats import ENOUGH, Kind, kind_of
from vivid_assets.imaging.io.provenance import SourceType
from vivid_assets.imaging.io.unreadable import UnreadablePicture

__all__ = [
    "ENOUGH",
    "MAX_FRAMES",
    "MAX_PIXELS",
    "SUFFIXES",
    "Carried",
    "Format",
    "Kind",
    "Picture",
    "SourceType",
    "UnreadablePicture",
    "color_of",
    "decode",
    "encode",
    "fitted_size",
    "kind_of",
    "read_provenance",
    "reduced",
    "resize_to_fit",
]
