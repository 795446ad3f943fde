"""Where a scene's main light stands."""

from typing import Literal

KeyLight = Literal["left", "right", "above", "behind"]
