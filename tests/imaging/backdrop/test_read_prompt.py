import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.backdrop.read_prompt import read_prompt
from vivid_assets.imaging.core.color import rgb_to_lab


@pytest.mark.parametrize(
    ("prompt", "paper_like"),
    [
        ("sky blue paper", "sky blue"),
        ("no shadows, white wall", "white"),
        ("gold jewellery on black", "black"),
        ("red wine in a glass on white", "white"),
        ("red wine bottle with green label on white", "white"),
        ("rose gold watch on dark slate", "dark slate"),
        ("white product on a red wall", "red"),
        ("a red apple on a white table", "white"),
        ("silver laptop on beige", "beige"),
        ("green bottle against a terracotta wall", "terracotta"),
        ("white sneakers before a navy backdrop", "navy"),
        ("yellow lamp over charcoal", "charcoal"),
        ("orange juice in a glass, sky blue", "sky blue"),
        ("black dress, soft light, sage", "sage"),
        ("white mug on a wooden table", "wooden"),
        ("silver kettle on an oak table", "oak"),
        ("silver kettle, oak table", "oak"),
        ("red wine on marble", "marble"),
        ("red wine on white marble", "white"),
        ("marble kitchen counter, morning light", "marble"),
        ("a gold ring on a marble slab", "marble"),
        ("spotlight on gold ring, black backdrop", "black"),
        ("black letters on a red mug, beige background", "beige"),
        ("background: deep green, gold watch", "deep green"),
        ("gold watch, the background is navy blue", "navy blue"),
        ("gold watch with a navy blue background", "navy"),
        ("pink perfume in front of a pale blue wall", "pale blue"),
        ("pink perfume on top of white marble", "white"),
        ("not red but blue", "blue"),
        ("neither red nor blue but white", "white"),
        ("no red or blue, white backdrop", "white"),
        ("white, not cream", "white"),
        ("not white but off-white", "off white"),
        ("off-white", "off white"),
        ("black mug on off-white", "off white"),
        ("blue jeans on off-white linen", "off white"),
        ("never on blue, on beige", "beige"),
        ("anything but white, black shoe on grey", "grey"),
        ("nothing but white", "white"),
        ("silver ring without red and blue tones, ivory", "ivory"),
        ("no shadows white wall", "white"),
        ("white paper cup, sage green", "sage"),
        ("red desk chair, grey", "grey"),
        ("white table lamp on mustard", "mustard"),
        ("against a wall of sage green, brass lamp", "sage"),
        ("copper pan against the sky", "sky"),
        ("golden hour, teal wall", "teal"),
        ("golden retriever on teal, golden hour", "teal"),
        ("red light from the left, grey studio", "grey"),
        ("black shoes, red light, taupe", "taupe"),
        ("soft white light, navy", "navy"),
        ("charcoal grey background", "charcoal"),
        ("mint green, bright daylight", "mint"),
        ("black", "black"),
        ("purple orchid upon cream", "cream"),
        ("a coffee mug on lilac paper", "lilac"),
        ("a chocolate bar on pastel pink", "pastel pink"),
        ("tan leather bag before burgundy velvet", "burgundy"),
        ("green plant on a grey concrete floor", "grey"),
        ("green plant on concrete", "concrete"),
        ("lime green sneaker on a hot pink background", "hot pink"),
        ("cherry red lipstick, rose gold, on soft grey", "soft grey"),
        ("tomato on a green plate, white", "white"),
        ("tomato on a green plate", "green"),
        ("red shoes at the beach", "beach"),
        ("a red ring in a velvet box", "red"),
        ("red apple in a forest", "forest"),
        ("white vase with pink flowers on walnut", "walnut"),
        ("studio in warm grey, red car", "warm grey"),
        ("wall painted in sage, white chair", "sage"),
        ("silver watch, black velvet cloth", "black"),
        ("gold on black and white marble floor", "black"),
        ("wine red armchair on light oak parquet", "light oak"),
        ("a brown teddy, cream wall, soft window light", "cream"),
        ("white t-shirt over a dark green background", "dark green"),
        ("diamond ring in rose gold on midnight blue", "midnight blue"),
        ("black headphones against bright yellow", "bright yellow"),
        ("salmon fillet on ice", "ice"),
        ("salmon fillet on slate", "slate"),
        ("product photo of a blue mug on a plain white background, no shadows", "plain white"),
        ("red and white sneakers on blue", "blue"),
        ("isolated on white, red shoe", "white"),
        ("red shoe isolated on pure white", "pure white"),
        ("the light falls on the red shoes, white backdrop", "white"),
        ("a red vase, white", "white"),
        ("scarlet lipstick, clean minimal ivory", "ivory"),
        ("lemon, honey and mint tea on a dark wooden board", "dark wooden"),
        ("silver pen on black leather desk mat", "black"),
        ("a dark green velvet sofa before a blush wall", "blush"),
        ("instead of white, use lavender", "lavender"),
        ("gold chain lying on deep emerald velvet, low key", "deep emerald"),
        ("a white plate over navy linen", "navy"),
        ("grey cat before sunset, olive", "olive"),
        ("gold bangle against deep, rich burgundy", "deep rich burgundy"),
        ("a wine glass against the light, burgundy", "burgundy"),
        ("a watch with a brown strap, background in light blue", "light blue"),
        ("a bottle before a wall painted dark teal", "dark teal"),
        ("not white, not grey: sage", "sage"),
        ("mustard jar over off-white", "off white"),
        ("black-on-white", "white"),
        ("silver watch on dark wood", "dark wood"),
        ("red ball on grass", "grass"),
        ("white flowers without a vase, on stone", "stone"),
        ("free of shadows, cream paper", "cream"),
        ("gold ring on a dark background", "on a dark background"),
        ("gold ring on dark", "on a dark background"),
        ("silver spoon, plain background", "plain background"),
        ("backdrop: warm white; product: navy jacket", "warm white"),
        ("amber bottle in a bathroom", "bathroom"),
        ("white cat on a red sofa, forest green wall", "forest green"),
        ("golden retriever sitting on a pastel-yellow cube", "pastel yellow"),
        ("a dark oak chair on white", "white"),
        ("white background with black product", "white"),
    ],
)
def test_which_color_is_the_papers(prompt, paper_like):
    assert read_prompt(prompt).paper == read_prompt(paper_like).paper


