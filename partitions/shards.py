"""The names of shards and catalogues. A shard is some hundred pictures of one catalogue, and a Dagster partition."""

import re

_ORDINAL = re.compile(r"[0-9]{5}|a[0-9]{6}|b[0-9]{7}|c[0-9]{8}")
_CATALOGUE_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def is_catalogue_name(name: str) -> bool:
    """Whether a catalogue may have this name."""
    return len(name) <= 60 and _CATALOGUE_NAME.fullmatch(name) is not None


def check_catalogue_name(name: str) -> str:
    """``name`` itself. Raises ValueError unless it is lower-case letters, digits, single ``-`` and ``_``."""
    if not is_catalogue_name(name):
        raise ValueError(
            f"{name!r} cannot be a catalogue's name: use at most 60 lower-case letters and digits, "
            "with single '-' or '_' between them, such as 'spring-2027'."
        )
    return name


def shard_key(catalogue: str, ordinal: int) -> str:
    """The partition key of a catalogue's ``ordinal``-th shard; keys sort by catalogue and age.

    After 99999 comes ``a100000``, after ``a999999`` ``b1000000``: a letter sorts after all digits.
    """
    digits = f"{ordinal:05d}"
    return f"{catalogue}-{chr(ord('a') + len(digits) - 6) if len(digits) > 5 else ''}{digits}"


def is_shard(partition: str) -> bool:
    """Whether a partition's key is one that a shard can have."""
    catalogue, _, ordinal = partition.rpartition("-")
    return bool(_ORDINAL.fullmatch(ordinal) and _CATALOGUE_NAME.fullmatch(catalogue))


def no_shard(partition: str) -> str:
    """The error message for a partition without any record of pictures."""
    return (
        f"There is no shard {partition}: add a catalogue (the job add_catalogue, or vivid catalogue add NAME FOLDER "
        "and vivid catalogue scan NAME), and choose one of the shards that are listed then."
    )


def catalogue_of(shard: str) -> str:
    """The catalogue to which a shard belongs. Raises ValueError when it cannot be a shard."""
    if not is_shard(shard):
        raise ValueError(no_shard(shard))
    return shard.rpartition("-")[0]


def ordinal_of(shard: str) -> int:
    return int(shard.rpartition("-")[2].lstrip("abc"))
