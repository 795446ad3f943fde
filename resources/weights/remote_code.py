"""What a folder with a model's own Python code needs, read from the code and not run: files beside it, packages."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path


def absent_files(folder: Path) -> list[str]:
    """The Python files that ``config.json`` and the code name and that are not in ``folder``."""
    return sorted(name for name in _files(folder) if not (folder / name).is_file())


def packages(folder: Path) -> list[str]:
    """The modules that the code imports from elsewhere than Python itself, by their first names."""
    found: set[str] = set()
    for name in _files(folder):
        for node in _imports(folder / name):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return sorted(found - sys.stdlib_module_names)


def _files(folder: Path) -> set[str]:
    """The Python files that are needed, there or not: those of ``auto_map``, and what they import beside them."""
    waiting = _named(folder / "config.json")
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for node in _imports(folder / name):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                modules = [node.module] if node.module else [alias.name for alias in node.names]
                waiting += [f"{module.replace('.', '/')}.py" for module in modules]
    return found


def _named(config: Path) -> list[str]:
    try:
        auto_map = json.loads(config.read_text(encoding="utf-8")).get("auto_map", {})
        classes = [auto_map[key] for key in ("AutoConfig", "AutoModelForImageSegmentation") if key in auto_map]
        return [f"{name.rpartition('.')[0]}.py" for name in classes]
    except (OSError, ValueError, AttributeError, TypeError):
        return []  # what is wrong with it is said where it is loaded


def _imports(file: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run whenever the file is imported; those in ``try`` may fail, so they are left out."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    yield from (node for node in body if isinstance(node, (ast.Import, ast.ImportFrom)))
