"""A small catalogue, a driver that runs it in processes that may be killed, and what a clean run leaves."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures, read_ledger, shards_of
from vivid_assets.catalogue.source import register
from vivid_assets.rows.tables import Journal, read_rows
from vivid_assets.stages.stage import all_stages

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'

# What a catalogue's result is not made of: records of who works on what, and of how runs went.
ASIDE = ("claims/", "scenes/claims/", "progress/", "review/")


class Driver:
    """See driver.py. ``start`` returns the running child's number, ``wait`` how it ended (negative: by a signal)."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("driver.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def start(self, catalogue: "SmallCatalogue", **request) -> int:
        request = catalogue.request() | request
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        return int(self._process.stdout.readline())

    def run(self, catalogue: "SmallCatalogue", **request) -> int:
        self.start(catalogue, **request)
        return self.wait()

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@dataclass
class SmallCatalogue:
    """A folder of small products, its store, and what became of it."""

    root: Path
    store_root: str = ""
    pictures: dict[str, int] = field(default_factory=dict)
    """The colour of each product."""

    def __post_init__(self) -> None:
        self.folder = self.root / "pictures"
        self.folder.mkdir(parents=True)
        self.store = Store(root=self.store_root or str(self.root / "store"))
        self.settings = self.root / "vivid.toml"
        self.settings.write_text(SETTINGS)
        self.say("red paper")
        register(self.store, "spring", str(self.folder))

    def say(self, prompt: str) -> None:
        (self.folder / "catalogue.toml").write_text(f'prompt = "{prompt}"\nshard_size = 3\n')

    def put(self, name: str, color: int) -> None:
        """A product of that colour, anew or in place of another."""
        wall = np.full((64, 64, 3), (205, 200, 190), np.uint8)
        cv2.circle(wall, (32, 32), 20, (color % 256, 40 + color % 90, 180), -1)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, wall)[1].tobytes())
        self.pictures[name] = color

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()
        del self.pictures[name]

    def request(self) -> dict:
        return {
            "store": self.store.root,
            "settings": str(self.settings),
            "catalogue": "spring",
            "log": str(self.root / "log"),
        }

    def log(self) -> str:
        return (self.root / "log").read_text()

    def result(self) -> dict:
        """Every picture's rows in all stages, without seconds and shard, and the digests of their files.

        Files are named by their picture's stage, since a picture that came in another order lies in another shard.
        """
        found: dict[str, dict] = {}
        for shard in shards_of(self.store, "spring"):
            live = [picture["picture"] for picture in live_pictures(self.store, shard)]
            for stage in all_stages():
                rows = read_rows(self.store, stage, shard)
                assert [*rows] == live, f"{stage.name} {shard}"
                for name, row in rows.items():
                    files = {column: self.store.read(row[column]) for column in stage.files if row[column] is not None}
                    # Whether a scene was there already depends on who came first, by its very meaning.
                    plain = {c: v for c, v in row.items() if c not in ("seconds", "reused", "sizes", *files)}
                    assert row["sizes"] == [len(data) for data in files.values()]
                    if stage.name == "masks" and row["tried"]:
                        plain["tried"] = [one | {"seconds": 0} for one in json.loads(row["tried"])]
                    digests = {
                        column: hashlib.sha256(pixels(data) if stage.name == "backgrounds" else data).hexdigest()
                        for column, data in files.items()
                    }
                    assert stage.name not in found.setdefault(name, {}), f"{name} is in two shards"
                    found[name][stage.name] = plain | digests
        return found

    def recorded(self) -> dict[str, int]:
        """The inode of every file that a row vouches for, in tables and journals: writing it again changes it."""
        inodes = {}
        for shard in shards_of(self.store, "spring"):
            for stage in all_stages():
                rows = [*read_rows(self.store, stage, shard).values(), *Journal(self.store, stage, shard).earlier()[0]]
                for row in rows:
                    for column in stage.files:
                        if row[column] and self.store.exists(row[column]):
                            inodes[row[column]] = Path(self.store.path(row[column]).path).stat().st_ino
        return inodes

    def files(self) -> set[str]:
        """Every file below the store, hidden ones too."""
        root = Path(self.store.root)
        names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        return {name for name in names if not name.startswith(ASIDE)}

    def partial(self) -> list[str]:
        """Files that are visible under a final name and cannot be read to their end."""
        bad = []
        read_ledger(self.store, "spring")
        for name in self.files():
            path = Path(self.store.root) / name
            if path.suffix == ".png" and cv2.imread(str(path)) is None:
                bad.append(name)
            # A damaged ledger stays beside the one that was committed after it, for who wants to know.
            if path.suffix == ".parquet" and "/ledger/" not in name:
                self.store.read_table(name)
            if path.suffix == ".json":
                json.loads(path.read_bytes())
        return bad

    def clean_result(self, driver: Driver, root: Path) -> dict:
        """What a single undisturbed run over the same pictures leaves."""
        other = SmallCatalogue(root)
        (other.folder / "catalogue.toml").write_bytes((self.folder / "catalogue.toml").read_bytes())
        for name, color in self.pictures.items():
            other.put(name, color)
        assert driver.run(other) == 0, other.log()[-3000:]
        return other.result()


def pixels(data: bytes) -> bytes:
    """A shared scene without its text, which says what was asked for by whoever came first."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).tobytes()


def differences(found: dict, expected: dict) -> list[str]:
    """Where two results differ, a line for each value."""
    lines = [f"{name}: only in {where}" for name in found.keys() ^ expected.keys() for where in ["one of the two"]]
    for name in found.keys() & expected.keys():
        for stage, row in expected[name].items():
            got = found[name][stage]
            lines += [f"{name} {stage}.{c}: {got.get(c)!r}, not {row[c]!r}" for c in row if got.get(c) != row[c]]
    return sorted(lines)


@pytest.fixture(scope="session")
def driver():
    driver = Driver()
    yield driver
    driver.stop()


@pytest.fixture(scope="session")
def another_driver():
    driver = Driver()
    yield driver
    driver.stop()


@pytest.fixture(scope="session")
def make_small():
    """``make_small(root)``: five products in two shards."""

    def make(root: Path, **options) -> SmallCatalogue:
        catalogue = SmallCatalogue(root, **options)
        for number in range(5):
            catalogue.put(f"{number}.png", 50 * number)
        return catalogue

    return make


@pytest.fixture
def small(make_small, tmp_path):
    return make_small(tmp_path / "lived")


@pytest.fixture(scope="session", name="differences")
def _differences():
    return differences


@pytest.fixture
def unlike_clean(driver, tmp_path_factory):
    """``unlike_clean(catalogue)``: where it differs from what an undisturbed run over the same pictures leaves."""

    def compare(catalogue: SmallCatalogue) -> list[str]:
        place = tmp_path_factory.mktemp("clean") / "root"
        return differences(catalogue.result(), catalogue.clean_result(driver, place))

    return compare
