"""The models' speed and memory against the plain use of each library.

    python benchmarks/models.py                        # full-size architectures, random weights
    python benchmarks/models.py --tiny --device cpu    # seconds: proves that it runs
    python benchmarks/models.py --wheels wheels/       # on a machine with PyTorch alone, see carry.py

Random weights cost the same time and memory as trained ones. BiRefNet's code is not ours to carry: give the
folder of its repository (config.json and the two Python files) with ``--birefnet``; without it that part is
left out, and the table says so. Writes a Markdown table to stdout and, with ``--output``, into a file.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.carry import unpack
from benchmarks.model_parts import PARTS
from benchmarks.timing import Row, device_of

MODELS = {"sdxl": "SDXL", "birefnet": "BiRefNet", "clip": "OpenCLIP"}


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    options = _options(arguments)
    if options.wheels:
        unpack(options.wheels)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            try:
                rows += PARTS[name](options, Path(folder))
            except ModuleNotFoundError as error:
                rows.append(Row(MODELS[name], "not run", float("nan"), float("nan"), None, f"no module {error.name}"))
    text = table(rows, options)
    print(text)
    if options.output:
        options.output.write_text(text)
    return rows


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """A Markdown table; the plain way of each model is 1.00 times itself."""
    import torch

    cuda = device_of(options).startswith("cuda")
    where = torch.cuda.get_device_name(0) if cuda else "CPU"
    size = "tiny architectures: figures without meaning," if options.tiny else "full-size architectures,"
    lines = [
        f"{where}, PyTorch {torch.__version__}, {size} random weights; SDXL at {options.steps} steps.",
        "",
        "| model | way | pictures a second | times the plain way | first picture, s | peak memory, GiB | |",
        "|---|---|---|---|---|---|---|",
    ]
    plain: dict[str, float] = {}
    for row in rows:
        against = row.per_second / plain.setdefault(row.model, row.per_second)
        peak = "–" if row.peak_gib is None else f"{row.peak_gib:.1f}"
        figures = [f"{value:.2f}" if value == value else "–" for value in (row.per_second, against, row.first_s)]
        lines.append(f"| {row.model} | {row.way} | {' | '.join(figures)} | {peak} | {row.note} |")
    return "\n".join(lines) + "\n"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="tiny architectures, to prove that it runs")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--pictures", type=int, default=16, help="SDXL and BiRefNet; CLIP gets eight times as many")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--compile", nargs="+", choices=["off", "blocks", "whole"], default=["off", "blocks"])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--birefnet", type=Path, help="folder of BiRefNet's repository; weights are made if missing")
    parser.add_argument("--wheels", type=Path, help="wheels to import from, see carry.py")
    parser.add_argument("--output", type=Path, help="write the table there too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
