"""What is wrong with an object, and what with its whole store."""

import errno

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.source import Catalogue
from vivid_assets.rows.failures import PictureFailure, picture_failure


class NoCredentialsError(Exception):
    """As botocore's, which is no OSError."""

    __module__ = "botocore.exceptions"


@pytest.fixture
def places():
    fsspec.filesystem("memory").pipe({"/reach/a.jpg": b"a"})
    yield [
        lambda: Store(root="memory://reach").read("a.jpg"),
        lambda: Catalogue(name="spring", url="memory://reach").read("a.jpg", "unreadable:"),
    ]
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize(
    ("error", "is_machines"),
    [
        (PermissionError("The AWS Access Key Id you provided does not exist in our records."), True),
        (FileNotFoundError("The specified bucket does not exist"), True),
        (NoCredentialsError("Unable to locate credentials"), True),
        (FileNotFoundError("reach/a.jpg"), False),
        (OSError(errno.EIO, "InternalError"), False),
        (TimeoutError("no answer"), False),
    ],
)
def test_keys_and_buckets_are_the_machines_matter_and_an_object_that_is_not_there_the_pictures(
    places, monkeypatch, error, is_machines
):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(MemoryFileSystem, "open", refuse)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    for read in places:
        with pytest.raises(MachineFault if is_machines else (type(error), PictureFailure)) as raised:
            read()
        failure = picture_failure(raised.value)
        assert (failure is None) == is_machines
        assert is_machines or failure.transient


def test_a_file_of_this_machine_that_may_not_be_read_is_that_picture_s_matter(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"a")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    catalogue = Catalogue(name="spring", url=str(tmp_path))
    monkeypatch.setattr("upath.implementations.local.PosixUPath.read_bytes", refuse)
    with pytest.raises(PermissionError):
        catalogue.read("a.jpg", "unreadable:")
