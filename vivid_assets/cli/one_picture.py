"""One picture after the other without a store: its mask, its background and its composite, as the settings ask."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.masks.tiers import MASK_TIERS
from resources.masks.vitmatte import VitMatte
from resources.scenes.generator import SceneGenerator
from resources.scenes.generators import AUTO, BACKDROP, Choice, choose_generator
from resources.scenes.request import SceneRequest, Subject
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.backdrop.render import read_prompt, render
from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.cutout import emptied
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.blend.refine_alpha import upsample_alpha
from vivid_assets.imaging.core.alpha import GIVEN, Alpha
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.codec import Format, Picture, SourceType, decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.imaging.io.read_mask import read_mask
from vivid_assets.imaging.io.transparency import NOTE_OVER_WHITE, opaque, over_white
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.ladder_settings import ladder_settings
from vivid_assets.masking.mask import NO_ANSWER, Mask, MaskRequest
from vivid_assets.masking.matting import matted
from vivid_assets.masking.tiers import make_tiers
from vivid_assets.settings import BLEND_OPTIONS, MasksSettings, Settings, configured, find_model, scene_generators

OWN_ALPHA = "the source itself"

_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Solved:
    """A picture and its mask."""

    picture: Picture
    small: np.ndarray
    """The picture at the models' size, over white where it is transparent."""
    mask: Mask
    alpha: Alpha
    """The mask as it goes into the composite: a given one at its own size, a network's at the models'."""
    by: str
    """Who made the mask."""
    notes: tuple[str, ...]

    @property
    def from_source(self) -> bool:
        return self.alpha.origin == "own"

    @property
    def visible(self) -> np.ndarray | None:
        """What of the picture is to be seen, where the mask is not its own transparency."""
        own = self.picture.alpha
        return None if own is None or self.from_source else shown_alpha(own)

    @property
    def full_size(self) -> np.ndarray:
        """The mask at the picture's size: the source's own as it is, and nothing where the source shows nothing."""
        if self.from_source:
            return self.alpha.values
        large = upsample_alpha(self.mask.alpha, opaque(self.picture))
        return large if self.visible is None else large * self.visible

    def mask_file(self, mark: str) -> bytes:
        return encode_mask(self.full_size, provenance=mark)


@dataclass(frozen=True)
class Scene:
    """A background for one picture."""

    picture: Picture | None
    rgb: np.ndarray
    by: str
    is_generated: bool
    notes: tuple[str, ...] = ()
    floor: KeyLight | None = None
    """Where its key light stands, where it has a floor to stand on."""


class Masks:
    """Masks by the settings' tiers, or by ``tiers``; models are loaded once, by the first picture that needs them."""

    def __init__(self, settings: Settings, leases: ExitStack, tiers: tuple[str, ...] | None) -> None:
        """Nothing is loaded yet. Raises ValueError for a tier that does not exist."""
        self._settings = settings
        self._leases = leases
        names = tiers or _tiers_of(settings.masks)
        if unknown := [name for name in names if name not in MASK_TIERS.own and name not in MASK_TIERS.names()]:
            raise ValueError(f"There is no mask tier {unknown[0]!r}; there are {', '.join(MASK_TIERS.names())}.")
        self._names = names
        self.note: str | None = None
        """What is not installed of the tiers, once one was needed."""

    @cached_property
    def _ladder(self) -> Ladder:
        tiers = make_tiers(self._names, lambda name: find_model(MASK_TIERS, name, self._settings), self._leases)
        return Ladder(tiers, ladder_settings(self._settings.masks))

    @cached_property
    def _matter(self) -> Any:
        if self._settings.masks.matting != "vitmatte":
            return None
        return self._leases.enter_context(configured(VitMatte(), self._settings.entries("vitmatte")).lease())

    def solve(self, data: bytes, mask: bytes | None = None) -> Solved:
        """The picture of a file and its mask: ``mask``, the source's own transparency, or the ladder's.

        Raises ValueError when the picture cannot be read, the mask does not fit, or no tier can answer.
        """
        wanted = self._settings.prepared_images
        max_pixels = round(wanted.max_megapixels * 1e6)
        picture = decode(data, max_pixels=max_pixels)
        # Decoded again, and the mask as its file would hold it: as a run does, so that both make the same picture.
        small = opaque(decode(data, longest=wanted.longest, max_pixels=max_pixels))
        notes: tuple[str, ...] = picture.notes
        override = None if picture.alpha is None else Alpha(picture.alpha, "own")
        if mask is not None:
            override = read_mask(mask)
            notes += override.notes
            if picture.alpha is not None:
                notes += ("the picture is transparent in parts, which stay so",)
        found: Mask | Exception = self._ladder.masks([small], [MaskRequest(override=override)])[0]
        given = override if isinstance(found, Mask) and found.origin in GIVEN else None
        if given is None:
            self.note = self._ladder.note
        if self._matter is not None and isinstance(found, Mask):
            (found,) = matted([found], [small], self._matter)
        if isinstance(found, Exception):
            raise found
        if found.verdict == NO_ANSWER:
            raise ValueError(found.degraded or found.reason)
        if given is None:
            found = replace(found, alpha=decode_mask(encode_mask(found.alpha)))
        if override is not None and given is None:
            notes += (found.tried[0].reason,)
        if given is not None and found.review:
            notes += (found.reason,)
        by = {"person": "your own", "own": OWN_ALPHA}.get(found.origin, found.tier)
        return Solved(picture, small, found, given or Alpha(found.alpha, found.origin), by, notes)


def _tiers_of(wanted: MasksSettings) -> tuple[str, ...]:
    """The settings' tiers; where these name none, the small network too, which the demo has brought."""
    return wanted.tiers if "tiers" in wanted.model_fields_set else MASK_TIERS.own


