"""Reading what an earlier stage has put into the store."""

from collections.abc import Callable
from typing import TypeVar

from resources.store.store import Store
from vivid_assets.imaging.io.codec import UnreadablePicture
from vivid_assets.rows.failures import PictureFailure

Read = TypeVar("Read")


def read_stored(store: Store, path: str, decode: Callable[[bytes], Read]) -> Read:
    """The decoded file at ``path``.

    Raises PictureFailure when it is damaged. The file is removed then, by which the stage that made it knows that it
    has to make it again; this row is tried again in the same run or the next.
    """
    try:
        return decode(store.read(path))
    except UnreadablePicture as error:
        raise removed(store, path) from error


def removed(store: Store, path: str) -> PictureFailure:
    """Remove a damaged file, and give what is to be raised of it; see ``read_stored``."""
    store.remove([path])
    return PictureFailure(
        f"{path} in the store is damaged; it was removed, and the next run makes it again.", transient=True
    )
