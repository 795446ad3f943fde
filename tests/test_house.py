"""The house's measures: short functions, few positions, rooms that one can look around in."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import partitions
import resources
import vivid_assets
from vivid_assets.flow import PER_RENDITION
from vivid_assets.stages.stage import all_stages

PACKAGE = Path(vivid_assets.__file__).parent
PACKAGES = [Path(str(package.__file__)).parent for package in (vivid_assets, resources, partitions)]
IMAGING = PACKAGE / "imaging"
ROOMS = {"core", "io", "analysis", "matte", "blend", "backdrop", "clips", "plate"}

CONTEXT = re.compile(r"\bbuild_[a-z]+_context\(")

MOST_LINES, MOST_POSITIONS, MOST_MODULES = 60, 8, 20


def functions(folder: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a folder, with its place."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def test_no_function_of_imaging_is_longer_than_a_screen() -> None:
    lines = {place: node.end_lineno - node.lineno + 1 for place, node in functions(IMAGING) if node.end_lineno}
    assert len(lines) > 300
    assert {place: count for place, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_of_imaging_has_more_positions_than_a_reader_can_count() -> None:
    positions = {place: len(node.args.posonlyargs) + len(node.args.args) for place, node in functions(IMAGING)}
    assert {place: count for place, count in positions.items() if count > MOST_POSITIONS} == {}


def test_no_folder_has_more_modules_than_one_can_look_over() -> None:
    modules = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert {str(folder): count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_the_nearest_pixel_is_the_nearest() -> None:
    """OpenCV's ``INTER_NEAREST`` takes the one before it: a mirrored picture would give others."""
    assert [str(path) for path in IMAGING.rglob("*.py") if re.search(r"INTER_NEAREST\b", path.read_text())] == []


COUNTED = re.compile(
    r" (?:more |new )?(?:shard|picture|file|frame|run|row|scene|clip|catalogue|composite|mask|line|table|result)"
    r"s\b(?!/| no\b| Python\b)"  # a model runs
)


def test_messages_count_things_by_the_function_that_knows_one_from_many() -> None:
    """A number before a plural in a message says "1 shards" one day; ``counted`` does not."""
    modules = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
    logged = re.compile(COUNTED.pattern.replace(" ", "%d ", 1))
    assert [path.name for path in modules if logged.search(path.read_text())] == []
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno}{after.value}"
        for path in modules
        if IMAGING not in path.parents
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        for before, after in pairwise(node.values)
        if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant) and COUNTED.match(after.value)
        if not (isinstance(before.value, ast.Name) and before.value.id.isupper())  # a constant, and many
    ]
    assert found == []


def test_every_module_of_imaging_lies_in_a_room() -> None:
    outside = [
        str(path.relative_to(IMAGING))
        for path in IMAGING.rglob("*.py")
        if path != IMAGING / "__init__.py" and path.relative_to(IMAGING).parts[0] not in ROOMS
    ]
    assert outside == []
    assert {path.name for path in IMAGING.iterdir() if path.is_dir() and path.name != "__pycache__"} == ROOMS


def test_the_list_of_what_has_a_row_per_rendition_is_what_the_stages_say():
    assert {stage.name for stage in all_stages() if stage.per_rendition} == PER_RENDITION


def test_what_dagster_opens_for_a_test_is_closed_with_it() -> None:
    """A context left to the garbage collector makes the instance of a test that has long ended the current one."""
    opened, closed = set(), set()
    for path in Path(__file__).parent.rglob("*.py"):
        if not CONTEXT.search(text := path.read_text(encoding="utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.With):
                closed |= {(path.name, item.context_expr.lineno) for item in node.items}
            if isinstance(node, ast.Call) and CONTEXT.search(ast.unparse(node.func) + "("):
                opened.add((path.name, node.lineno))
    assert len(opened) > 5
    assert opened - closed == set()
