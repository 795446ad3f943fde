"""The words: what is added for which light and subject, and what shows that the user has said it already.

The tables come from the VividFlow article's program, with neutral light and line art added.
"""

from vivid_assets.imaging.core.light import Temperature, Tone

LIGHTING: dict[tuple[Temperature, Tone], tuple[str, ...]] = {
    ("warm", "bright"): ("golden hour",),
    ("warm", "dark"): ("warm ambient light", "cozy"),
    ("neutral", "bright"): ("soft even daylight",),
    ("neutral", "dark"): ("soft diffused light",),
    ("cool", "bright"): ("bright daylight", "clear sky"),
    ("cool", "dark"): ("soft diffused light", "gentle shadows"),
}

ATMOSPHERE: dict[str, tuple[str, ...]] = {
    "person": ("professional", "elegant"),
    "animal": ("natural", "harmonious"),
    "object": ("clean product photography",),
    "nature": ("scenic", "peaceful"),
    "building": ("architectural", "balanced"),
}

QUALITY = ("high quality", "detailed", "sharp focus")
PHOTOGRAPH = "photorealistic"
EMPTY_PROMPT = "plain studio backdrop"
OUTDOORS = frozenset({"clear sky"})

NEGATIVE = ("blurry", "low quality", "distorted", "people", "characters", "cartoons", "logos")


def words(text: str) -> frozenset[str]:
    """The different words of ``text`` written with spaces between."""
    return frozenset(text.split())


LIGHT_WORDS = words(
    "morning dawn sunrise noon midday afternoon evening sunset dusk twilight night nighttime midnight daytime "
    "daylight light lights lighting lit lamp lamps lantern lanterns candle candles candlelight candlelit sun "
    "sunny sunlight sunlit sunshine sunbeam sunbeams moon moonlight moonlit neon spotlight spotlights "
    "backlight backlit softbox strobe flash glow glowing shadow shadows overcast cloudy stormy foggy misty "
    "fluorescent fireplace campfire bonfire starry starlight underexposed overexposed illuminated illumination "
    "chiaroscuro shade shady dappled "
    # German
    "licht morgenlicht abendlicht tageslicht morgen abend abends nacht nachts mittag sonne sonnenlicht sonnenaufgang "
    "sonnenuntergang dämmerung kerzenlicht schatten beleuchtung mondlicht "
    # French
    "lumière lumières matin matinée soir soirée nuit soleil aube crépuscule ombre ombres éclairage "
    # Spanish, Portuguese
    "luz luces luzes mañana manhã tarde noche noite mediodía sol amanecer atardecer anochecer sombra sombras "
    # Italian, Dutch, Polish
    "luce luci mattina notte mezzogiorno alba tramonto ombra zonlicht ochtend avond zon zonsondergang "
    "światło wieczór słońce"
)
"""What a prompt says when it names a time of day or a light, in the languages that catalogues come in."""
LIGHT_PHRASES = ("golden hour", "blue hour", "low key", "high key", "magic hour", "rim light")
PALE_THINGS = words(
    "blue green red pink purple violet lilac lavender yellow orange brown tan beige grey gray teal turquoise aqua cyan "
    "mint coral salmon gold cream ivory peach rose olive wood wooden oak pine birch ash maple marble stone concrete "
    "linen paper wall walls background backdrop colour color coloured colored"
)
""""light blue" and "light wood" are pale things, not lights: the word before one of these says nothing of the light."""

INDOORS = words(
    "indoor indoors inside interior room kitchen bathroom bedroom lounge office studio shop store gallery museum cafe "
    "café restaurant hallway counter countertop desk shelf backdrop seamless cabinet living workshop garage"
)

DRAWN = words(
    "illustration illustrated drawing drawn cartoon cartoons anime manga comic sketch watercolor watercolour painting "
    "painted painterly vector pixel lineart cel origami ukiyo-e clipart doodle"
)
"""Words by which a prompt asks for a drawing: calling it photorealistic would fight the user."""

MEANS: dict[str, frozenset[str]] = {
    "photorealistic": words("photorealism photo photograph photographic photography realistic hyperrealistic"),
    "high quality": words("hq uhd 4k 8k masterpiece"),
    "detailed": words("detail intricate"),
    "cozy": words("cosy homely hygge"),
    "sharp focus": words("sharp crisp"),
    "people": words(
        "person man men woman women child children kid boy girl baby crowd human portrait family audience pedestrian "
        "figure worker tourist shopper model bride couple"
    ),
    "characters": words("mascot hero elf robot figure person woman man girl boy"),
    "cartoons": DRAWN,
    "logos": words("brand branding sign signage trademark emblem lettering"),
    "blurry": words("blur blurred bokeh defocused soft-focus haze hazy foggy misty fog mist dreamy"),
    "distorted": words("distortion warped glitch glitchy fisheye surreal abstract melted melting"),
    "low quality": words("lo-fi lofi grainy vhs polaroid pixelated"),
}
"""What else means the same as a word of ours; a word itself and its plain plural always count."""

NEGATIONS = words("no not without never minus ohne kein keine sans sin sem senza zonder bez")
CLAUSE_ENDS = words(", . ; : ! ? but with")
"""After one of these a negation no longer holds: "no clutter, people in the distance"."""
