"""The one error that reading a stranger's picture raises."""


class UnreadablePicture(ValueError):
    """The bytes hold no picture that can be used. The message is for the catalogue's owner: what, and what to do."""
