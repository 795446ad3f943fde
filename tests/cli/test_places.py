"""Odd places for the store and for Dagster: they work, or a sentence refuses them before anything is made."""

import ctypes
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import vivid_assets
from resources.runtime.caches import find_room_for_caches
from resources.store.store import Store, place_of
from vivid_assets.catalogue.source import register
from vivid_assets.cli.main import app

VIVID = str(Path(sys.executable).with_name("vivid"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with a catalogue's folder in it, a home, and nothing set."""
    home = tmp_path / "home"
    (tmp_path / "here" / "pictures").mkdir(parents=True)
    home.mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(home))
    for name in ("VIVID_STORE", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # as unset: and the commands' own settings are undone after the test
    picture = np.full((100, 100, 3), 214, np.uint8)
    picture[30:70, 30:70] = (180, 40, 30)
    Image.fromarray(picture).save("pictures/a.png")
    Path("pictures/catalogue.toml").write_text(
        'prompt = "teal paper"\n[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
    )
    return home


def _vivid(*arguments):
    return CliRunner().invoke(app, [*arguments])


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("vivid_store", "here/vivid_store"),
        ("./a b", "here/a b"),
        ("~/store", "home/store"),
        ("~", "home"),
        ("file://{root}/elsewhere", "elsewhere"),
        ("file://{root}/else%20where", "else where"),
        ("local://{root}/elsewhere", "elsewhere"),
        ("{root}/what?", "what?"),
        ("{root}/50%20off #1", "50%20off #1"),
        ("{root}/a::b:c@d;e&f=g", "a::b:c@d;e&f=g"),
        ("{root}/l'\"été 😀 [x]", "l'\"été 😀 [x]"),
    ],
)
def test_a_store_is_where_a_person_means(home, written, meant):
    root = home.parent
    store = Store(root=written.format(root=root))
    store.write("tables/one", b"1")
    assert (root / meant / "tables" / "one").read_bytes() == b"1"
    assert store.read("tables/one") == b"1" and store.names("tables") == ["one"]
    assert place_of(written.format(root=root)) == str(root / meant)


@pytest.mark.parametrize("url", ["s3://bucket/store", "gs://bucket/a b", "memory://x"])
def test_other_urls_are_left_alone(url):
    assert place_of(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file://store", "three slashes"),
        ("~nobody-of-this-name/store", "./~nobody-of-this-name"),
        ("nonsense://x", "cannot be reached"),
        ("https://example.com/x", "it is read-only"),
        ("data:text/plain,x", "it is read-only"),
        ("a.file", "is no folder"),
        ("a.file/store", "is no folder"),
    ],
)
def test_what_is_no_place_for_a_store_is_refused_and_nothing_is_made(home, url, says):
    Path("a.file").write_bytes(b"")
    before = _files(home.parent)
    for command in (["add", "spring", "pictures"], ["run", "spring"], ["scan", "spring"], ["status"]):
        result = _vivid("catalogue", *command, "--store", url)
        assert result.exit_code == 1
        assert says in " ".join(result.output.split())
    assert _files(home.parent) == before


@pytest.mark.parametrize("folder", ["what?", "a%20b", "a b%20c"])
def test_dagster_is_not_put_where_it_cannot_keep_its_records(home, folder, monkeypatch):
    assert _vivid("catalogue", "add", "spring", "pictures", "--store", folder).exit_code == 0
    before = _files(home.parent)
    result = _vivid("catalogue", "scan", "spring", "--store", folder)
    assert result.exit_code == 1
    assert "set DAGSTER_HOME to another folder" in " ".join(result.output.split())
    assert _files(home.parent) == before
    monkeypatch.setenv("DAGSTER_HOME", "~/dagster")
    assert _vivid("catalogue", "scan", "spring", "--store", folder).exit_code == 0
    assert (home / "dagster" / "dagster.yaml").exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", "here/vivid_store/dagster"), ("dh", "here/dh"), ("~/dh", "home/dh"), ("d h#1", "here/d h#1")],
)
def test_dagster_s_home_is_where_a_person_means(home, monkeypatch, written, meant):
    monkeypatch.setenv("DAGSTER_HOME", written)
    assert _vivid("catalogue", "add", "spring", "pictures").exit_code == 0
    result = _vivid("catalogue", "scan", "spring")
    assert result.exit_code == 0, result.output
    assert [path.relative_to(home.parent).as_posix() for path in home.parent.rglob("dagster.yaml")] == [
        f"{meant}/dagster.yaml"
    ]


