"""The colours of studio paper by name, and the words that modify them.

Chosen by eye after the rolls that studios hang: a "red" is a printed paper's, not a screen's primary. X11's other
names are added from Pillow's table.
"""

from PIL import ImageColor

Color = tuple[int, int, int]

_PAPERS: dict[str, str] = {
    "white": "#f0efec", "off white": "#ebe7dd", "ivory": "#ece4cf", "cream": "#ebdfc4", "eggshell": "#e6dfcf",
    "vanilla": "#eee0b8", "bone": "#ddd5c4", "pearl": "#e3e0d8", "snow": "#f1f1f1", "alabaster": "#e9e6de",
    "silver": "#bdbfc1", "grey": "#9b9c9d", "gray": "#9b9c9d", "charcoal": "#3d3f42", "graphite": "#4a4c4f",
    "slate": "#5b6672", "anthracite": "#35373a", "black": "#272728", "storm grey": "#787b7f", "ash": "#b5b3ae",
    "greige": "#b9afa1", "stone": "#b3aa9c", "sand": "#d2bf9d", "beige": "#d9c9ad", "taupe": "#8d8074",
    "khaki": "#b3a37b", "tan": "#c2a27b", "camel": "#b98f5c", "caramel": "#b0743c", "honey": "#d49a3a",
    "mocha": "#7a5b48", "coffee": "#5c4335", "chocolate": "#4f3426", "brown": "#6d4b36", "chestnut": "#73402f",
    "rust": "#a4512d", "terracotta": "#bf6a4a", "terra cotta": "#bf6a4a", "clay": "#b5785a", "copper": "#a9653f",
    "bronze": "#8a6a3c", "gold": "#c79a3f", "golden": "#d0a244", "ochre": "#c1893a", "mustard": "#cf9f2f",
    "yellow": "#f0cb3c", "lemon": "#f3e06a", "canary": "#f4d84c", "amber": "#e0962a", "orange": "#e27b2f",
    "tangerine": "#e8833a", "apricot": "#efb183", "peach": "#f0bfa1", "coral": "#ea7c6a", "salmon": "#e89a86",
    "pink": "#e6a1b1", "rose": "#d98a97", "blush": "#eac7c2", "fuchsia": "#c2367f", "magenta": "#b52c7b",
    "red": "#b62a2e", "crimson": "#98202f", "scarlet": "#c22f27", "burgundy": "#5f1f2c", "maroon": "#632329",
    "wine": "#64233a", "cherry": "#a2222f", "plum": "#643a5e", "aubergine": "#45304a", "eggplant": "#45304a",
    "purple": "#6c3f86", "violet": "#7b55a4", "lavender": "#c0b2da", "lilac": "#c3a8cf", "mauve": "#a98399",
    "indigo": "#3c3f7d", "navy": "#242f4e", "blue": "#3f6fae", "royal blue": "#2e4f9e", "cobalt": "#2b54a0",
    "ultramarine": "#2d3f93", "sky blue": "#9cc3e0", "baby blue": "#b7d3e6", "powder blue": "#bcd3e2",
    "steel blue": "#5f83a3", "ice blue": "#d2e3ec", "denim": "#4b6b8d", "azure": "#6aa9d6", "midnight blue": "#1f2742",
    "petrol": "#1f4f5c", "teal": "#2b7a78", "turquoise": "#4db6ac", "aqua": "#86cfcf", "cyan": "#5bb9c9",
    "mint": "#bfe0cd", "seafoam": "#a9d5c3", "green": "#4c8a55", "emerald": "#23734f", "forest green": "#2c4f38",
    "moss": "#6c7346", "olive": "#70703f", "sage": "#a3ae94", "pistachio": "#bacb95", "lime": "#a8cc45",
    "eucalyptus": "#93a99a", "jade": "#4f9a78", "fern": "#5d8a4f", "pastel": "#e4d9dc",
    "rose gold": "#b9867a", "hot pink": "#e0559a", "olive green": "#6f7345", "brick red": "#94402f",
    "dove grey": "#bdbcba", "sea green": "#4f9187", "pale gold": "#dcc58f",
    "steel grey": "#71797e", "bottle green": "#1f4a35", "hunter green": "#345240", "burnt orange": "#bb5a26",
    "baby pink": "#efc4cf", "slate blue": "#5f6f93", "oxblood": "#4d1d20", "ecru": "#d8cfba", "oatmeal": "#ddd2bf",
    "champagne": "#e7d3b0", "gunmetal": "#4a4e53", "jet black": "#1f1f20",
}  # fmt: skip

