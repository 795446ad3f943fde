"""The pictures of ``vivid demo``: freely licensed photographs that scikit-image carries, and drawings made here."""

import csv
import importlib.util
from pathlib import Path

from PIL import Image

from vivid_assets.demo.drawings import DRAWINGS

SIZE = 640  # pixels of a drawing's side

# Name: (file in scikit-image's wheel, prompt, negative prompt). CC0 or public domain, see skimage.data's docstrings.
_PHOTOGRAPHS = {
    "astronaut": ("astronaut.png", "deep navy backdrop, soft key light from the left", "flags"),
    "cat": ("chelsea.png", "sage green wall, bright daylight", ""),
    "coffee": ("coffee.png", "marble kitchen counter, morning light", "saucers"),
    "rocket": ("rocket.jpg", "dusty pink studio, sunset", "towers"),
    "cameraman": ("camera.png", "warm beige paper, overcast", ""),
}
_DRAWINGS = {
    "line-art-mug": ("mustard yellow paper, even light", ""),
    "cartoon-owl": ("lavender backdrop, soft light", ""),
    "product-bottle": ("pale peach paper, golden hour light from the right", "hands"),
    "fur-ball": ("charcoal backdrop, dramatic spotlight", ""),
    "glazed-donut": ("teal studio, bright", "plates"),
    "potted-plant": ("terracotta wall, afternoon window light", ""),
}
_CATALOGUE = """\
# The demo's catalogue: what holds for every picture that the manifest says nothing else of.
prompt = "light grey studio, soft light"
seed = 42

# The small model that comes with the demo; without this table: BiRefNet, then U²-Net, then gradients.
[masks]
tiers = ["u2netp", "gradients"]
"""


def write_demo_catalogue(folder: Path, size: int = SIZE) -> list[Path]:
    """Write the demo's pictures with ``manifest.csv`` and ``catalogue.toml``; the same bytes each time.

    Args:
        folder: Made where it is not there; files of the same names are overwritten.
        size: Of the drawings' sides, in pixels.

    Returns:
        The pictures' paths, in the manifest's order: the drawings, then those photographs that are installed.

    Raises:
        OSError: The folder cannot be written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, str | int]] = []
    for number, (name, (prompt, negative)) in enumerate(_DRAWINGS.items()):
        Image.fromarray(DRAWINGS[name](size).picture).save(folder / f"{name}.png", compress_level=4)
        lines.append(_line(f"{name}.png", prompt, negative, 100 + number))
    photographs = _photograph_folder()
    for number, (name, (file, prompt, negative)) in enumerate(_PHOTOGRAPHS.items()):
        source = photographs / file if photographs else None
        if source and source.is_file():
            target = folder / f"{name}{source.suffix}"
            target.write_bytes(source.read_bytes())
            lines.append(_line(target.name, prompt, negative, 200 + number))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, ["image", "prompt", "negative_prompt", "seed"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    (folder / "catalogue.toml").write_text(_CATALOGUE, encoding="utf-8")
    return [folder / str(line["image"]) for line in lines]


def _line(image: str, prompt: str, negative: str, seed: int) -> dict[str, str | int]:
    return {"image": image, "prompt": prompt, "negative_prompt": negative, "seed": seed}


def _photograph_folder() -> Path | None:
    """Where scikit-image's wheel keeps its photographs; nothing of it is imported."""
    spec = importlib.util.find_spec("skimage")
    return next((Path(p) / "data" for p in (spec.submodule_search_locations or [])), None) if spec else None
