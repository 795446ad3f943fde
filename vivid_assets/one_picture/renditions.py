"""Several composites of one picture from one mask, for the commands and the public functions."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.options import BlendOptions
from vivid_assets.imaging.blend.rules import broken_rules
from vivid_assets.imaging.blend.separate import CutOut
from vivid_assets.imaging.io.codec import Format
from vivid_assets.one_picture.composites import cut_out, laid_over
from vivid_assets.one_picture.masks import Solved
from vivid_assets.one_picture.scenes import Scene, Scenes, own_background
from vivid_assets.settings import Rendition, Settings


@dataclass(frozen=True)
class Laid:
    """A composite of one rendition."""

    rendition: str
    scene: Scene
    done: Blend
    notes: tuple[str, ...]


def background_of(rendition: Rendition) -> tuple[str, Scene | None]:
    """The words, or the picture, that a rendition names for its background; neither where it names none.

    Raises:
        ValueError, OSError: the picture cannot be read.
    """
    words, behind = rendition.entries.get("prompt") or "", rendition.entries.get("background") or ""
    return words, own_background(behind) if behind else None


class Renditions:
    """What is made of each picture: one composite, or one for each rendition."""

    def __init__(
        self,
        settings: Settings,
        leases: ExitStack,
        wanted: Sequence[tuple[str, Rendition]],
        *,
        prompt: str,
        own: Scene | None = None,
        seed: int,
        generator: str | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            settings: what holds for all of them.
            leases: what generators are leased in.
            wanted: the renditions by name; an empty name for the only one.
            prompt: for those with neither words nor a background of their own.
            own: a background in its place.
            seed: for those without one.
            generator: for those without one; else the settings'.

        Raises:
            ValueError: there is neither prompt nor background for one of them.
            ModelUnavailable: a model is requested by name and cannot be had.
        """
        leased: dict[str, Any] = {}
        self.settings: dict[str, Settings] = {}
        self._scenes: dict[str, Scenes] = {}
        self._wanted = dict(wanted)
        for name, rendition in wanted:
            here = settings.model_copy(update={"composites": rendition.composites(settings.composites)})
            words, given = background_of(rendition)
            if not words and given is None:
                words, given = prompt, own
            if not words and given is None:
                raise ValueError(f"There is neither a prompt nor a background for {name or 'the picture'}: give one.")
            self.settings[name] = here
            self._scenes[name] = Scenes(
                here,
                leases,
                prompt=words,
                own=given,
                seed=seed if rendition.seed is None else rendition.seed,
                generator=rendition.generator or generator,
                leased=leased,
            )

    @property
    def why(self) -> str:
        """Why a background is made as it is, where nobody asked for it by name."""
        return next((scenes.why for scenes in self._scenes.values() if scenes.why), "")

    def is_transparent(self, name: str) -> bool:
        """Whether a rendition has no background."""
        return self._scenes[name].is_transparent

    def formats(self) -> dict[str, Format]:
        """By name: the format that a rendition asks for; PNG where it asks for its picture's own."""
        asked = {name: settings.composites.format for name, settings in self.settings.items()}
        return {name: "png" if one == "source" else one for name, one in asked.items()}

    def of(self, solved: Solved, *, deep: Collection[str]) -> Iterator[Laid]:
        """The composites of a picture, one after the other: its subject is taken off once for all that can share it.

        ``deep`` names those that keep 16 bits of a picture that has them.
        """
        cuts: dict[tuple[bool, BlendOptions], CutOut] = {}
        for name, settings in self.settings.items():
            key = name in deep, settings.composites.blend
            if key not in cuts:
                cuts[key] = cut_out(solved, settings, deep=key[0])
            scene = self._scenes[name].scene(solved)
            done = laid_over(cuts[key], scene, settings)
            broken = broken_rules(done, self._wanted[name].rules)
            yield Laid(name, scene, done, (*scene.notes, *done.notes, *broken))
