"""``vivid review``: people's judgements of masks, and how good the estimates were."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from resources.spelling import counted
from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store, settings_file

# Imported by the command itself, so that help is shown at once.
if TYPE_CHECKING:
    from upath import UPath

    from resources.store.store import Store
    from vivid_assets.catalogue.source import Catalogue
    from vivid_assets.review.judgements import Label, Present

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
    showed. They are read from `judgements.csv` in the catalogue's folder and from the given files, and stored. Those of
    masks that the catalogue has now count; the others are left out, and counted.

    Example: `vivid review calibrate spring spring-00000-judged.csv`
    """
    from vivid_assets.catalogue.source import find
    from vivid_assets.review.judgements import LEAST_LABELS, calibration, keep, of_present

    opened = open_store(store, to_write=True)
    catalogue = find(opened, name)
    labels = keep(opened, name, _read(catalogue, files or []))
    if not labels:
        raise ValueError(
            f"There are no judgements of {name}'s masks: flag and accept pictures on the review page, choose Save CSV, "
            "and give the file here, or save it as judgements.csv in the catalogue's folder."
        )
    estimates, stale = _present_masks(opened, name)
    present = of_present(labels, estimates, stale or set())
    left_out = _left_out(present, name)
    if stale is None:
        left_out.append(
            "Whether masks are out of date could not be told here: a model that the settings ask for is not on this "
            "machine. Judgements of masks that are count, too."
        )
    if not present.labels:
        raise ValueError(f"No judgement is of a mask that {name} has now. {' '.join(left_out)}")
    found = calibration(present.labels)
    say(f"Judged masks of {name}: {found.labels}, of which {found.wrong} wrong.")
    for sentence in left_out:
        say(sentence)
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


def _read(catalogue: "Catalogue", files: list[Path]) -> "list[Label]":
    from vivid_assets.review.judgements import JUDGEMENTS, LARGEST_FILE, read_judgements

    dropped = [catalogue.root / name for name in catalogue.top_files(JUDGEMENTS) if catalogue.holds(name)]
    labels: list[Label] = []
    paths: list[UPath | Path] = [*dropped, *files]
    for path in paths:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} is too large to be a list of judgements.")
        labels += read_judgements(path.read_bytes(), where=str(path))
    return labels


def _present_masks(store: "Store", name: str) -> tuple[dict[str, float | None], set[str] | None]:
    """The estimates of the catalogue's masks, by picture, and the pictures whose masks the next run makes anew.

    None for the latter where that cannot be known.
    """
    from vivid_assets.assets.masks import MASKS
    from vivid_assets.catalogue.ledger import live_pictures, shards_of
    from vivid_assets.catalogue.scan import catalogue_settings
    from vivid_assets.rows.tables import read_columns
    from vivid_assets.stages.out_of_date import made_otherwise

    shards = shards_of(store, name)
    others = made_otherwise(store, MASKS, shards, settings_file(store).read(catalogue_settings(store, name)))
    estimates: dict[str, float | None] = {}
    stale: set[str] = set()
    for shard in shards:
        live = {one["picture"] for one in live_pictures(store, shard)}
        found = {row["picture"]: row["right"] for row in read_columns(store, MASKS, shard, ["right"])}
        estimates |= {picture: right for picture, right in found.items() if picture in live}
        stale |= live if others and shard in others else set()
    return estimates, None if others is None else stale


def _left_out(present: "Present", name: str) -> list[str]:
    """A sentence for each reason for which judgements do not count."""
    reasons = {
        "of masks that were made or estimated anew since. Judge these pictures again.": present.remade,
        "of masks that are out of date. Have them made first: "
        f"vivid catalogue run {name}, or the job update.": present.stale,
        "of pictures that are gone, or whose masks have no estimate.": present.gone,
    }
    return [f"Left out: {counted(count, 'judgement')} {reason}" for reason, count in reasons.items() if count]
