"""``python -m vivid_assets``: the same as ``vivid``."""

from vivid_assets.cli.main import app

app(prog_name="vivid")