@pytest.mark.parametrize("written", ["s3://bucket/home", "a.file", "~nobody-of-this-name/x"])
def test_what_is_no_place_for_dagster_is_refused_and_nothing_is_made(home, monkeypatch, written):
    Path("a.file").write_bytes(b"")
    assert _vivid("catalogue", "add", "spring", "pictures").exit_code == 0
    before = _files(home.parent)
    monkeypatch.setenv("DAGSTER_HOME", written)
    result = _vivid("catalogue", "scan", "spring")
    assert result.exit_code == 1 and result.output.count("\n") <= 4
    assert _files(home.parent) == before


@pytest.mark.slow
def test_the_definitions_find_the_store_where_the_commands_do(home):
    code = """
import importlib, os, sys
from vivid_assets import definitions
for written in sys.argv[1:]:
    os.environ["VIVID_STORE"] = written
    print(importlib.reload(definitions).STORE.path("x").path)
"""
    places = {"": "here/vivid_store", "~/s t": "home/s t", "s": "here/s"}
    out = subprocess.run([sys.executable, "-c", code, *places], capture_output=True, text=True)
    assert out.stdout.splitlines() == [str(home.parent / meant / "x") for meant in places.values()], out.stderr


def _bound_by_modes(*arguments, **environment):
    """``vivid`` from a copy of the code, by a process that may write only where the files' modes let it; root's too."""

    def prepare():
        if os.getuid() == 0:
            ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: gone after exec

    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "vivid_assets", *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        preexec_fn=prepare,
    )


def _read_only(*folders):
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="drops root's rights as Linux has them")
@pytest.mark.parametrize("runs", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_read_only_installation_without_a_home_works(home, tmp_path, runs):
    """Neither the code nor the home nor the catalogue can be written to, as with a read-only file system.

    A run of the catalogue compiles its kernels, which have no place, for ten seconds; ``replace`` needs few of them.
    """
    here, code, store = tmp_path / "here", tmp_path / "code", tmp_path / "store"
    for package in ("vivid_assets", "resources", "partitions"):
        source = Path(vivid_assets.__file__).parent.parent / package
        shutil.copytree(source, code / package, ignore=shutil.ignore_patterns("*.nb?"))
    _read_only(code, home, here)
    place = {"PYTHONPATH": str(code), "HOME": str(home), "VIVID_STORE": str(store)}
    try:
        made = store / "composites" / "spring" / "a.png"
        compute = ["catalogue", "run", "spring"]
        if not runs:
            compute = ["replace", str(here / "pictures" / "a.png"), "--background", "#fff", "--output", str(made)]
        for command in (["catalogue", "add", "spring", str(here / "pictures")], compute):
            ran = _bound_by_modes(*command, **place)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        assert made.exists()

        _read_only(store)
        before = _files(store)
        status = _bound_by_modes("catalogue", "status", **place)
        assert status.returncode == 0 and "spring" in status.stdout, status.stderr
        for command in (["run", "spring"], ["remove", "spring", "--yes"]):
            refused = _bound_by_modes("catalogue", *command, **place)
            assert refused.returncode == 1
            assert "this user may not write to" in refused.stderr and "Traceback" not in refused.stderr
        assert _files(store) == before
        assert _files(home) == []
    finally:
        for folder in (code, home, here, store):
            subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)


def test_caches_get_room_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.runtime.caches.may_write", lambda _: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("NUMBA_CACHE_DIR", "HF_MODULES_CACHE"):
        monkeypatch.setenv(name, "undone after the test")
        monkeypatch.delenv(name)
    find_room_for_caches()
    own = Path(os.environ["NUMBA_CACHE_DIR"]).parent
    assert own.parent == tmp_path and own.stat().st_mode & 0o077 == 0
    assert Path(os.environ["HF_MODULES_CACHE"]).parent == own


def test_another_user_s_folder_is_not_trusted_with_code(tmp_path, monkeypatch):
    from resources.runtime import caches

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"vivid-assets-{os.getuid()}").mkdir()
    (tmp_path / f"vivid-assets-{os.getuid()}").chmod(0o777)
    caches._temporary.cache_clear()
    try:
        assert caches._temporary() != tmp_path / f"vivid-assets-{os.getuid()}"
    finally:
        caches._temporary.cache_clear()


@pytest.mark.soak
def test_first_runs_at_once_on_a_fresh_store(home):
    environment = {name: value for name, value in os.environ.items() if name not in ("VIVID_STORE", "DAGSTER_HOME")}
    for name in "ab":
        register(Store(root="vivid_store"), name, "pictures")

    def run(name):
        return subprocess.run([VIVID, "catalogue", "run", name], env=environment, capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        for ran in pool.map(run, "ab"):
            assert ran.returncode == 0, ran.stdout + ran.stderr
