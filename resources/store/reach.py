"""Whether an object store can be reached at all, told apart from what is wrong with one object.

A missing object, or a connection that stutters, is a matter of the object that was read: its row fails, and is tried
again. Keys that have expired, a bucket that is not there, a client that cannot be set up are the machine's: every
object would fail in the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from upath import UPath

from resources.errors import MachineFault, first_line

_LOCAL = ("", "file", "local")
_CLIENTS = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google"}
"""The libraries whose own errors tell of the client, or of the way to the store."""
_NO_BUCKET = "The specified bucket does not exist"


@contextmanager
def reached(path: UPath) -> Iterator[None]:
    """Within it ``path`` is read. Raises MachineFault where its store cannot be reached; else what comes, as it is."""
    try:
        yield
    except Exception as error:
        if path.protocol in _LOCAL or isinstance(error, MachineFault):
            raise
        is_the_stores = (
            isinstance(error, PermissionError)
            or type(error).__module__.partition(".")[0] in _CLIENTS
            or (isinstance(error, FileNotFoundError) and _NO_BUCKET in str(error))
        )
        if not is_the_stores:
            raise
        raise MachineFault(
            f"{path} cannot be read: {first_line(error)}. Are the store's keys and name right?"
        ) from error
