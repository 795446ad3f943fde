"""What can be said of light in a word."""

from typing import Literal

Temperature = Literal["warm", "neutral", "cool"]
"""Of light's colour."""
Tone = Literal["bright", "dark"]
"""Of what it falls on."""
