"""Presets: renditions by name for what marketplaces and networks ask for, each with the rules that its check judges.

``presets.toml`` is the table. Of a new one only a table there is needed, and its source in ``docs/renditions.md``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from vivid_assets.imaging.blend.options import Rules


@dataclass(frozen=True)
class Preset:
    """A rendition by name."""

    name: str
    entries: Mapping[str, Any]
    """Those of a rendition."""
    rules: Rules


@cache
def presets() -> Mapping[str, Preset]:
    """All of them, by name."""
    tables = tomllib.loads(files("vivid_assets").joinpath("presets.toml").read_text(encoding="utf-8"))
    return {name: Preset(name, table, Rules(**table.pop("rules"))) for name, table in tables.items()}