COLORS: dict[str, Color] = {
    **{name: ImageColor.getrgb(code)[:3] for name, code in ImageColor.colormap.items() if isinstance(code, str)},
    **{name: ImageColor.getrgb(code)[:3] for name, code in _PAPERS.items()},
}

THINGS: dict[str, Color] = {
    name: ImageColor.getrgb(code)[:3]
    for name, code in {
        "marble": "#e5e3df", "concrete": "#a3a29e", "cement": "#a3a29e", "plaster": "#dcd6cb", "linen": "#ddd3c0",
        "wood": "#b08a61", "wooden": "#b08a61", "oak": "#c09c6f", "walnut": "#6b4b36", "pine": "#d2b184",
        "beach": "#dcc9a6", "desert": "#d0a878", "forest": "#4a6248", "jungle": "#3f6144", "garden": "#7f9a6a",
        "meadow": "#90aa66", "grass": "#7c9c55", "park": "#86a06f", "sky": "#a9c9e2", "ocean": "#4b86a5",
        "sea": "#5590a8", "lake": "#6e97a8", "underwater": "#2f7591", "ice": "#d9e7ee", "winter": "#dde5ea",
        "autumn": "#bb7c42", "fall": "#bb7c42", "spring": "#c9dcae", "brick": "#9d5b47", "leather": "#7a5036",
        "velvet": "#5a2333", "space": "#15171f", "galaxy": "#1c1d33", "city": "#8f959c", "street": "#8d8f90",
        "mountain": "#93a0a8", "mountains": "#93a0a8", "kitchen": "#e0dcd3", "bathroom": "#dfe5e6",
        "office": "#d5d6d5", "library": "#6d4f3a", "gallery": "#e8e7e4", "rock": "#8c857c", "granite": "#8b8a89",
    }.items()
}  # fmt: skip
"""Things whose colour a paper can take, though not their texture."""

TONES: dict[str, Color] = {
    "dark": (58, 59, 61),
    "light": (228, 227, 224),
    "pale": (228, 227, 224),
    "bright": (236, 235, 233),
    "neutral": (205, 204, 201),
    "plain": (205, 204, 201),
    "simple": (205, 204, 201),
}
"""Papers without a colour of their own: "a gold ring on a dark background"."""

MODIFIERS: dict[str, tuple[float, float, float]] = {
    "pale": (0.5, 0.6, 0), "light": (0.4, 0.8, 0), "soft": (0.2, 0.8, 0), "pastel": (0.5, 0.65, 0),
    "dark": (-0.42, 0.95, 0), "deep": (-0.3, 1.1, 0), "dusty": (0.08, 0.55, 2), "muted": (0, 0.55, 0),
    "faded": (0.2, 0.5, 0), "bright": (0.1, 1.2, 0), "vivid": (0, 1.35, 0), "vibrant": (0, 1.3, 0),
    "rich": (-0.1, 1.2, 0), "warm": (0, 1, 7), "cool": (0, 1, -7), "cold": (0, 1, -8), "icy": (0.4, 0.6, -6),
    "neon": (0.05, 1.6, 0), "smoky": (-0.15, 0.5, 0), "creamy": (0.3, 0.7, 5), "clean": (0, 1, 0),
    "pure": (0, 1, 0), "plain": (0, 1, 0), "matte": (0, 1, 0), "solid": (0, 1, 0),
}  # fmt: skip
"""(share of the way to white (+) or black (-), factor of chroma, shift along Lab b)."""