class Scenes:
    """Backgrounds: an own picture, a colour, or what the generator makes of a prompt."""

    def __init__(
        self, settings: Settings, leases: ExitStack, *, prompt: str, background: str, seed: int, generator: str | None
    ) -> None:
        """Nothing is loaded yet.

        Raises ValueError or OSError for a background that cannot be read, and ModelUnavailable when a model is asked
        for by name and cannot be had.
        """
        self._settings, self._leases = settings, leases
        self._prompt, self._seed = prompt, seed
        self._own = own_background(background) if background else None
        self._made: dict[str, np.ndarray] = {}
        self.why = ""
        self._choice = Choice(BACKDROP, None, "")
        if self._own is None:
            asked = generator or settings.backgrounds.generator
            self._choice = choose_generator(asked, scene_generators(settings, asked=asked))
            self.why = self._choice.why if asked == AUTO else ""
            if self._choice.model and (missing := self._choice.model.missing()):
                raise ModelUnavailable(missing)

    @cached_property
    def _generate(self) -> Callable[..., Any]:
        assert self._choice.model
        return self._leases.enter_context(self._choice.model.lease())

    def scene(self, solved: Solved) -> Scene:
        """A background for the picture."""
        if self._own is not None:
            return self._own
        return self._generated(solved, self._choice.model) if self._choice.model else self._drawn(solved)

    def _drawn(self, solved: Solved) -> Scene:
        look = read_prompt(self._prompt)
        height, width = solved.picture.rgb.shape[:2]
        light = measure_light(solved.small).temperature
        unseen = f"; not shown: {', '.join(look.unused_words)}" if look.unused_words else ""
        rgb = render(look, height, width, seed=self._seed, temperature=light)
        return Scene(None, rgb, f"studio backdrop{unseen}", is_generated=False, floor=look.key_light)

    def _generated(self, solved: Solved, model: SceneGenerator) -> Scene:
        from vivid_assets.prompts.enhance import enhance

        light = measure_light(solved.small)
        words = enhance(self._prompt, temperature=light.temperature, tone=light.tone, line_art=solved.mask.line_art)
        in_place = self._settings.backgrounds.place == "inpaint" and model.paints_around
        height, width = solved.small.shape[:2]
        request = SceneRequest(
            words.prompt,
            words.negative_prompt,
            self._seed,
            height,
            width,
            subject=Subject(solved.small, solved.mask.alpha) if in_place else None,
        )
        key = model.key(request)
        if key not in self._made:
            (made,) = self._generate([request])
            if isinstance(made, Exception):
                raise made
            if in_place:
                self._made.clear()  # no other picture has this one
            self._made[key] = made.image
        around = ", around the subject" if in_place else ""
        return Scene(None, self._made[key], f"{self._choice.name}{around}", is_generated=True, floor="above")


@contextmanager
def models() -> Iterator[ExitStack]:
    """What is loaded, until the block ends."""
    with ExitStack() as leases:
        yield leases


def is_colour(background: str) -> bool:
    """Whether it is a colour, and no file's name."""
    return _COLOUR.fullmatch(background) is not None


def own_background(named: str) -> Scene:
    """A background that is a picture's file, or a colour such as ``#ffffff``, which is kept exactly.

    What is transparent in it is shown over white. Raises ValueError or OSError when it cannot be read.
    """
    if is_colour(named):
        digits = named[1:] if len(named) == 7 else "".join(2 * digit for digit in named[1:])
        colour = np.array([[[int(digits[i : i + 2], 16) for i in (0, 2, 4)]]], np.uint8)
        return Scene(None, colour, f"the colour {named}", is_generated=False)
    if not Path(named).exists():
        raise ValueError(f"There is no background picture {named!r}. (A colour is written as #ffffff or #fff.)")
    picture = decode(Path(named).read_bytes())
    if picture.alpha is None:
        return Scene(picture, picture.rgb, named, is_generated=False)
    return Scene(None, over_white(picture.rgb, picture.alpha), named, False, (NOTE_OVER_WHITE,))


def composed(solved: Solved, scene: Scene, settings: Settings, format_: Format) -> Blend:
    """The picture before the scene, which is made to cover it; in 16 bits where a PNG is made of 16-bit pictures."""
    wanted = settings.composites
    # A source with transparency holds pure foreground colour: there is no old wall to take out.
    mode = "alpha" if solved.from_source else wanted.mode
    picture = solved.picture
    front: np.ndarray = picture.rgb if solved.from_source else opaque(picture)
    behind = scene.rgb
    if format_ == "png" and picture.rgb16 is not None and (solved.from_source or picture.alpha is None):
        front = picture.rgb16
        if scene.picture is not None and scene.picture.rgb16 is not None:
            behind = scene.picture.rgb16
    options = wanted.model_dump(include=BLEND_OPTIONS)
    return blend_native(front, solved.alpha, behind, mode=mode, visible=solved.visible, floor=scene.floor, **options)


def composite_file(
    blended: Blend, format_: Format, picture: Picture, scene: Scene, settings: Settings, mark: str
) -> bytes:
    """The composite as a file, which says how it was made and whose the picture is."""
    source: SourceType = "compositeWithTrainedAlgorithmicMedia" if scene.is_generated else "composite"
    quality = None if format_ == "png" else settings.composites.quality
    return encode(
        blended.composite,
        format=format_,
        quality=quality,
        source_type=source,
        provenance=mark,
        carried=picture.carried,
    )


def cutout_file(blended: Blend, format_: Format, picture: Picture, mark: str) -> bytes:
    """The subject alone, with its alpha, and nothing of the room that it was taken from."""
    foreground = emptied(blended.foreground, blended.alpha)
    return encode(foreground, format=format_, alpha=blended.alpha, provenance=mark, carried=picture.carried)
