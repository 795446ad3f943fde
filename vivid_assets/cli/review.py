"""``vivid review``: people's judgements of masks, and how good the estimates were."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store

# Imported by the command itself, so that help is shown at once.
if TYPE_CHECKING:
    from upath import UPath

    from resources.store.store import Store
    from vivid_assets.catalogue.source import Catalogue
    from vivid_assets.review.judgements import Label

review_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Use people's judgements of masks: how good the estimates were, and which threshold fits a catalogue.",
)


@review_app.callback()
def _review() -> None:
    """Keep ``calibrate`` a command by name."""


@review_app.command()
def calibrate(
    name: Annotated[
        str, typer.Argument(help="The catalogue's name, as given to `vivid catalogue add`.", show_default=False)
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV files that the review page saved.", show_default=False)
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Compare people's judgements with the estimates, and fit the catalogue's threshold. Changes no setting.

    Judgements are lines of a CSV file: `picture`, `judgement` (right or wrong) and `right`, the estimate that the page
    showed. They are read from `judgements.csv` in the catalogue's folder and from the given files, and stored.

    Example: `vivid review calibrate spring spring-00000-judged.csv`
    """
    from vivid_assets.catalogue.source import find
    from vivid_assets.review.judgements import LEAST_LABELS, calibration, keep

    opened = open_store(store, to_write=True)
    catalogue = find(opened, name)
    labels = keep(opened, name, _read(opened, catalogue, files or []))
    if not labels:
        raise ValueError(
            f"There are no judgements of {name}'s masks: flag and accept pictures on the review page, choose Save CSV, "
            "and give the file here, or save it as judgements.csv in the catalogue's folder."
        )
    found = calibration(labels)
    say(f"Judged masks of {name}: {found.labels}, of which {found.wrong} wrong.")
    table = Table("estimate", "masks", "right")
    for mean, share, count in found.bins:
        table.add_row(f"{mean:.0%}", str(count), f"{share:.0%}")
    console.print(table)
    say(f"Expected by the estimates: {found.expected_wrong:.1f} wrong. Calibration error: {found.error:.3f}.")
    for share, part in found.found.items():
        say(f"The {share:.0%} least sure masks contain {part:.0%} of the wrong ones.")
    if found.min_right is None:
        say(f"Fitting a threshold needs at least {LEAST_LABELS} judgements.")
        return
    say(
        f"A mask of this catalogue is as probably wrong as right at an estimate of {found.min_right:.2f}. "
        "To list masks below it for review, add to its catalogue.toml, and scan:"
    )
    say(f"\n[masks.thresholds]\nmin_right = {found.min_right:.2f}")


def _read(store: "Store", catalogue: "Catalogue", files: list[Path]) -> "list[Label]":
    from vivid_assets.review.judgements import JUDGEMENTS, LARGEST_FILE, read_judgements

    dropped = [catalogue.root / name for name in catalogue.top_files(JUDGEMENTS) if catalogue.holds(name)]
    labels: list[Label] = []
    estimates = _estimates(store, catalogue.name)
    paths: list[UPath | Path] = [*dropped, *files]
    for path in paths:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} is too large to be a list of judgements.")
        labels += read_judgements(path.read_bytes(), estimates, where=str(path))
    return labels


def _estimates(store: "Store", name: str) -> dict[str, float]:
    """The current estimates of the catalogue's masks, by picture."""
    from vivid_assets.assets.masks import MASKS
    from vivid_assets.catalogue.ledger import shards_of
    from vivid_assets.rows.tables import read_rows

    rows = (row for shard in shards_of(store, name) for row in read_rows(store, MASKS, shard).values())
    return {row["picture"]: row["right"] for row in rows if row["right"] is not None}
