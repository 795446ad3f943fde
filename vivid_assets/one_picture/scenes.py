"""Backgrounds for single pictures: an own picture, a colour, or what a generator makes of a prompt."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.errors import ModelUnavailable
from resources.scenes.generator import SceneGenerator
from resources.scenes.generators import AUTO, BACKDROP, Choice, choose_generator
from resources.scenes.plain import HOW_WRITTEN, TRANSPARENT, is_plain, rgb_of
from resources.scenes.request import SceneRequest, Subject
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.backdrop.render import read_prompt, render
from vivid_assets.imaging.blend.placement import foot_on_scene, scene_size, subject_on_scene
from vivid_assets.imaging.core.arrays import Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.io.codec import Picture, decode
from vivid_assets.imaging.io.transparency import NOTE_OVER_WHITE, over_white
from vivid_assets.one_picture.masks import Solved
from vivid_assets.settings import Settings, scene_generators


@dataclass(frozen=True)
class Scene:
    """A background for one picture."""

    rgb: NDArray[np.uint8] | None
    """H×W×3 sRGB, of any size; None for none: the composite is transparent there."""
    by: str
    """Who made it, in words."""
    is_generated: bool = False
    notes: tuple[str, ...] = ()
    floor: KeyLight | None = None
    """Where its key light stands, where it has a floor to stand on."""
    rgb16: NDArray[np.uint16] | None = None
    """The same in 16 bits, where its file has them."""


class Scenes:
    """Backgrounds: an own picture, a colour, or what the generator makes of a prompt."""

    def __init__(
        self,
        settings: Settings,
        leases: ExitStack,
        *,
        prompt: str,
        own: Scene | None = None,
        seed: int,
        generator: str | None = None,
        leased: dict[str, Callable[..., Any]] | None = None,
    ) -> None:
        """Nothing is loaded yet; ``leased`` are the generators that other scenes have loaded, by name.

        Raises ModelUnavailable when a model is requested by name and cannot be had.
        """
        self._settings, self._leases = settings, leases
        self._leased = {} if leased is None else leased
        self._prompt, self._seed = prompt, seed
        self._own = own
        self._made: dict[str, NDArray[np.uint8]] = {}
        self.why = ""
        self._choice = Choice(BACKDROP, None, "")
        if self._own is None:
            requested = generator or settings.backgrounds.generator
            self._choice = choose_generator(requested, scene_generators(settings, asked=requested))
            self.why = self._choice.why if requested == AUTO else ""
            if self._choice.model and (missing := self._choice.model.missing()):
                raise ModelUnavailable(missing)

    def _generate(self, request: SceneRequest) -> Any:
        name, model = self._choice.name, self._choice.model
        assert model
        if name not in self._leased:
            self._leased[name] = self._leases.enter_context(model.lease())
        (made,) = self._leased[name]([request])
        if isinstance(made, Exception):
            raise made
        return made

    @property
    def is_transparent(self) -> bool:
        """Whether there is to be no background."""
        return self._own is not None and self._own.rgb is None

    def scene(self, solved: Solved, stands: Matte | None = None) -> Scene:
        """A background for the picture, on whose floor the subject ``stands`` (alpha), where that is not its own."""
        if self._own is not None:
            return self._own
        if self._choice.model:
            return self._generated(solved, self._choice.model)
        return self._drawn(solved, solved.mask.alpha if stands is None else stands)

    def _drawn(self, solved: Solved, stands: Matte) -> Scene:
        look = read_prompt(self._prompt)
        height, width = solved.picture.rgb.shape[:2]
        if canvas := self._settings.composites.placement.canvas:
            width, height = canvas
        light = measure_light(solved.small, solved.own_alpha).temperature
        unseen = f"; not shown: {', '.join(look.unused_words)}" if look.unused_words else ""
        foot = foot_on_scene(stands, self._settings.composites.placement, solved.picture.rgb.shape[1])
        rgb = render(look, height, width, seed=self._seed, temperature=light, foot=foot)
        return Scene(rgb, f"studio backdrop{unseen}", floor=look.key_light)

    def _generated(self, solved: Solved, model: SceneGenerator) -> Scene:
        from vivid_assets.prompts.enhance import enhance

        light = measure_light(solved.small, solved.own_alpha)
        words = enhance(self._prompt, temperature=light.temperature, tone=light.tone, line_art=solved.mask.line_art)
        in_place = self._settings.backgrounds.place == "inpaint" and model.paints_around
        placement = self._settings.composites.placement
        height, width = scene_size(placement, *solved.small.shape[:2])
        subject = None
        if in_place:
            columns = solved.picture.rgb.shape[1]
            subject = Subject(*subject_on_scene(solved.small, solved.mask.alpha, placement, columns))
        request = SceneRequest(
            words.prompt,
            words.negative_prompt,
            self._seed,
            height,
            width,
            subject=subject,
            scale=model.scale(*reversed(placement.canvas or solved.picture.rgb.shape[1::-1])),
        )
        key = model.key(request)
        if key not in self._made:
            made = self._generate(request)
            if in_place:
                self._made.clear()  # no other picture has this one
            self._made[key] = made.image
        around = ", around the subject" if in_place else ""
        return Scene(self._made[key], f"{self._choice.name}{around}", is_generated=True, floor="above")


def own_background(named: str) -> Scene:
    """A background that is a picture's file, a colour, or none.

    Raises:
        ValueError, OSError: it cannot be read.
    """
    if is_plain(named):
        return plain_scene(named)
    if not Path(named).exists():
        raise ValueError(f"There is no background picture {named!r}. ({HOW_WRITTEN})")
    return picture_scene(decode(Path(named).read_bytes()), named)


def plain_scene(named: str) -> Scene:
    """A colour such as ``#ffffff`` or ``#fff``, which is kept exactly; or none."""
    if named == TRANSPARENT:
        return Scene(None, TRANSPARENT)
    return Scene(np.array([[rgb_of(named)]], np.uint8), f"the colour {named}")


def picture_scene(picture: Picture, by: str) -> Scene:
    """A picture as a background; what is transparent in it is shown over white."""
    if picture.alpha is None:
        return Scene(picture.rgb, by, rgb16=picture.rgb16)
    return Scene(over_white(picture.rgb, picture.alpha), by, notes=(NOTE_OVER_WHITE,))
