"""Decoding: from whatever a catalogue holds to pictures that every later stage can rely on."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from partitions.assignment import NO_FILE
from vivid_assets.catalogue.identity import is_clip
from vivid_assets.imaging.core.own_alpha import packaging
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import encode_mask
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.rows.columns import Int32, StoredFile
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.stage import RowInput, Stage
from vivid_assets.stages.clips.prepared import read_clip, stacked
from vivid_assets.stages.clips.source import opened_clip
from vivid_assets.stages.stage import EachPicture, Pictures, Shard


@dataclass(frozen=True)
class PreparedImage:
    """A picture, decoded; of a clip the frame that stands for it."""

    file: StoredFile
    """The picture at the size that models see, PNG."""
    alpha_file: StoredFile | None
    """The source's own transparency; null: it has none."""
    width: Int32
    """Pixels of `file`."""
    height: Int32
    """Pixels of `file`."""
    source_width: Int32
    source_height: Int32
    source_format: str
    """What kind of file the source is."""
    notes: Sequence[str]
    """What was converted, in words."""
    frames: Int32 | None = None
    """Of a clip."""
    fps: float | None = None
    """Frames a second of a clip, on average."""
    still: Int32 | None = None
    """Number of the frame that stands for the clip."""
    samples_file: StoredFile | None = None
    """Some of the clip's frames, one below the other."""


@dataclass(frozen=True)
class Content:
    """The picture's content, as the ledger knows it."""

    content: str


class PrepareImages(EachPicture[PreparedImage]):
    """Decode each picture, at the models' size."""

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        super().__init__(stage, shard, leases)
        wanted = shard.settings.prepared_images
        self._longest = wanted.longest
        self.settings = {"longest": wanted.longest}
        self.limits = wanted.model_dump(mode="json", exclude={"longest"})

    def make(self, row: RowInput) -> PreparedImage:
        content = row.read(Content).content
        if content == NO_FILE:
            raise PictureFailure("The manifest names this picture, but it is not in the catalogue's folder.")
        if is_clip(content):
            return self._clip(row, content)
        data = self.shard.source.read(row.picture, content)
        picture = decode(data, longest=self._longest, max_pixels=self.shard.max_pixels)
        rgb, notes = picture.rgb, list(picture.notes)
        alpha_file = None
        if picture.alpha is not None:
            alpha_file = self.keep(row.key, ".alpha.png", encode_mask(picture.alpha))
            if (why := packaging(picture.alpha)) is not None:
                notes.append(f"its own transparency is no cut-out: {why}")
            rgb = opaque(picture)
        return PreparedImage(
            file=self.keep(row.key, ".png", encode(rgb)),
            alpha_file=alpha_file,
            width=rgb.shape[1],
            height=rgb.shape[0],
            source_width=picture.size[0],
            source_height=picture.size[1],
            source_format=picture.format,
            notes=notes,
        )

    def _clip(self, row: RowInput, content: str) -> PreparedImage:
        with opened_clip(self.shard, row.picture, content) as clip:
            read = read_clip(clip, self._longest)
        return PreparedImage(
            file=self.keep(row.key, ".png", encode(read.image)),
            alpha_file=None,
            width=read.image.shape[1],
            height=read.image.shape[0],
            source_width=read.size[0],
            source_height=read.size[1],
            source_format=read.format,
            notes=read.notes,
            frames=read.frames,
            fps=round(read.fps, 3),
            still=read.still,
            samples_file=self.keep(row.key, ".samples.png", encode(stacked(read.others))),
        )

    def show(self, picture: str, made: PreparedImage) -> Pictures:  # noqa: ARG002
        return [decode(self.shard.store.read(made.file)).rgb]
