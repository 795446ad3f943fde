"""The page of all settings is the one that the types give, and has every one of them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivid_assets.cli.main import app
from vivid_assets.settings import Settings, SettingsFile, parse_settings
from vivid_assets.settings_page import entries, heading, page, tables

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "make it anew: vivid settings --markdown > docs/settings.md"


def test_every_table_and_every_default_can_be_written_as_the_page_has_it():
    assert {*Settings.model_fields} < {*tables()}
    for table in tables():
        lines = [f"{one.name} = {one.default}" for one in entries(table) if one.default and one.default != "{}"]
        named = heading(table).replace("<name>", "beach")
        parse_settings("\n".join([f"[{named}]", *lines]), where="the page", overrides={})


def test_an_entry_has_its_meaning_range_and_who_may_set_it():
    listed = {one.name: one for one in entries("masks")}
    assert (listed["stretch_low"].default, listed["stretch_low"].range) == ("0.1", "≥ 0, < 1")
    assert listed["matting"].range == '`"none"`, `"vitmatte"`'
    assert listed["tiers"].for_catalogues
    assert not next(one for one in entries("prepared_images") if one.name == "max_megapixels").for_catalogues
    assert all(one.meaning for table in tables() for one in entries(table))


def test_the_command_shows_what_holds_now_by_the_file_in_the_store(tmp_path, monkeypatch):
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)

    def shown(*arguments):
        result = CliRunner().invoke(app, ["settings", *arguments, "--store", str(tmp_path)])
        return result.exit_code, result.output

    assert "0.1" in shown("masks")[1]
    (tmp_path / "vivid.toml").write_text("[masks]\nstretch_low = 0.23\n")
    code, said = shown("masks")
    assert code == 0 and "stretch_low = 0.23" in said and "Probability that becomes alpha 0." in said
    assert "0.23" in shown()[1]
    code, said = shown("mask")
    assert code == 1 and "There is no table [mask]. There are prepared_images" in said


def test_a_file_in_the_store_is_found_as_soon_as_it_is_there_and_a_named_one_goes_before(tmp_path):
    settings = SettingsFile(store=str(tmp_path))
    assert settings.read().composites.quality == 92
    (tmp_path / "vivid.toml").write_text("[composites]\nquality = 80\n")
    assert settings.read().composites.quality == 80
    (tmp_path / "vivid.toml").write_text("[composites]\nqualty = 80\n")
    with pytest.raises(ValueError, match=r"store|vivid\.toml.*qualty"):
        settings.read()
    (tmp_path / "named.toml").write_text("[composites]\nquality = 70\n")
    assert SettingsFile(path=str(tmp_path / "named.toml"), store=str(tmp_path)).read().composites.quality == 70
    with pytest.raises(ValueError, match="There is no settings file"):
        SettingsFile(path=str(tmp_path / "absent.toml"), store=str(tmp_path)).read()
