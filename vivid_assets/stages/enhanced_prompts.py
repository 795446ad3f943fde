"""Prompts: the user's words first, and what the picture's light and subject suggest after them."""

from collections.abc import Sequence
from dataclasses import dataclass

from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.prompts.enhance import AddedWords, enhance
from vivid_assets.rows.columns import Int32
from vivid_assets.rows.stage import RowInput
from vivid_assets.stages.analysis import UNAVAILABLE
from vivid_assets.stages.stage import EachPicture


@dataclass(frozen=True)
class PromptRow:
    """The prompt and negative prompt for a picture's background."""

    prompt: str
    negative_prompt: str
    user_prompt: str
    user_negative_prompt: str
    added: Sequence[AddedWords]
    """Words that a rule added, and why."""
    left_out: Sequence[AddedWords]
    """Words that a rule would have added, and why it did not."""
    negative_added: Sequence[AddedWords]
    """Words that a rule added to the negative prompt, and why."""
    negative_left_out: Sequence[AddedWords]
    """Words that a rule would have added to it, and why it did not."""
    tokens: Int32
    """CLIP's tokens of the prompt, of 77."""
    negative_tokens: Int32
    """Those of the negative prompt."""
    warnings: Sequence[str]
    """What CLIP will not read, or other models read otherwise, in words."""


@dataclass(frozen=True)
class AskedWords:
    """The user's words, as the ledger has them."""

    prompt: str
    negative_prompt: str


@dataclass(frozen=True)
class Found:
    """What the analysis found that a prompt should say."""

    subject_type: str
    temperature: Temperature
    tone: Tone
    line_art: bool


class EnhancePrompts(EachPicture[PromptRow]):
    """The words of each picture's background, by rule."""

    def make(self, row: RowInput) -> PromptRow:
        asked, found = row.read(AskedWords), row.read(Found)
        enhanced = enhance(
            asked.prompt,
            asked.negative_prompt,
            subject_type=None if found.subject_type in (UNAVAILABLE, "unknown") else found.subject_type,
            temperature=found.temperature,
            tone=found.tone,
            line_art=found.line_art,
        )
        return PromptRow(
            prompt=enhanced.prompt,
            negative_prompt=enhanced.negative_prompt,
            user_prompt=enhanced.user_prompt,
            user_negative_prompt=enhanced.user_negative_prompt,
            added=enhanced.added,
            left_out=enhanced.left_out,
            negative_added=enhanced.negative_added,
            negative_left_out=enhanced.negative_left_out,
            tokens=enhanced.tokens,
            negative_tokens=enhanced.negative_tokens,
            warnings=enhanced.warnings,
        )
