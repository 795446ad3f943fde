"""The store: whole files or none, and honest about what it has."""

import errno
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from resources.errors import DamagedTable, MachineFault
from resources.store import local_files
from resources.store.processes import is_gone, this_process
from resources.store.store import Store, table_bytes


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        yield Store(root=str(tmp_path / "store"))
    else:
        yield Store(root="memory://store")
        fsspec.filesystem("memory").store.clear()


def test_what_is_written_is_read(store):
    store.write("a/b.txt", b"one")
    store.write("a/b.txt", b"two!")
    assert store.read("a/b.txt") == b"two!"
    assert store.size("a/b.txt") == 4
    assert store.tail("a/b.txt", 2) == b"o!"
    assert store.tail("a/b.txt", 99) == b"two!"
    assert store.sizes(["a/b.txt", "a/none", "a/b.txt"]) == {"a/b.txt": 4}
    assert (store.size("a/none"), store.tail("a/none", 2)) == (None, None)


def test_a_large_file_goes_in_and_out_as_a_file(store, tmp_path):
    source = tmp_path / "made.bin"
    source.write_bytes(b"some video")
    store.write("a/b.mp4", b"an earlier one")
    store.write_file("a/b.mp4", source)
    assert store.read("a/b.mp4") == source.read_bytes() == b"some video"
    assert store.local_copy("a/b.mp4", tmp_path).read_bytes() == b"some video"
    with pytest.raises(FileNotFoundError):
        store.local_copy("a/none", tmp_path)


def test_a_file_is_created_once(store):
    assert store.create("a/b", b"one")
    assert not store.create("a/b", b"two")
    assert store.read("a/b") == b"one"


def test_a_linked_file_is_there_under_both_names_until_one_is_written_anew(store):
    store.write("artefacts/1", b"first")
    store.write("artefacts/2", b"second")
    assert not store.is_linked("artefacts/1", "seen/a")
    store.link("artefacts/1", "seen/a")
    store.link("artefacts/1", "seen/a")
    assert store.read("seen/a") == b"first"
    assert store.is_linked("artefacts/1", "seen/a")
    store.link("artefacts/2", "seen/a")
    assert (store.read("seen/a"), store.read("artefacts/1")) == (b"second", b"first")
    assert not store.is_linked("artefacts/1", "seen/a")
    store.remove(["artefacts/2"])
    assert store.read("seen/a") == b"second"
    with pytest.raises(FileNotFoundError):
        store.link("artefacts/2", "seen/b")


def test_a_disk_without_hard_links_holds_a_store(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = Store(root=str(tmp_path))
    assert [store.create("ledger/1", data) for data in (b"first", b"second")] == [True, False]
    assert store.read("ledger/1") == b"first"
    store.write("artefacts/1", b"made")
    store.link("artefacts/1", "seen/a")
    assert store.is_linked("artefacts/1", "seen/a")
    store.write("seen/a", b"meddled with")
    assert not store.is_linked("artefacts/1", "seen/a")
    # What was made once is wanted again, and by chance takes as many bytes as what was made since.
    store.write("artefacts/2", b"more")
    os.utime(tmp_path / "artefacts/1", (1_000_000, 1_000_000))
    store.link("artefacts/2", "seen/a")
    assert store.is_linked("artefacts/2", "seen/a")
    assert not store.is_linked("artefacts/1", "seen/a")
    store.link("artefacts/1", "seen/a")
    assert store.is_linked("artefacts/1", "seen/a")
    assert store.names(".parts") == []


@pytest.fixture(params=["no links", "another disk"])
def copying(request, tmp_path, monkeypatch):
    """A local store whose links are copies: its disk has none, or the names lie on another."""
    real = Path.replace

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    def across(self, target):
        if self.parent.name == local_files.PARTS and "seen" in Path(target).parts:
            raise OSError(errno.EXDEV, "another device")
        return real(self, target)

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)
    else:
        monkeypatch.setattr(Path, "replace", across)
        (tmp_path / "seen").mkdir()
    return Store(root=str(tmp_path))


def _make_two(store, *, ns_apart):
    """Two artefacts of one size, so many nanoseconds apart."""
    for number, data in ((1, b"made"), (2, b"more")):
        store.write(f"artefacts/{number}", data)
        time_ns = 1_700_000_001_987_654_321 + number * ns_apart
        os.utime(store.path(f"artefacts/{number}").path, ns=(time_ns, time_ns))


