import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.prompts import enhance, tokens, vocabulary
from vivid_assets.prompts.enhance import clean

OBJECT = {"subject_type": "object", "temperature": "warm", "tone": "bright"}

analyses = st.fixed_dictionaries(
    {
        "subject_type": st.sampled_from([None, *vocabulary.ATMOSPHERE, "spaceship"]),
        "temperature": st.sampled_from([None, "warm", "neutral", "cool"]),
        "tone": st.sampled_from([None, "bright", "dark"]),
        "line_art": st.booleans(),
    }
)
known_words = st.sampled_from(
    [
        *("marble", "kitchen", "morning", "light", "blue", "people", "no", "without", "cartoon", "logos", "blurry"),
        *("sharp", "focus", "high", "quality", "detailed", "cozy", "natural", "golden", "hour", "photorealistic"),
        *("illustration", "clear", "sky", ",", ".", ";", "花", "слово", "café"),
    ]
)
prompts = st.one_of(st.text(max_size=300), st.lists(known_words, max_size=90).map(" ".join))


def words_of(added) -> list[str]:
    return [each.words for each in added]


@given(prompts, prompts, analyses)
def test_the_users_words_come_first_and_whole(prompt, negative, analysis):
    result = enhance(prompt, negative, **analysis)
    assert result.prompt.startswith(clean(prompt))
    assert result.negative_prompt.startswith(clean(negative))
    assert clean(prompt) == result.user_prompt


@given(prompts, prompts, analyses)
def test_no_word_of_ours_goes_beyond_what_the_encoder_reads(prompt, negative, analysis):
    result = enhance(prompt, negative, **analysis)
    for whole, added in ((result.prompt, result.added), (result.negative_prompt, result.negative_added)):
        assert tokens.read(whole).fits or not added
    warned = any(warning.startswith("The prompt is longer") for warning in result.warnings)
    assert warned == (not tokens.read(result.user_prompt).fits)


@given(prompts, prompts, analyses)
def test_every_word_beyond_the_users_is_explained(prompt, negative, analysis):
    result = enhance(prompt, negative, **analysis)
    rest = result.prompt[len(result.user_prompt) :].strip(", ")
    assert rest == ", ".join(words_of(result.added))
    explained = [*result.added, *result.left_out, *result.negative_added, *result.negative_left_out]
    assert all(each.words and each.reason for each in explained)


@given(prompts, prompts, analyses)
def test_enhancing_twice_repeats_nothing(prompt, negative, analysis):
    once = enhance(prompt, negative, **analysis)
    twice = enhance(once.prompt, once.negative_prompt, **analysis)
    assert not set(words_of(twice.added)) & set(words_of(once.added))
    assert not set(words_of(twice.negative_added)) & set(words_of(once.negative_added))


@pytest.mark.parametrize(
    ("temperature", "tone", "light"),
    [
        ("warm", "bright", "golden hour"),
        ("warm", "dark", "warm ambient light, cozy"),
        ("cool", "bright", "bright daylight, clear sky"),
        ("cool", "dark", "soft diffused light, gentle shadows"),
        ("neutral", "bright", "soft even daylight"),
    ],
)
def test_light_by_the_subjects_own(temperature, tone, light):
    result = enhance("a meadow", subject_type="animal", temperature=temperature, tone=tone)
    assert result.prompt == (
        f"a meadow, {light}, natural, harmonious, high quality, detailed, sharp focus, photorealistic"
    )
    assert f"{temperature} and {tone}" in result.added[0].reason


@pytest.mark.parametrize(
    "prompt",
    ["marble counter, morning light", "Paris at night", "lit by candles", "sunset beach", "blue hour",
     "Strand im Abendlicht", "salle au crépuscule", "a golden-hour street"],
)  # fmt: skip
def test_a_prompt_that_names_its_light_keeps_it(prompt):
    result = enhance(prompt, **OBJECT)
    assert "golden hour" not in words_of(result.added)
    assert "golden hour" in words_of(result.left_out)


@pytest.mark.parametrize("prompt", ["light blue wall", "a light wooden table", "no shadows", "delight"])
def test_a_pale_thing_is_no_light(prompt):
    assert "golden hour" in words_of(enhance(prompt, **OBJECT).added)


