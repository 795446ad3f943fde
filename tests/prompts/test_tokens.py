import subprocess
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vivid_assets.prompts import tokens


def test_known_token_ids():
    assert tokens.token_ids("a photo of a cat") == [320, 1125, 539, 320, 2368]  # as in CLIP's own examples
    assert tokens.read("a photo of a cat").tokens == 7


def test_case_and_spaces_do_not_count():
    assert tokens.token_ids("A  Photo\n of a\tCAT") == tokens.token_ids("a photo of a cat")


def test_nothing_is_unseen_up_to_75_tokens_and_the_76th_word_is():
    assert tokens.unseen_words("cat " * 74 + "dog") == []
    assert tokens.unseen_words("cat " * 75 + "dog bird") == ["dog", "bird"]


def test_a_word_that_is_cut_in_its_middle_counts_as_unseen():
    long_word = "incomprehensibilitiesnesses"
    assert len(tokens.token_ids(long_word)) > 1
    assert tokens.unseen_words("cat " * 74 + long_word) == [long_word]


@given(st.text(max_size=600))
def test_what_is_seen_ends_where_the_unseen_words_begin(text):
    text = " ".join(text.split())
    unseen = tokens.unseen_words(text)
    words = text.split()
    assert words[len(words) - len(unseen) :] == unseen
    assert bool(unseen) == (not tokens.read(text).fits)
    seen = " ".join(words[: len(words) - len(unseen)])
    assert tokens.read(seen).fits


@pytest.mark.parametrize("text", ["a" * 1_000_000, "word " * 200_000, "é" * 500_000, " " * 1_000_000, "🙂" * 300_000])
def test_a_megabyte_is_read_within_bounds(text):
    reading = tokens.read(text)
    assert reading.seen_characters <= tokens.READ_LIMIT
    assert len(tokens.token_ids(text[: tokens.READ_LIMIT])) + 2 == reading.tokens


def test_neither_torch_nor_open_clip_is_imported():
    code = (
        "import sys; from vivid_assets.prompts import tokens; tokens.read('a cat');"
        "print({'torch', 'open_clip', 'transformers'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def open_clip_tokenizer():
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


@pytest.mark.slow
@settings(max_examples=300)
@given(
    text=st.text(st.characters(codec="latin-1", exclude_characters="&<>\xad", categories=["L", "N", "P", "S", "Zs"]))
)
def test_tokens_are_those_of_open_clip(open_clip_tokenizer, text):
    cleaned = open_clip_tokenizer.clean_fn(text)
    assume(open_clip_tokenizer.clean_fn(cleaned) == cleaned)  # open_clip repairs broken encodings, SDXL does not
    assert tokens.token_ids(cleaned) == open_clip_tokenizer.encode(cleaned)


@pytest.mark.slow
@settings(max_examples=300)
@given(text=st.text())
def test_tokens_are_those_of_transformers(transformers_tokenizer, text):
    ours = tokens.token_ids(text)
    assert ours == transformers_tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def transformers_tokenizer():
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=tokens._tokenizer().get_vocab(), merges=_merges())


def _merges() -> list[tuple[str, str]]:
    import json

    return [tuple(pair) for pair in json.loads(tokens._tokenizer().to_str())["model"]["merges"]]
