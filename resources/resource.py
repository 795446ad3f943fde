"""What all resources are: settings, checked when they are made, with the methods that need them.

Nothing here knows of Dagster, whose import takes two seconds: the command line uses resources without it, and
``vivid_assets.definitions`` gives them to Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from resources.weights.hub import Weights


class Taste(BaseModel):
    """What a catalogue may set of a resource: closed to names that do not exist, and to what is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Resource(BaseModel):
    """Immutable, and closed to names that do not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    for_catalogues: ClassVar[type[BaseModel] | None] = None
    """What of the settings a catalogue may set for itself: taste alone, since its folder may be a stranger's."""


class Model(Resource):
    """A model that the pipeline can do without, by its settings: how it is found, fetched and described.

    Its fields are its settings: the entries of the table in ``vivid.toml`` that has its name.
    """

    title: ClassVar[str] = ""
    """What it is called in messages, where that is not its name in the settings."""
    purpose: ClassVar[str] = ""
    """What it is for, in a few words, for ``vivid models list``."""
    licence: ClassVar[str] = ""
    """That of its weights."""
    is_fetched_whole: ClassVar[bool] = False
    """Whether ``pull`` alone knows what to fetch, and ``weights`` does not name every file."""

    def of_model(self, model: str) -> Self:
        """The same for another model, which a name has after a colon, as in ``rembg:silueta``.

        Raises:
            ValueError: it knows no such model, or none but its own.
        """
        raise ValueError(f"It takes no model after a colon, such as {model!r}.")

    @classmethod
    def models(cls) -> Sequence[str]:
        """What may stand after the colon, where there is a list of it."""
        return ()

    @classmethod
    def brings_weights(cls) -> bool:
        """Whether it has anything to fetch, whatever the settings are."""
        return any(getattr(cls, name) is not getattr(Model, name) for name in ("weights", "fetched", "pull"))

    def missing(self) -> str | None:
        """What it lacks here (weights, packages), in a sentence that says what to do; None when it can be loaded.

        Loads nothing, and imports no large library.
        """
        return None

    def weights(self) -> Sequence[Weights]:
        """The files on the hub, or in folders, that the settings need.

        Raises:
            ModelUnavailable: the settings name none.
        """
        return ()

    def fetched(self) -> Sequence[Weights | str]:
        """What ``vivid models pull`` fetches for these settings: files on the hub, or names that it knows."""
        return self.weights()

    def memory(self) -> int | None:
        """Bytes of a GPU's memory that it takes for one picture, about; None where that is not known."""
        return None

    def refusal(self) -> str | None:
        """Why nothing is fetched although the settings ask for the model, in a sentence: consent that is not given."""
        return None

    def demand_packages(self) -> None:
        """See that what the settings need besides weights is installed. Raises ModelUnavailable."""

    def prepare(self) -> None:
        """Do once, after the weights have come, what the first run would have to, such as a conversion."""

    def pull(self) -> Sequence[Path]:
        """Fetch the weights, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached.
        """
        return [files.folder(download=True) for files in self.weights()]
