"""The words that CLIP's questions are asked in: an ensemble of templates and names for each label.

Several phrasings are embedded and averaged, which beats any single one (Radford et al. 2021, section 3.1.4).
"""

import hashlib
from collections.abc import Mapping

SUBJECT = "subject"
LIGHTING = "lighting"
ATMOSPHERE = "atmosphere"

QUESTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    SUBJECT: {
        "person": ("a person", "a woman", "a man", "a child", "people", "a portrait of a person"),
        "animal": ("an animal", "a dog", "a cat", "a bird", "a horse", "a wild animal"),
        "object": ("an object", "a product", "a piece of furniture", "a tool", "a garment", "a vehicle"),
        "nature": ("nature", "a landscape", "a plant", "a flower", "a tree", "a mountain"),
        "building": ("a building", "a house", "architecture", "a tower", "the front of a building"),
    },
    LIGHTING: {
        "golden hour": ("golden hour light", "warm low sunlight", "sunset light"),
        "soft diffused": ("soft diffused light", "an overcast sky", "gentle even light without hard shadows"),
        "bright daylight": ("bright daylight", "midday sun under a clear sky", "bright white light"),
    },
    ATMOSPHERE: {
        "professional": ("a professional studio", "a business setting", "clean product photography"),
        "natural": ("a natural setting", "the outdoors", "a harmonious natural scene"),
        "elegant": ("an elegant setting", "a refined luxurious interior", "a stylish scene"),
        "cozy": ("a cozy setting", "a warm homely room", "a comfortable intimate scene"),
    },
}
"""Labels of each question and the names that stand for them."""

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    SUBJECT: ("a photo of {}.", "a close-up photo of {}.", "a picture of {}.", "an illustration of {}."),
    LIGHTING: ("a photo in {}.", "a picture lit by {}."),
    ATMOSPHERE: ("a photo of {}.", "a picture with the mood of {}."),
}


def prompts_of(question: str) -> dict[str, list[str]]:
    """Every prompt of each label of a question."""
    return {
        label: [template.format(name) for name in names for template in TEMPLATES[question]]
        for label, names in QUESTIONS[question].items()
    }


def prompts_digest() -> str:
    """Digest of all prompts; part of the revision, because other words give other scores."""
    return hashlib.blake2b(repr([prompts_of(question) for question in QUESTIONS]).encode(), digest_size=8).hexdigest()
