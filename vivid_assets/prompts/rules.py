"""Which words a prompt gets, and why: one function per rule, each giving its proposals in order of worth."""

import re
from dataclasses import dataclass

from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.prompts import vocabulary as v

_WORD = re.compile(r"\w+(?:['’-]\w+)*|[,.;:!?]")


@dataclass(frozen=True)
class Proposal:
    """Words that a rule would add: ``reason`` says why, ``objection`` why they are left out all the same, or is ""."""

    words: str
    reason: str
    objection: str = ""


class Said:
    """What a text says, for looking words up in: its words without case, those it refuses (“no people”) apart."""

    def __init__(self, text: str) -> None:
        self.sequence = [match.group().casefold() for match in _WORD.finditer(text)]
        self.text = " ".join(word for word in self.sequence if word[0] not in ",.;:!?")
        self.words = frozenset(word for i, word in enumerate(self.sequence) if not _is_negated(self.sequence, i))
        self.refused = frozenset(self.sequence) - self.words

    def names(self, words: str) -> str:
        """The word of this text that says ``words``, in whatever form; "" when none does.

        A phrase is said when its words stand there one after another, or when a synonym of it does.
        """
        padded = f" {self.text} "
        for form in _forms(words):
            if " " in form and f" {form} " in padded:
                return form
            if form in self.words:
                return form
        return next((s for s in sorted(v.MEANS.get(words, ())) if _forms(s) & self.words), "")

    def refuses(self, words: str) -> str:
        """The word by which this text says that it does not want ``words``; "" when it does not."""
        return next(iter(sorted(_forms(words) & self.refused)), "")

    def any_of(self, words: frozenset[str]) -> str:
        """The first of this text's words that is among ``words``; "" when none is."""
        return next((word for word in self.sequence if word in words and word in self.words), "")

    @property
    def light(self) -> str:
        """The word that names a time of day or a light; "" when none does."""
        for phrase in v.LIGHT_PHRASES:
            if f" {phrase} " in f" {self.text.replace('-', ' ')} ":
                return phrase
        following = [*self.sequence[1:], ""][: len(self.sequence)]
        for word, after in zip(self.sequence, following, strict=True):
            parts = {word, *word.split("-")}
            if parts & v.LIGHT_WORDS and word in self.words and not (word == "light" and after in v.PALE_THINGS):
                return word
        return ""


def lighting(said: Said, temperature: Temperature | None, tone: Tone | None, readable: bool) -> list[Proposal]:
    """Light that suits the subject's own; objected to when the prompt has named its light."""
    if temperature is None or tone is None:
        return []
    reason = f"the subject is lit {temperature} and {tone}"
    named, indoors = said.light, said.any_of(v.INDOORS)
    proposals = []
    for phrase in v.LIGHTING[temperature, tone]:
        objection = ""
        if named:
            objection = f"the prompt names its own light or time of day: “{named}”"
        elif not readable:
            objection = "the prompt is in a script these rules cannot read, so it may name its own light"
        elif indoors and phrase in v.OUTDOORS:
            objection = f"the prompt is set indoors: “{indoors}”"
        proposals.append(Proposal(phrase, reason, objection))
    return proposals


def atmosphere(subject_type: str | None) -> list[Proposal]:
    """Atmosphere words for the subject's type; none when it is unknown or not in the vocabulary."""
    return [
        Proposal(phrase, f"the subject is of type “{subject_type}”")
        for phrase in v.ATMOSPHERE.get(subject_type or "", ())
    ]


def quality(said: Said, line_art: bool) -> list[Proposal]:
    """Quality words; “photorealistic” only where a photograph is wanted."""
    drawn = said.any_of(v.DRAWN)
    objection = ""
    if line_art:
        objection = "the subject is line art"
    elif drawn:
        objection = f"the prompt asks for a drawing: “{drawn}”"
    general = [Proposal(phrase, "quality words for every picture") for phrase in v.QUALITY]
    return [*general, Proposal(v.PHOTOGRAPH, "quality word for a photographed subject", objection)]


def negative(said: Said, line_art: bool) -> list[Proposal]:
    """What a background shall not show; never what the prompt asks for."""
    proposals = []
    for phrase in v.NEGATIVE:
        asked = said.names(phrase)
        objection = f"the prompt asks for it: “{asked}”" if asked else ""
        if phrase == "cartoons" and line_art and not objection:
            objection = "the subject is line art, so a drawn background suits it"
        proposals.append(Proposal(phrase, "default of every background", objection))
    return proposals


def _is_negated(sequence: list[str], index: int) -> bool:
    """“no people”, “without any people”: a negation one or two words before, in the same clause."""
    for word in reversed(sequence[max(0, index - 2) : index]):
        if word in v.NEGATIONS:
            return True
        if word in v.CLAUSE_ENDS:
            return False
    return False


def _forms(words: str) -> frozenset[str]:
    """A word with its plain singular and plural."""
    stem = words[:-1] if words.endswith("s") and not words.endswith("ss") else words
    return frozenset({words, stem, f"{stem}s"})