@pytest.mark.parametrize("grain_ns", [100, 10**9, 2 * 10**9])
def test_a_copy_is_known_where_the_disk_rounds_times(copying, monkeypatch, grain_ns):
    _make_two(copying, ns_apart=10_000_000)
    real = os.utime

    def rounding(path, times=None, *, ns=None, **options):
        real(path, ns=tuple(time_ns // grain_ns * grain_ns for time_ns in ns), **options)

    monkeypatch.setattr(os, "utime", rounding)
    copying.link("artefacts/2", "seen/a")
    assert copying.is_linked("artefacts/2", "seen/a")
    assert not copying.is_linked("artefacts/1", "seen/a"), "as large, and made a moment earlier"


def test_a_copy_whose_time_is_nearly_its_sources_is_not_read(copying, tmp_path, monkeypatch):
    """As SMB keeps it; to read all pictures of a share at each publishing would take long."""
    _make_two(copying, ns_apart=10_000_000)
    copying.link("artefacts/2", "seen/a")
    rounded = (tmp_path / "seen/a").stat().st_mtime_ns // 100 * 100
    os.utime(tmp_path / "seen/a", ns=(rounded, rounded))

    def read(*_, **__):
        pytest.fail("it was read")

    monkeypatch.setattr(Path, "open", read)
    assert copying.is_linked("artefacts/2", "seen/a")


def test_a_disk_that_lets_nobody_set_times_and_modes_takes_copies(copying, monkeypatch):
    _make_two(copying, ns_apart=10_000_000)

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("utime", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    copying.link("artefacts/2", "seen/a")
    assert copying.read("seen/a") == b"more"
    assert copying.is_linked("artefacts/2", "seen/a")
    assert not copying.is_linked("artefacts/1", "seen/a"), "of the same size"


def test_what_cannot_be_read_as_a_file_is_no_copy(tmp_path, monkeypatch):
    store = Store(root=str(tmp_path))
    (tmp_path / "seen/a").mkdir(parents=True)
    store.write("artefacts/1", bytes((tmp_path / "seen/a").stat().st_size))
    assert not store.is_linked("artefacts/1", "seen/a"), "a folder"
    store.write("seen/b", store.read("artefacts/1"))
    os.utime(tmp_path / "seen/b", (0, 0))
    assert store.is_linked("artefacts/1", "seen/b")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert not store.is_linked("artefacts/1", "seen/b")


def test_a_server_that_says_in_its_own_way_that_an_object_is_there_is_understood(monkeypatch):
    """s3fs knows one answer of Amazon's; others come as "invalid argument"."""
    store = Store(root="memory://other-server")
    assert store.create("claim", b"first")

    def invalid(self, path, value, mode="overwrite", **options):
        raise OSError(errno.EINVAL, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", invalid)
        assert not store.create("claim", b"second")
        assert store.create("claim", b"first"), "the answer was lost, and the claim is ours"
        with pytest.raises(MachineFault):
            store.create("another", b"first")
    store.assert_creates_once()

    def asked_twice(self, path, value, mode="overwrite", **options):
        raise FileExistsError(path)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "pipe_file", asked_twice)
        assert store.create("claim", b"first"), "its client asked again by itself"
        assert not store.create("claim", b"second")

    def replaces(self, path, value, mode="overwrite", **options):
        with self.open(path, "wb") as file:
            file.write(value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", replaces)
    with pytest.raises(ValueError, match="replaces an object that should only be created"):
        store.assert_creates_once()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_no_path_leads_out(store, path):
    with pytest.raises(ValueError, match="not a path below the store"):
        store.write(path, b"x")


@pytest.mark.parametrize("damage", ["cut", "empty", "flip"])
def test_a_damaged_table_is_called_so(store, damage):
    whole = table_bytes(pa.table({"n": list(range(2000)), "text": ["some text"] * 2000}))
    flipped = bytearray(whole)
    flipped[len(whole) // 4] ^= 1
    store.write("t.parquet", {"cut": whole[:-40], "empty": b"", "flip": bytes(flipped)}[damage])
    with pytest.raises(DamagedTable, match=r"t\.parquet is damaged and cannot be read"):
        store.read_table("t.parquet")
    store.write("t.parquet", whole)
    assert len(store.read_table("t.parquet", filters=[("n", "<", 10)])) == 10


class Liar(MemoryFileSystem):
    """Says that it took a file, and has lost or shortened it."""

    protocol = "liar"
    keeps = 0.0

    def pipe_file(self, path, value, mode="overwrite", **options):
        if self.keeps:
            super().pipe_file(path, value[: int(self.keeps * len(value))], mode=mode)

    def put_file(self, lpath, rpath, **options):
        self.pipe_file(rpath, Path(lpath).read_bytes())


@pytest.mark.parametrize(("keeps", "said"), [(0.0, "does not have it"), (0.5, "has 5 bytes of it")])
def test_a_store_that_lies_about_success_is_found_out(monkeypatch, tmp_path, keeps, said):
    fsspec.register_implementation("liar", Liar, clobber=True)
    monkeypatch.setattr(Liar, "keeps", keeps)
    store = Store(root="liar://store")
    with pytest.raises(MachineFault, match=said):
        store.write(f"{said[:3]}.bin", b"0123456789")
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")
    with pytest.raises(MachineFault, match=said):
        store.write_file(f"{said[:3]}.file", source)


class Ageless(MemoryFileSystem):
    """Tells of no file when it was written."""

    protocol = "ageless"

    def find(self, path, **options):
        found = super().find(path, **options)
        return {name: {k: v for k, v in one.items() if k != "created"} for name, one in found.items()}


def test_files_of_which_a_store_does_not_tell_the_age_are_listed_and_never_called_old():
    fsspec.register_implementation("ageless", Ageless, clobber=True)
    store = Store(root="ageless://ageless")
    store.write("a/b/c.txt", b"four")
    assert store.files_below("a") == {"a/b/c.txt": 4}
    with pytest.raises(MachineFault, match=r"does not tell how old .*c\.txt is"):
        store.written_before("a", datetime.now(UTC) + timedelta(days=1))


def test_files_are_old_that_were_written_before(store):
    assert store.files_below("a") == store.written_before("a", datetime.now(UTC)) == {}
    store.write("a/b.txt", b"two")
    assert store.written_before("a", datetime.now(UTC) + timedelta(days=1)) == {"a/b.txt": 3}
    assert store.written_before("a", datetime.now(UTC) - timedelta(days=1)) == {}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["open", "replace"])
def test_a_full_disk_is_a_fault_of_the_machine_and_leaves_nothing(tmp_path, monkeypatch, number, where):
    store = Store(root=str(tmp_path))
    store.write("warm", b"")
    real = getattr(Path, where)

    def full(self, *arguments, **options):
        if local_files.PARTS in self.parts:
            raise OSError(number, os.strerror(number))
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, where, full)
    (tmp_path / "source").write_bytes(b"x")
    for write in (lambda: store.write("a.bin", b"x"), lambda: store.write_file("a.bin", tmp_path / "source")):
        with pytest.raises(MachineFault, match="free some disk space and run again"):
            write()
    monkeypatch.undo()
    assert not store.exists("a.bin")
    assert list((tmp_path / local_files.PARTS).iterdir()) == []


def test_a_name_that_the_disk_does_not_take_is_no_fault_of_the_machine(tmp_path):
    store = Store(root=str(tmp_path))
    store.write("file", b"x")
    for name in ("n" * 300, "file/below"):
        assert not store.is_linked("file", name)
        with pytest.raises(ValueError, match="cannot be a file in the store"):
            store.link("file", name)
        with pytest.raises(MachineFault, match="took no file"):
            store.write(name, b"x")


def test_a_folder_on_another_disk_is_written_to_all_the_same(tmp_path, monkeypatch):
    real = Path.replace

    def across(self, target):
        if self.parent.name == local_files.PARTS:
            raise OSError(errno.EXDEV, "another device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", across)
    store = Store(root=str(tmp_path))
    (tmp_path / "mounted").mkdir()
    store.write("mounted/a", b"whole")
    assert [path.name for path in (tmp_path / "mounted").iterdir()] == ["a"]


def test_sweeping_takes_the_dead_ones_parts_and_leaves_the_living(tmp_path, monkeypatch):
    store = Store(root=str(tmp_path))
    store.write("warm", b"")
    parts = tmp_path / local_files.PARTS
    dead = subprocess.run(
        [sys.executable, "-c", "from resources.store.processes import this_process as p; print(p())"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    ).stdout.strip()
    (parts / f"{dead}~1.part").write_bytes(b"half")
    mine, elsewhere = parts / f"{this_process()}~1.part", parts / "another-machine-1~1.part"
    for part in (mine, elsewhere):
        part.write_bytes(b"half")
    # Another machine is about to give a file of years ago a second name.
    store.write("artefacts/1", b"made")
    os.utime(tmp_path / "artefacts/1", (0, 0))
    os.link(tmp_path / "artefacts/1", linking := parts / "another-machine-1~2.part")
    store.sweep()
    assert {*parts.iterdir()} == {mine, elsewhere, linking}
    in_eight_days = time.time() + 8 * 24 * 3600
    monkeypatch.setattr(local_files.time, "time", lambda: in_eight_days)
    store.sweep()
    assert [*parts.iterdir()] == []


def test_who_is_gone(tmp_path):
    assert not is_gone(this_process())
    assert not is_gone("elsewhere-123-1")
    assert not is_gone("")
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert is_gone(this_process().rpartition("-")[0] + f"-{child}")