@pytest.mark.parametrize(
    ("prompt", "not_shown"),
    [
        ("gold jewellery on black", "gold jewellery"),
        ("red wine in a glass on white", "red wine glass"),
        ("rose gold watch on dark slate", "rose gold watch"),
        ("pink perfume in front of a pale blue wall", "pink perfume"),
        ("lipstick on top of white marble", "lipstick marble"),
        ("black shoes, red light, taupe", "black shoes red"),
        ("soft white light, navy", ""),
        ("neither red nor blue but white", ""),
        ("never on blue, on beige", ""),
        ("a dark green velvet sofa before a blush wall", "dark green velvet sofa"),
        ("silver kettle on an oak table", "silver kettle oak table"),
    ],
)
def test_what_is_not_shown_is_listed(prompt, not_shown):
    look = read_prompt(prompt)
    assert " ".join(look.unused_words) == not_shown


def test_a_dark_background_is_dark_and_a_dark_subject_darkens_nothing():
    assert max(read_prompt("gold ring on a dark background").paper) < 80
    assert min(read_prompt("gold ring on a light background").paper) > 200
    assert read_prompt("a dark oak chair on white").brightness == 1
    assert read_prompt("oak chair on white, dark and moody").brightness < 0.8


def test_modifiers_change_the_color():
    def at(prompt: str) -> np.ndarray:
        return rgb_to_lab(np.array(read_prompt(prompt).paper, np.uint8))

    assert at("pale blue")[0] > at("blue")[0] > at("dark blue")[0]
    assert np.hypot(*at("dusty rose")[1:]) < np.hypot(*at("rose")[1:])
    assert at("warm grey")[2] > at("grey")[2] > at("cool grey")[2]


def test_marble_kitchen_counter_morning_light():
    look = read_prompt("marble kitchen counter, morning light")
    assert min(look.paper) > 200
    assert max(look.paper) - min(look.paper) < 12
    assert look.kelvin is not None
    assert look.kelvin < 6000
    assert look.unused_words == ("marble", "kitchen", "counter")


def test_words_that_paper_cannot_show_are_told():
    assert read_prompt("a forest with a lake, dramatic light").unused_words == ("forest", "lake")
    assert read_prompt("navy backdrop, soft key light from the left").unused_words == ()


@given(st.text(max_size=200))
def test_reading_never_fails_and_keeps_the_look_in_range(prompt):
    look = read_prompt(prompt)
    assert all(0 <= channel <= 255 for channel in look.paper)
    assert look.kelvin is None or 1000 < look.kelvin < 15000
    assert 0 < look.brightness <= 1.2
    assert 0 <= look.contrast <= 1
    assert 0 <= look.window <= 1


def test_a_megabyte_of_prompt_is_read_within_bounds():
    assert len(read_prompt("marble " * 150_000).unused_words) == 1
    assert sum(map(len, read_prompt(" ".join(f"word{i}" for i in range(150_000))).unused_words)) <= 4096
