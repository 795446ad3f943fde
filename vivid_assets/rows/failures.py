"""Whose fault it is: a picture's (its row fails, the rest goes on) or the machine's (the step fails)."""

import errno

from resources.errors import MachineFault

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class PictureFailure(Exception):
    """This picture cannot be processed. The message is a sentence for people and says what to do.

    ``transient`` says that the next run should try again although nothing changed.
    """

    def __init__(self, message: str, *, transient: bool = False):
        super().__init__(message)
        self.transient = transient


def picture_failure(error: BaseException) -> PictureFailure | None:
    """``error`` as the failure of one picture, or None when it is the machine's fault.

    A ValueError is how the pure functions refuse a picture, and its message is taken as it is. A lost file or
    connection is worth another try. Anything else is a fault in the code that this picture has brought to
    light: the row says so, and the log has the traceback.
    """
    if isinstance(error, PictureFailure):
        return error
    if isinstance(error, (MachineFault, MemoryError)) or not isinstance(error, Exception):
        return None
    if isinstance(error, OSError):
        if error.errno in _MACHINE:
            return None
        return PictureFailure(f"The picture could not be read: {error}", transient=True)
    if isinstance(error, ValueError):
        return PictureFailure(str(error))
    return PictureFailure(f"Unexpected {type(error).__name__}: {error}. The run's log has the traceback.")
