"""The public functions: one picture at a time, as NumPy arrays or Pillow images, without files and without a store."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from resources.scenes.plain import is_plain
from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.options import Mode
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.io.codec import Picture
from vivid_assets.imaging.plate.cast_shadow import Choice as Shadow
from vivid_assets.one_picture.composites import blended, replaced
from vivid_assets.one_picture.images import Array, Image, mask_of, picture_of, pillow_of
from vivid_assets.one_picture.masks import Masks, Solved
from vivid_assets.one_picture.renditions import Renditions
from vivid_assets.one_picture.scenes import Scene, Scenes, picture_scene, plain_scene
from vivid_assets.settings import Settings, SettingsFile

ImageT = TypeVar("ImageT", NDArray[Any], Pillow.Image)
SettingsTables = Mapping[str, Mapping[str, Any]]
"""Settings by table and name, as in ``vivid.toml``: ``{"composites": {"mode": "alpha"}}``."""


@dataclass(frozen=True, eq=False)
class FoundMask(Generic[ImageT]):
    """A mask and how it came about."""

    alpha: ImageT
    """How solid each pixel is, at the image's size: float32 H×W, 0 (background) to 1 (subject); of Pillow's, ``L``."""
    tier: str
    """Who made it: a mask tier's name, ``your own``, or ``the source itself``."""
    verdict: str
    """``good``, or the name of the fault that a person should look at (docs/masks.md)."""
    reason: str
    """The reason of the verdict."""
    right: float | None
    """Estimated probability that the mask is right, 0..1; None for drawings and given masks."""
    notes: tuple[str, ...]
    """What was done to the picture and what is not installed, each a phrase."""


@dataclass(frozen=True, eq=False)
class Blended(Generic[ImageT]):
    """A composite and what it was made of, at the image's size, or the canvas's where the settings have one."""

    composite: ImageT
    """H×W×3 of the image's dtype; of Pillow's, ``RGB``. With a transparent background it is the cut-out."""
    cutout: ImageT
    """The subject alone, H×W×4 with straight alpha; of Pillow's, ``RGBA``."""
    alpha: ImageT
    """The alpha that was used, as in ``FoundMask``."""
    halo: float | None
    """Lab units by which the edge leans to the original background's hue; None where it cannot be measured."""
    leakage: float | None
    """How much of the original background is left in the edge, 0 to 1; None where it cannot be measured."""
    shadow: str
    """``kept``, ``soft`` or ``none``."""
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Replaced(Blended[ImageT]):
    """A composite with a new background, its mask, and where both come from."""

    mask: FoundMask[ImageT]
    background: str
    """Who made the background, and for a drawn one the words of the prompt that it cannot show."""


class _Models:
    """What is loaded until it is closed."""

    def __init__(self, leases: ExitStack) -> None:
        self.leases = leases
        self._masks: dict[tuple[str, tuple[str, ...] | None], Masks] = {}

    def masks(self, settings: Settings, tiers: Sequence[str] | None) -> Masks:
        """What makes masks by these settings; made once. Raises ValueError for a tier that does not exist."""
        names = tuple(tiers) if tiers else None
        key = settings.model_dump_json(exclude_unset=True), names
        if key not in self._masks:
            self._masks[key] = Masks(settings, self.leases, names)
        return self._masks[key]


_kept: ContextVar[_Models | None] = ContextVar("_kept", default=None)


@contextmanager
def keep_models() -> Iterator[None]:
    """Keep models loaded from one call to the next, until the block ends.

    Without it each call loads the models that it needs, and frees them. A model on a GPU holds that GPU against other
    processes of this project.

    Example:
        >>> import numpy as np
        >>> import vivid_assets
        >>> photos = [np.full((48, 64, 3), 214, np.uint8) for _ in range(2)]
        >>> for photo in photos:
        ...     photo[12:36, 20:44] = (180, 40, 30)
        >>> with vivid_assets.keep_models():
        ...     masks = [vivid_assets.find_mask(photo, tiers=["gradients"]) for photo in photos]
        >>> [mask.verdict for mask in masks]
        ['good', 'good']
    """
    with ExitStack() as leases:
        token = _kept.set(_Models(leases))
        try:
            yield
        finally:
            _kept.reset(token)


