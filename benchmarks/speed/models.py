"""The models' speed and memory against the plain use of each library.

    python -m benchmarks.speed.models                        # full-size architectures, random weights
    python -m benchmarks.speed.models --tiny --device cpu    # two minutes: proves that it runs
    python -m benchmarks.speed.models --wheels wheels/       # on a machine with PyTorch alone, see carry.py

Random weights cost the same time and memory as trained ones. BiRefNet's code is not ours to carry: give the
folder of its repository (config.json and the two Python files) with ``--birefnet``; without it that part is
left out, and the table says so. Writes a Markdown table to stdout and, with ``--output``, into a file, each row as
it is measured. A row that fails says why, the others go on, and the command ends with 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.speed.carry import unpack
from benchmarks.speed.model_parts import PARTS
from benchmarks.speed.timing import Row, device_of, failure

MODELS = {"sdxl": "SDXL", "text_to_image": "Z-Image", "birefnet": "BiRefNet", "clip": "OpenCLIP"}


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    options = _options(arguments)
    if options.wheels:
        unpack(options.wheels)
    rows: list[Row] = []
    lines = _head(options)
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in _measured(options, Path(folder)):
            rows.append(row)
            lines.append(_line(row, rows))
            # At once: what is lost later costs nothing that was measured.
            print(lines[-1], flush=True)
            if options.output:
                options.output.write_text("\n".join(lines) + "\n")
    return rows


def _measured(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    for name in options.only:
        try:
            yield from PARTS[name](options, folder)
        except ModuleNotFoundError as error:
            yield Row(MODELS[name], "not run", float("nan"), float("nan"), None, f"no module {error.name}")
        except Exception as error:
            yield failure(MODELS[name], "could not be prepared", error)


def _head(options: argparse.Namespace) -> list[str]:
    """The Markdown table's beginning."""
    import torch

    cuda = device_of(options).startswith("cuda")
    where = torch.cuda.get_device_name(0) if cuda else "CPU"
    size = "tiny architectures: figures without meaning," if options.tiny else "full-size architectures,"
    return [
        f"{where}, PyTorch {torch.__version__}, {size} random weights; SDXL at {options.steps} steps.",
        "",
        "| model | way | pictures a second | times the plain way | first picture, s | peak memory, GiB | |",
        "|---|---|---|---|---|---|---|",
    ]


def _line(row: Row, rows: list[Row]) -> str:
    """A line of the table; the plain way of each model, its first row, is 1.00 times itself."""
    plain = next(one for one in rows if one.model == row.model)
    peak = "–" if row.peak_gib is None else f"{row.peak_gib:.1f}"
    values = (row.per_second, row.per_second / plain.per_second, row.first_s)
    figures = [f"{value:.2f}" if value == value else "–" for value in values]
    return f"| {row.model} | {row.way} | {' | '.join(figures)} | {peak} | {row.note} |"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="tiny architectures, to prove that it runs")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument(
        "--pictures", type=int, help="SDXL, Z-Image and BiRefNet, 16, or 4 tiny ones; CLIP eight times as many"
    )
    parser.add_argument("--batches", type=int, nargs="+", help="1 4 8, or 1 4 of tiny ones")
    parser.add_argument("--compile", nargs="+", choices=["off", "blocks", "whole"], help="off blocks, or off if tiny")
    parser.add_argument("--steps", type=int, help="25, or 2 of tiny ones")
    parser.add_argument("--birefnet", type=Path, help="folder of BiRefNet's repository; weights are made if missing")
    parser.add_argument("--wheels", type=Path, help="wheels to import from, see carry.py")
    parser.add_argument("--output", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    full = {"pictures": 16, "batches": [1, 4, 8], "compile": ["off", "blocks"], "steps": 25}
    tiny = {"pictures": 4, "batches": [1, 4], "compile": ["off"], "steps": 2}
    for name, value in (tiny if options.tiny else full).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(any(row.failed for row in main()))
