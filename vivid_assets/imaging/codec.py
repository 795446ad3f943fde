"""Pictures as files and as arrays: the one place to import reading and writing from."""

from vivid_assets.imaging.carried import Carried
from vivid_assets.imaging.containers import ENOUGH, Kind, kind_of
from vivid_assets.imaging.decoding import MAX_FRAMES, MAX_PIXELS, Picture, decode
from vivid_assets.imaging.encoding import SUFFIXES, Format, encode, read_provenance
from vivid_assets.imaging.provenance import SourceType
from vivid_assets.imaging.resizing import fitted_size, resize_to_fit
from vivid_assets.imaging.unreadable import UnreadablePicture

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
    "decode",
    "encode",
    "fitted_size",
    "kind_of",
    "read_provenance",
    "resize_to_fit",
]
