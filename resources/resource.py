"""What all resources are: settings, checked when they are made, with the methods that need them.

Nothing here knows of Dagster, whose import takes two seconds: the command line uses resources without it, and
``vivid_assets.definitions`` gives them to Dagster.
"""

from pydantic import BaseModel, ConfigDict


class Resource(BaseModel):
    """Immutable, and closed to names that do not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")
