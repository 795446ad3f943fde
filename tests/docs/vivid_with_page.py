"""``vivid`` in a process to which the files of docs/extending.md in FOLDER were added, and the line of its stage."""

import importlib.util
import re
import sys
from pathlib import Path

import vivid_assets.flow


def add(folder: Path, line: str, after: str) -> None:
    """Let Python find the page's modules beside the package's own, and the list of stages have its ``line``."""
    for room in (folder / "vivid_assets").iterdir():
        package = importlib.import_module(f"vivid_assets.{room.name}")
        package.__path__.append(str(room))
    source = Path(str(vivid_assets.flow.__file__)).read_text(encoding="utf-8")
    changed = re.sub(rf"^    {after},\n", rf"\g<0>{line}", source, flags=re.MULTILINE)
    assert changed != source
    exec(compile(changed, "flow.py", "exec"), vars(vivid_assets.flow))


if __name__ == "__main__":
    add(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    from vivid_assets.cli.main import app

    app(sys.argv[4:])