def test_no_sky_indoors():
    result = enhance("a kitchen", temperature="cool", tone="bright")
    assert "bright daylight" in words_of(result.added)
    assert "clear sky" not in result.prompt


@pytest.mark.parametrize("kwargs", [{"subject_type": None}, {"subject_type": "spaceship"}, {}])
def test_no_atmosphere_without_a_known_subject_and_it_says_so(kwargs):
    result = enhance("a meadow", **kwargs)
    assert result.prompt == "a meadow, high quality, detailed, sharp focus, photorealistic"
    assert any("atmosphere" in warning for warning in result.warnings)


def test_line_art_is_never_photorealistic_nor_are_cartoons_forbidden():
    result = enhance("a meadow", line_art=True)
    assert "photorealistic" not in result.prompt
    assert "cartoons" not in result.negative_prompt
    assert "line art" in {each.words: each.reason for each in result.left_out}["photorealistic"]


def test_a_prompt_for_a_drawing_is_not_called_photorealistic():
    result = enhance("watercolour illustration of a harbour", **OBJECT)
    assert "photorealistic" not in result.prompt
    assert "cartoons" not in result.negative_prompt


@pytest.mark.parametrize(
    ("prompt", "term"),
    [
        ("a street full of people", "people"),
        ("crowd at a market", "people"),
        ("a wall of logos", "logos"),
        ("neon brand signage", "logos"),
        ("blurred city lights", "blurry"),
        ("anime street", "cartoons"),
        ("no clutter, people in the distance", "people"),
    ],
)
def test_what_the_prompt_asks_for_is_not_forbidden(prompt, term):
    result = enhance(prompt)
    assert term not in result.negative_prompt
    assert term in words_of(result.negative_left_out)


@pytest.mark.parametrize("prompt", ["an empty street, no people", "a beach without any people"])
def test_what_the_prompt_refuses_stays_forbidden(prompt):
    assert "people" in words_of(enhance(prompt).negative_added)


def test_the_users_negative_words_stand_even_against_ours():
    result = enhance("a meadow", "photorealistic, people")
    assert "photorealistic" not in result.prompt
    assert result.negative_prompt.count("people") == 1


def test_words_the_user_has_are_not_repeated():
    result = enhance("a photo of a cosy room, highly detailed, Sharp Focus", temperature="warm", tone="dark")
    assert words_of(result.added) == ["warm ambient light", "high quality"]


def test_the_least_important_words_give_way_first():
    full = enhance("a meadow", **OBJECT)
    tight = enhance("meadow " * 66, **OBJECT)
    assert words_of(tight.added) == words_of(full.added)[: len(tight.added)]
    assert 0 < len(tight.added) < len(full.added)
    assert "photorealistic" in words_of(tight.left_out)
    assert tight.tokens <= tokens.CONTEXT_LENGTH


def test_a_prompt_above_the_limit_gets_a_warning_with_the_unseen_words():
    result = enhance("cat " * 75 + "under a lighthouse", **OBJECT)
    assert any(warning.endswith("will not see: under a lighthouse") for warning in result.warnings)
    assert result.added == ()


def test_an_empty_prompt_asks_for_a_plain_backdrop():
    result = enhance(" \n\t", **OBJECT)
    assert result.prompt.startswith(vocabulary.EMPTY_PROMPT)
    assert any("empty" in warning for warning in result.warnings)


def test_a_script_that_cannot_be_read_gets_no_light():
    result = enhance("大理石のカウンター、朝の光", **OBJECT)
    assert result.prompt.startswith("大理石のカウンター、朝の光")
    assert "golden hour" in words_of(result.left_out)


def test_control_characters_are_spaces():
    result = enhance("a\x00b\x1b[0m\x85c\ud800d", "x\ny")
    assert result.user_prompt == "a b [0m c d"
    assert result.user_negative_prompt == "x y"
    result.prompt.encode("utf-8")


def test_a_megabyte_is_kept_whole():
    prompt = "marble counter " * 70_000
    result = enhance(prompt, prompt, **OBJECT)
    assert result.prompt == result.user_prompt == prompt.strip()
    assert max(len(warning) for warning in result.warnings) < 1000
