"""A clip of a catalogue, opened on this machine."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from resources.store.store import Store
from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.io.video.folder import read_folder
from vivid_assets.imaging.io.video.read import Clip, read_video
from vivid_assets.stages.clips.packed import DamagedPack, Packed
from vivid_assets.stages.stage import Shard
from vivid_assets.stages.stored import removed


@contextmanager
def opened_clip(shard: Shard, picture: str, content: str) -> Iterator[Clip]:
    """The clip, copied from the catalogue to a temporary folder.

    Raises PictureFailure, or ValueError, where it is not what the scan found, or cannot be read.
    """
    limits = shard.settings.prepared_images.clips
    with TemporaryDirectory(prefix="vivid-clip-") as place:
        path = shard.source.fetch(picture, content, Path(place), most=limits.frames)
        yield read_folder(path, limits) if path.is_dir() else read_video(path, limits)


@contextmanager
def opened_pack(store: Store, path: str) -> Iterator[Packed]:
    """A file of numbered pictures in the store, which is not read into memory. Raises as ``read_stored``."""
    with TemporaryDirectory(prefix="vivid-pack-") as place:
        try:
            with Packed(store.local_copy(path, Path(place))) as found:
                yield found
        except DamagedPack as error:
            raise removed(store, path) from error


class Pixels:
    """A clip's frames without their times, again and again, also from the middle on."""

    def __init__(self, clip: Clip) -> None:
        """Of ``clip``."""
        self.clip = clip
        self.times: list[Fraction] = []
        """Of the frames that were read."""

    def __iter__(self) -> Iterator[RGB8]:
        """Begin again."""
        return self.behind(0)

    def behind(self, count: int) -> Iterator[RGB8]:
        """The frames behind the first ``count``, whose ``times`` are known."""
        for number, frame in enumerate(self.clip.behind(self.times[:count]), start=count):
            if number == len(self.times):
                self.times.append(frame.time)
            yield frame.rgb


class Timed:
    """A clip's frames once, behind those that are finished, and the times of all of them."""

    def __init__(self, clip: Clip, finished: Iterable[Fraction]) -> None:
        """Of ``clip``; with the times of the frames that are finished."""
        self._clip = clip
        self.times = [*finished]

    def __iter__(self) -> Iterator[RGB8]:
        """Begin."""
        for frame in self._clip.behind(tuple(self.times)):
            self.times.append(frame.time)
            yield frame.rgb
