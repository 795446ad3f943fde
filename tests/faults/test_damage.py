"""Files of the store that were cut off, emptied or changed from outside: the next run makes anew what they held."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 4] ^= 1
    path.write_bytes(bytes(data))


def first(pattern: str) -> Callable[[Path], list[Path]]:
    return lambda store: sorted(store.glob(pattern))[:1]


def newest(pattern: str) -> Callable[[Path], list[Path]]:
    return lambda store: sorted(store.glob(pattern))[-1:]


def stray_journal(store: Path) -> list[Path]:
    """A journal file of a killed run, made of a table's bytes."""
    (table,) = (store / "tables/masks/spring-00000").iterdir()
    journal = store / "tables/masks/spring-00000.journal/0123-00000.parquet"
    journal.parent.mkdir(exist_ok=True)
    journal.write_bytes(table.read_bytes())
    return [journal]


CASES = {
    "table": first("tables/masks/*/*.parquet"),
    "last stage's table": first("tables/composites/*/*.parquet"),
    "journal": stray_journal,
    "ledger": newest("catalogues/spring/ledger/*.parquet"),
    "every ledger": lambda store: sorted(store.glob("catalogues/spring/ledger/*.parquet")),
    "prepared image": first("artefacts/spring/prepared_images/*/*.png"),
    "mask": first("artefacts/spring/masks/*/*.png"),
    "composite": first("artefacts/spring/composites/*/*.png"),
    "scene": first("scenes/*/*.png"),
    "settings": first("catalogues/spring/settings.json"),
    "progress": lambda store: sorted(store.glob("progress/*/*.json")),
}


@pytest.fixture(scope="module")
def done(driver, tmp_path_factory, make_small):
    """A catalogue that has been run, and its result."""
    catalogue = make_small(tmp_path_factory.mktemp("damage"))
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    return catalogue, catalogue.result()


@pytest.mark.parametrize("damage", [cut, pytest.param(empty, marks=pytest.mark.soak), flip])
@pytest.mark.parametrize("case", CASES)
def test_the_next_run_mends_it(done, driver, differences, case, damage):
    catalogue, result = done
    store = Path(catalogue.store.root)
    targets = CASES[case](store)
    if not targets:
        pytest.skip(f"this store keeps no {case}")
    if damage is flip and targets[0].suffix == ".png":
        pytest.skip("a picture of the right size is read before it is judged: see the next test")
    for target in targets:
        damage(target)
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    assert differences(catalogue.result(), result) == []
    assert catalogue.partial() == []


def test_a_picture_damaged_within_its_size_fails_by_name_and_is_made_again(done, driver, differences):
    """Nobody reads it until a later stage does: that row fails, the file goes, and the next run makes it."""
    catalogue, result = done
    store = Path(catalogue.store.root)
    mask = sorted(store.glob("artefacts/spring/masks/*/*.png"))[0]
    mask.write_bytes(b"\0" * mask.stat().st_size)
    catalogue.say("sage green paper")
    driver.run(catalogue)
    assert "is damaged; it was removed" in catalogue.log()
    catalogue.say("red paper")
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    assert differences(catalogue.result(), result) == []
