"""A Dagster project as its makers' tool makes it, with the pipeline in it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


class Project:
    """A project as ``create-dagster`` makes it, with this environment's packages."""

    def __init__(self, root: Path):
        self.root = root / "studio"
        self.environment = os.environ | {
            "DAGSTER_HOME": str(root / "home"),
            "PYTHONPATH": str(self.root / "src"),
            "VIRTUAL_ENV": sys.prefix,
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        (root / "home").mkdir()
        (root / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        self.call("create-dagster", "project", str(self.root), "--no-uv-sync", folder=root)

    def add(self, name: str, **attributes: Any) -> None:
        """One more pipeline, as ``dg scaffold defs`` writes it."""
        folder = self.root / "src" / "studio" / "defs" / name
        folder.mkdir()
        written = {"type": "vivid_assets.CataloguePipeline", "attributes": attributes}
        (folder / "defs.yaml").write_text(yaml.safe_dump(written))

    def call(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=folder or self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