@contextmanager
def _models() -> Iterator[_Models]:
    if kept := _kept.get():
        yield kept
        return
    with ExitStack() as leases:
        yield _Models(leases)


def read_settings(tables: SettingsTables | None = None, **composites: object) -> Settings:
    """The settings of the file that ``VIVID_SETTINGS`` names, with ``tables`` and then ``composites`` entries on top.

    Entries that are None are left out.

    Raises:
        ValueError: a bad entry, which the message names.
    """
    trial = {name: dict(entries) for name, entries in (tables or {}).items()}
    chosen = {name: value for name, value in composites.items() if value is not None}
    if chosen:
        trial["composites"] = trial.get("composites", {}) | chosen
    return SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""), trial=trial).read()


@overload
def find_mask(
    image: Pillow.Image, *, tiers: Sequence[str] | None = None, settings: SettingsTables | None = None
) -> FoundMask[Pillow.Image]: ...
@overload
def find_mask(
    image: Array, *, tiers: Sequence[str] | None = None, settings: SettingsTables | None = None
) -> FoundMask[Array]: ...
def find_mask(
    image: Image, *, tiers: Sequence[str] | None = None, settings: SettingsTables | None = None
) -> FoundMask[Any]:
    """Find the subject of a picture, as ``vivid mask`` does.

    Args:
        image: sRGB, uint8 or uint16: H×W, H×W×3, or H×W×4 with straight alpha, which is the mask where it is a
            cut-out's. Or a Pillow image, whose ICC profile and EXIF orientation are applied.
        tiers: the mask tiers to try, in this order, until one's mask passes the quality check: ``birefnet``, ``u2net``,
            ``u2netp``, ``gradients``; the settings' without it.
        settings: entries of ``vivid.toml`` by table, on top of the file that ``VIVID_SETTINGS`` names.

    Returns:
        The mask at the image's size, of the kind that the image is: an array or a Pillow image.

    Raises:
        TypeError: the image is no array and no Pillow image.
        ValueError: the image, a tier's name or a setting does not fit, or no tier can answer.
        resources.errors.MachineFault: no picture can be processed, such as for want of memory.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import find_mask
        >>> photo = np.full((48, 64, 3), 214, np.uint8)
        >>> photo[12:36, 20:44] = (180, 40, 30)
        >>> found = find_mask(photo, tiers=["gradients"])
        >>> found.alpha.shape, float(found.alpha[24, 32]), float(found.alpha[2, 2])
        ((48, 64), 1.0, 0.0)
    """
    read = read_settings(settings)
    with _models() as models:
        masks = models.masks(read, tiers)
        solved = masks.solve(_picture(image, read))
    return _found(solved, masks, as_pillow=isinstance(image, Pillow.Image))


