"""The code of docs/extending.md, as its reader would write it."""

import re
import tomllib
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/extending.md"


def blocks() -> dict[str, str]:
    """The page's blocks of code by what their first line says of where they go."""
    found = re.findall(
        r"^```(?:python|toml)\n# ([^\n]+)\n(.*?)^```", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(found)


def install_package(folder: Path) -> Path:
    """The page's package as an installer leaves it in ``folder``: its modules, and what it says of itself."""
    code = blocks()
    project = tomllib.loads(code["pyproject.toml"])["project"]
    groups = project["entry-points"]
    for value in (value for group in groups.values() for value in group.values()):
        module = value.partition(":")[0]
        (folder / f"{module}.py").write_text(code[f"{module}.py"], encoding="utf-8")
    about = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (about / "entry_points.txt").write_text("\n".join(lines))
    return about
