"""``vivid`` in a process to which the files of docs/extending.md in FOLDER were added, and the LINES of its lists."""

import importlib
import json
import re
import sys
from pathlib import Path


def find_files(folder: Path) -> None:
    """Let Python find the page's modules beside the package's own."""
    for room in (path for top in folder.iterdir() if top.is_dir() for path in top.iterdir()):
        importlib.import_module(f"{room.parent.name}.{room.name}").__path__.append(str(room))


def add_line(file: str, after: str, line: str) -> None:
    """Run a list's module as it is with one more line."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    changed = re.sub(rf"^ *{after}.*\n", rf"\g<0>{line}", source, flags=re.MULTILINE)
    assert changed.count("\n") == source.count("\n") + 1
    exec(compile(changed, file, "exec"), vars(module))


if __name__ == "__main__":
    find_files(Path(sys.argv[1]))
    for one in json.loads(sys.argv[2]):
        add_line(*one)
    from vivid_assets.cli.main import app

    app(sys.argv[3:])