@overload
def blend(
    image: Pillow.Image,
    alpha: Image,
    background: Image | str,
    *,
    mode: Mode | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Blended[Pillow.Image]: ...
@overload
def blend(
    image: Array,
    alpha: Image,
    background: Image | str,
    *,
    mode: Mode | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Blended[Array]: ...
def blend(
    image: Image,
    alpha: Image,
    background: Image | str,
    *,
    mode: Mode | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Blended[Any]:
    """Put the subject that a mask cuts out before another background, as ``vivid blend`` does.

    Args:
        image: as in ``find_mask``.
        alpha: the mask, of the image's size: float H×W in 0..1, uint8, uint16 or bool, or a Pillow image; white is
            subject.
        background: an image of any size, which is scaled to cover; a colour such as ``"#ffffff"``, kept exactly; or
            ``"transparent"``.
        mode: ``decontaminate`` estimates the subject's own colours, ``lab-deprojection`` is the published
            method, ``alpha`` mixes only; the settings' without it.
        shadow: ``keep`` the one that a plain original background shows, draw a ``soft`` one, ``auto`` or ``none``; the
            settings' without it.
        settings: as in ``find_mask``. ``[composites]`` may place the subject on a canvas, as in
            ``replace_background``.

    Returns:
        The composite and the cut-out; arrays are of the image's dtype.

    Raises:
        TypeError: something is no array and no Pillow image.
        ValueError: a shape, dtype, size, colour or setting does not fit.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import blend
        >>> photo = np.full((48, 64, 3), 214, np.uint8)
        >>> photo[12:36, 20:44] = (180, 40, 30)
        >>> alpha = np.zeros((48, 64))
        >>> alpha[12:36, 20:44] = 1
        >>> blend(photo, alpha, "#0044aa", shadow="none").composite[[2, 24], [2, 32]].tolist()
        [[0, 68, 170], [180, 40, 30]]
    """
    read = read_settings(settings, mode=mode, shadow=shadow)
    done, notes = blended(
        _picture(image, read), Alpha(mask_of(alpha), "person"), scene_of(background, read), read, deep=_is_deep(image)
    )
    return Blended(**_parts(done, isinstance(image, Pillow.Image)), notes=notes)


@overload
def replace_background(
    image: Pillow.Image,
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Replaced[Pillow.Image]: ...
@overload
def replace_background(
    image: Array,
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Replaced[Array]: ...
def replace_background(
    image: Image,
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    shadow: Shadow | None = None,
    settings: SettingsTables | None = None,
) -> Replaced[Any]:
    """Find the subject and put it before a new background, as ``vivid replace`` does.

    Args:
        image: as in ``find_mask``.
        prompt: the background in words. SDXL paints it where there is a GPU and its weights; else a studio backdrop is
            drawn with the prompt's colours and light.
        background: an image of any size, a colour such as ``"#ffffff"``, or ``"transparent"``, in the prompt's place.
        mask: your own mask, as ``alpha`` in ``blend``; no tier is tried then.
        seed: the same seed gives the same background.
        generator: ``auto``, ``sdxl``, ``text_to_image``, ``text_to_image:ORG/NAME@COMMIT``, ``backdrop`` or an
            installed package's; else the settings'.
        tiers: as in ``find_mask``.
        shadow: as in ``blend``.
        settings: as in ``find_mask``. ``{"composites": {"canvas": "2000x2000", "fit": "subject", "padding": 0.075}}``
            places the subject on a canvas, whose size the composite, the cut-out and ``alpha`` then have.

    Returns:
        The composite, the cut-out and the mask, and who made the mask and the background.

    Raises:
        TypeError: something is no array and no Pillow image.
        ValueError: there is neither prompt nor background, something does not fit, or no tier can answer.
        resources.errors.ModelUnavailable: the requested generator cannot be used here; the message says why.
        resources.errors.MachineFault: no picture can be processed, such as for want of memory.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import replace_background
        >>> photo = np.full((48, 64, 3), 214, np.uint8)
        >>> photo[12:36, 20:44] = (180, 40, 30)
        >>> done = replace_background(photo, "navy blue paper", generator="backdrop", tiers=["gradients"])
        >>> done.composite.shape, done.composite[24, 32].tolist(), done.background
        ((48, 64, 3), [180, 40, 30], 'studio backdrop')
    """
    if not prompt and background is None:
        raise ValueError("There is neither a prompt nor a background: give one of them.")
    read = read_settings(settings, shadow=shadow)
    own = None if background is None else scene_of(background, read)
    given = None if mask is None else Alpha(mask_of(mask), "person")
    with _models() as models:
        masks = models.masks(read, tiers)
        scenes = Scenes(read, models.leases, prompt=prompt, own=own, seed=seed, generator=generator)
        solved, scene, done = replaced(_picture(image, read), given, masks, scenes, read, deep=_is_deep(image))
    as_pillow = isinstance(image, Pillow.Image)
    found = _found(solved, masks, as_pillow=as_pillow)
    notes = (*found.notes, *scene.notes, *done.notes)
    return Replaced(**_parts(done, as_pillow), notes=notes, mask=found, background=scene.by)


@overload
def make_renditions(
    image: Pillow.Image,
    renditions: Sequence[str],
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    settings: SettingsTables | None = None,
) -> dict[str, Replaced[Pillow.Image]]: ...
@overload
def make_renditions(
    image: Array,
    renditions: Sequence[str],
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    settings: SettingsTables | None = None,
) -> dict[str, Replaced[Array]]: ...
def make_renditions(
    image: Image,
    renditions: Sequence[str],
    prompt: str = "",
    *,
    background: Image | str | None = None,
    mask: Image | None = None,
    seed: int = 42,
    generator: str | None = None,
    tiers: Sequence[str] | None = None,
    settings: SettingsTables | None = None,
) -> dict[str, Replaced[Any]]:
    """Make several composites of one picture from one mask, as ``vivid replace --rendition`` does.

    Args:
        image: as in ``find_mask``.
        renditions: names of presets (``amazon-main``, ``google-shopping``, ``square-white``, ``cut-out``, ``story``),
            or of ``[renditions]`` in the settings.
        prompt: the background in words, for those with neither words nor a background of their own.
        background: in the prompt's place, as in ``replace_background``.
        mask: as in ``replace_background``.
        seed: for those without one.
        generator: as in ``replace_background``, for those without one.
        tiers: as in ``find_mask``.
        settings: as in ``find_mask``; ``{"renditions": {"brand": {"background": "#3a7d12"}}}`` declares one here.

    Returns:
        By name, what ``replace_background`` returns. ``notes`` have the rules of its preset that a composite breaks.

    Raises:
        TypeError: something is no array and no Pillow image.
        ValueError: there is no such rendition, one has neither prompt nor background, something does not fit, or no
            tier can answer.
        resources.errors.ModelUnavailable: the requested generator cannot be used here; the message says why.
        resources.errors.MachineFault: no picture can be processed, such as for want of memory.

    Example:
        >>> import numpy as np
        >>> from vivid_assets import make_renditions
        >>> photo = np.full((48, 64, 3), 214, np.uint8)
        >>> photo[12:36, 20:44] = (180, 40, 30)
        >>> brand = {"background": "#3a7d12", "canvas": "80x80", "fit": "subject", "padding": 0.1}
        >>> done = make_renditions(
        ...     photo, ["brand", "cut-out"], tiers=["gradients"], settings={"renditions": {"brand": brand}}
        ... )
        >>> done["brand"].composite.shape, done["brand"].composite[1, 1].tolist(), done["cut-out"].composite.shape
        ((80, 80, 3), [58, 125, 18], (48, 64, 4))
    """
    read = read_settings(settings)
    wanted = [(name, read.rendition(name)) for name in renditions]
    own = None if background is None else scene_of(background, read)
    given = None if mask is None else Alpha(mask_of(mask), "person")
    as_pillow = isinstance(image, Pillow.Image)
    made: dict[str, Replaced[Any]] = {}
    with _models() as models:
        masks = models.masks(read, tiers)
        several = Renditions(read, models.leases, wanted, prompt=prompt, own=own, seed=seed, generator=generator)
        solved = masks.solve(_picture(image, read), given)
        found = _found(solved, masks, as_pillow=as_pillow)
        for laid in several.of(solved, deep=renditions if _is_deep(image) else ()):
            notes = (*found.notes, *laid.notes)
            made[laid.rendition] = Replaced(
                **_parts(laid.done, as_pillow), notes=notes, mask=found, background=laid.scene.by
            )
    return made


def _picture(image: Image, settings: Settings) -> Picture:
    return picture_of(image, max_pixels=round(settings.prepared_images.max_megapixels * 1e6))


def scene_of(background: Image | str, settings: Settings) -> Scene:
    if not isinstance(background, str):
        return picture_scene(_picture(background, settings), "your own")
    if not is_plain(background):
        raise ValueError(f"A background is an image, a colour such as '#ffffff' or 'transparent', not {background!r}.")
    return plain_scene(background)


def _is_deep(image: Image) -> bool:
    return isinstance(image, np.ndarray) and image.dtype == np.uint16


def _found(solved: Solved, masks: Masks, *, as_pillow: bool) -> FoundMask[Any]:
    notes = (*solved.notes, *(note for note in (masks.note, solved.mask.degraded) if note))
    mask, alpha = solved.mask, solved.full_size
    return FoundMask(pillow_of(alpha) if as_pillow else alpha, solved.by, mask.verdict, mask.reason, mask.right, notes)


def _parts(done: Blend, as_pillow: bool) -> dict[str, Any]:
    """What all composites have, as arrays or as Pillow's images."""
    cutout = done.cutout
    composite = done.composite if done.opacity is None else cutout
    images = {"composite": composite, "cutout": cutout, "alpha": done.alpha}
    return {
        **{name: pillow_of(image) if as_pillow else image for name, image in images.items()},
        "halo": done.measures.halo,
        "leakage": done.measures.leakage,
        "shadow": done.shadow.kind,
    }
