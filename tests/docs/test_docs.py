"""The documentation: its links lead somewhere, its settings are accepted, and the index names every page."""

import re
from pathlib import Path

import pytest

from vivid_assets.settings import parse_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def links() -> list[tuple[str, str]]:
    """(page, target) of every link and picture that leads to a file of the repository."""
    found = []
    for page in PAGES:
        targets = LINK.findall(FENCE.sub("", page.read_text()))
        found += [(str(page.relative_to(ROOT)), target) for target in targets if "://" not in target]
    return found


@pytest.mark.parametrize(("page", "target"), links())
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(page, target):
    file, _, anchor = target.partition("#")
    there = (ROOT / page).parent / file if file else ROOT / page
    assert there.exists()
    assert not anchor or anchor in anchors(there)


def test_a_test_that_a_page_names_is_there():
    named = [one for page in PAGES for one in re.findall(r"`([\w/]+\.py)::(\w+)`", page.read_text())]
    assert len(named) > 40
    for file, name in named:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), f"{file}::{name}"


def test_the_index_names_every_page():
    index = ROOT / "docs" / "index.md"
    named = {(index.parent / target.partition("#")[0]).resolve() for page, target in links() if page == "docs/index.md"}
    assert {page.resolve() for page in PAGES} - {index.resolve()} <= named
    assert "docs/index.md" in (ROOT / "README.md").read_text()


# What extending.md shows are settings of its own package, with which test_extending runs a catalogue.
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "extending.md"], ids=lambda page: page.name)
def test_settings_are_shown_as_they_are_accepted(page):
    for text in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        assert parse_settings(text.replace("…", "0" * 40), where=page.name, overrides={}).model_fields_set


def test_a_picture_is_shown_somewhere():
    shown = {((ROOT / page).parent / target).resolve() for page, target in links()}
    assert {path.resolve() for path in (ROOT / "docs" / "images").iterdir()} <= shown


def test_the_glossary_is_short():
    terms = re.findall(r"^\| (?!term|---)", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert 20 <= len(terms) <= 30
