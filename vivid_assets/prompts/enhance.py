"""A row's prompt and negative prompt from the user's words and what the analysis found.

The user's words stand first and whole. Words are added by rule as long as CLIP's text encoder still sees them; every
word added, and every word that a rule would have added but did not, carries its reason.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.prompts import rules, tokens, vocabulary

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
_UNSEEN_LISTED = 20
"""Words that a warning lists."""


@dataclass(frozen=True)
class AddedWords:
    """Words beyond the user's: a phrase and the reason why it stands there, or does not."""

    words: str
    reason: str


@dataclass(frozen=True)
class EnhancedPrompt:
    """A background's prompt.

    Attributes:
        prompt: The user's words, then the added ones, comma-separated; what the generator is given.
        negative_prompt: The same for what the background shall not show.
        user_prompt, user_negative_prompt: The user's words as they were read: control characters and runs of white
            space are single spaces. ``prompt`` starts with ``user_prompt``, ``negative_prompt`` likewise.
        added, negative_added: The words added, in their order, each with its reason.
        left_out, negative_left_out: Words that a rule proposed and that were not added, each with the reason.
        tokens, negative_tokens: CLIP tokens of the two prompts, start and end included, at most 77 of which are seen.
        warnings: Sentences for the row: what the user may want to know or change.
    """

    prompt: str
    negative_prompt: str
    user_prompt: str
    user_negative_prompt: str
    added: tuple[AddedWords, ...]
    left_out: tuple[AddedWords, ...]
    negative_added: tuple[AddedWords, ...]
    negative_left_out: tuple[AddedWords, ...]
    tokens: int
    negative_tokens: int
    warnings: tuple[str, ...]


def enhance(
    prompt: str,
    negative_prompt: str = "",
    *,
    subject_type: str | None = None,
    temperature: Temperature | None = None,
    tone: Tone | None = None,
    line_art: bool = False,
) -> EnhancedPrompt:
    """Add lighting, atmosphere and quality words to a prompt, and the default ones to a negative prompt.

    Args:
        prompt: The user's words for the background; any length, any language, may be empty.
        negative_prompt: The user's words for what it shall not show; never contradicted, never shortened.
        subject_type: person, animal, object, nature or building; None (or another word) when it is not known.
        temperature: The light on the subject, as ``imaging.core.light`` words it; None when it was not measured.
        tone: Likewise bright or dark.
        line_art: Whether the subject is a drawing.

    Raises:
        FileNotFoundError: CLIP's vocabulary is not installed.
    """
    user, user_negative = clean(prompt), clean(negative_prompt)
    said, said_negative = _said(user), _said(user_negative)
    warnings = _warnings(user, subject_type)
    proposals = [
        *rules.lighting(said, temperature, tone, _readable(user)),
        *rules.atmosphere(subject_type),
        *rules.quality(said, line_art),
    ]
    if not user:
        proposals.insert(0, rules.Proposal(vocabulary.EMPTY_PROMPT, "the prompt is empty"))
    whole, added, left_out = _extend(user, said, said_negative, proposals)
    whole_negative, negative_added, negative_left_out = _extend(
        user_negative, said_negative, rules.Said(""), rules.negative(said, line_art)
    )
    warnings += _unseen_warning("prompt", tokens.unseen_words(user))
    warnings += _unseen_warning("negative prompt", tokens.unseen_words(user_negative))
    return EnhancedPrompt(
        prompt=whole,
        negative_prompt=whole_negative,
        user_prompt=user,
        user_negative_prompt=user_negative,
        added=added,
        left_out=left_out,
        negative_added=negative_added,
        negative_left_out=negative_left_out,
        tokens=tokens.read(whole).tokens,
        negative_tokens=tokens.read(whole_negative).tokens,
        warnings=tuple(warnings),
    )


def _warnings(user: str, subject_type: str | None) -> list[str]:
    """What the user may want to know of a prompt, before words are added to it."""
    warnings = []
    if not user:
        warnings.append("The prompt is empty: the background is described by rules alone.")
    if subject_type not in vocabulary.ATMOSPHERE:
        warnings.append(
            "No atmosphere words: the subject type is unknown."
            if subject_type is None
            else f"No atmosphere words: there are none for the subject type “{subject_type}”."
        )
    if user and not _readable(user):
        warnings.append(
            "The prompt is not in Latin script: CLIP was trained on English and may understand little of it."
        )
    return warnings


def clean(text: str) -> str:
    """The user's words as text: NFC, control characters and white space as single spaces, none at the ends."""
    return unicodedata.normalize("NFC", " ".join(_CONTROL.sub(" ", text).split()))


def _extend(
    text: str, said: rules.Said, unwanted: rules.Said, proposals: list[rules.Proposal]
) -> tuple[str, tuple[AddedWords, ...], tuple[AddedWords, ...]]:
    """Append the proposals that nothing speaks against, in order of worth, until the encoder's limit."""
    added: list[AddedWords] = []
    left_out: list[AddedWords] = []
    full = False
    for proposal in proposals:
        checked = _with_objection(proposal, said, unwanted, added)
        if not checked.objection:
            longer = text + _separator(text) + checked.words
            full = full or not tokens.read(longer).fits
            if not full:
                text = longer
                added.append(AddedWords(checked.words, checked.reason))
                continue
            checked = replace(checked, objection=f"no room within the {tokens.CONTEXT_LENGTH} tokens of CLIP")
        left_out.append(AddedWords(checked.words, checked.objection))
    return text, tuple(added), tuple(left_out)


def _with_objection(
    proposal: rules.Proposal, said: rules.Said, unwanted: rules.Said, added: list[AddedWords]
) -> rules.Proposal:
    if proposal.objection:
        return proposal
    if already := said.names(proposal.words):
        return replace(proposal, objection=f"already said: “{already}”")
    if refused := said.refuses(proposal.words):
        return replace(proposal, objection=f"the prompt refuses it: “{refused}”")
    if refused := unwanted.names(proposal.words):
        return replace(proposal, objection=f"the negative prompt refuses it: “{refused}”")
    if proposal.words in {other.words for other in added}:
        return replace(proposal, objection="already added")
    return proposal


def _separator(text: str) -> str:
    if not text:
        return ""
    return " " if text[-1] in ",;.!?:。、" else ", "


def _said(text: str) -> rules.Said:
    return rules.Said(text[: tokens.READ_LIMIT])


def _readable(text: str) -> bool:
    """Whether the letters are mostly Latin, which the rules' word lists are in; a text without letters is."""
    letters = [c for c in text[: tokens.READ_LIMIT] if c.isalpha()]
    latin = sum(unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN")) for c in letters)
    return 2 * latin >= len(letters)


def _unseen_warning(which: str, unseen: list[str]) -> list[str]:
    if not unseen:
        return []
    listed = " ".join(unseen[:_UNSEEN_LISTED])[:400]
    more = "" if len(unseen) <= _UNSEEN_LISTED else f" … and {len(unseen) - _UNSEEN_LISTED} more"
    return [f"The {which} is longer than the text encoder reads; it will not see: {listed}{more}"]
