"""The card of an exported dataset: its README, which is also what `datasets` reads the layout from."""

from importlib.resources import files

from vivid_assets.export.columns import all_columns
from vivid_assets.export.part import schema
from vivid_assets.rows.stage import OK

_BESIDES = {
    "status": f"`{OK}`, `failed` or `to do`",
    "error": "why there is no composite: an error message",
    "models": "revisions of the models that made the row, as JSON by stage",
    "shard": "the Dagster partition",
}


def meanings_of_dataset() -> dict[str, str]:
    """What the dataset's columns mean, by name."""
    return _BESIDES | {column.name: column.meaning for column in all_columns()}


def dataset_card(catalogue: str) -> bytes:
    """The card of a catalogue's dataset. It depends on nothing else, so any shard's export may write it."""
    meanings = meanings_of_dataset()
    lines = [f"| `{field.name}` | {field.type} | {meanings[field.name]} |" for field in schema()]
    template = files("vivid_assets.export").joinpath("card.md").read_text(encoding="utf-8")
    return template.format(catalogue=catalogue, columns="\n".join(lines)).encode()
