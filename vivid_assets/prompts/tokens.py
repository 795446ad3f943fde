"""What CLIP's text encoders see of a prompt: 77 tokens, two of which are the start and the end.

The vocabulary is the file that open_clip carries; the tokenizer is built as ``transformers.CLIPTokenizer`` builds it
for SDXL's two text encoders. Neither package is imported (seconds); ``tokenizers`` alone takes milliseconds.
"""

import gzip
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

CONTEXT_LENGTH = 77
"""Tokens that the encoder takes, start and end included."""

READ_LIMIT = 16_384
"""Characters of a prompt that are read at all: far beyond what 77 tokens can hold, so that time is bounded."""

_START, _END = "<|startoftext|>", "<|endoftext|>"
_MERGES = 49152 - 256 - 2
"""Open_clip's SimpleTokenizer reads this many; the file holds more."""
_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""OpenAI's."""


@dataclass(frozen=True)
class Reading:
    """What the text encoder reads of a text.

    Attributes:
        tokens: Tokens of the text with start and end, before any cut; for a text above ``READ_LIMIT`` characters a
            lower bound.
        seen_characters: The text's first characters that the encoder sees.
    """

    tokens: int
    seen_characters: int

    @property
    def fits(self) -> bool:
        """Whether nothing is cut."""
        return self.tokens <= CONTEXT_LENGTH


def read(text: str) -> Reading:
    """Tokenise ``text`` as SDXL does and say how much of it is seen.

    Raises:
        FileNotFoundError: open_clip is not installed or carries no vocabulary.
    """
    head = text[:READ_LIMIT]
    encoding = _tokenizer().encode(head, add_special_tokens=False)
    tokens = len(encoding.ids) + 2
    if tokens <= CONTEXT_LENGTH:
        return Reading(tokens, len(head))
    first_unseen = encoding.offsets[CONTEXT_LENGTH - 2][0]
    return Reading(tokens, first_unseen)


def unseen_words(text: str) -> list[str]:
    """The words of ``text`` that the encoder does not see, or sees only in part, in their order."""
    reading = read(text)
    if reading.seen_characters >= len(text):
        return []
    start = text.rfind(" ", 0, reading.seen_characters + 1) + 1
    return text[start:].split()


def token_ids(text: str) -> list[int]:
    """CLIP's token ids of ``text``, uncut, without start and end."""
    return list(_tokenizer().encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    lines = gzip.decompress(_vocabulary_file().read_bytes()).decode("utf-8").split("\n")
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : _MERGES + 1])]
    # The order of the single bytes is part of the vocabulary: printable ones by code point, then the rest.
    letters = _byte_letters()
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(pair) for pair in merges),
        _START,
        _END,
    ]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={word: number for number, word in enumerate(words)},
            merges=merges,
            end_of_word_suffix="</w>",
            unk_token=_END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), behavior="removed", invert=True),
            ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer


def _byte_letters() -> list[str]:
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(others)]


def _vocabulary_file() -> Path:
    spec = importlib.util.find_spec("open_clip")  # finds the folder without running the package
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / "bpe_simple_vocab_16e6.txt.gz"
        if file.is_file():
            return file
    raise FileNotFoundError("CLIP's vocabulary is missing: install open_clip_torch, which carries it")
