"""Any ONNX file as a mask tier, ``onnx:/a/file.onnx``, by a small TOML file of the same name beside it."""

import hashlib
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resources.errors import ModelUnavailable, first_line
from resources.masks.letterbox import fitted
from resources.masks.onnx_net import OnnxNet, Reading
from resources.masks.onnx_tier import OnnxTier
from resources.runtime.device import Device
from resources.runtime.packages import demand
from resources.weights.hub import fingerprint

Three = tuple[float, float, float]
Side = Annotated[int, Field(ge=16, le=4096)]
_IMAGENET = (0.485, 0.456, 0.406)


class Normalisation(BaseModel):
    """What a network was trained to see: the picture as 0..1, minus ``mean``, divided by ``std``, by channel."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: Three = _IMAGENET
    std: Three = (0.229, 0.224, 0.225)
    by_maximum: bool = False
    """Whether a picture is first divided by its own largest value, and not by 255."""

    def of(self, image: np.ndarray) -> np.ndarray:
        """float32 3×H×W from uint8 H×W×3."""
        largest = max(int(image.max()), 1) if self.by_maximum else 255
        pixels = (image.astype(np.float32) / largest - np.array(self.mean)) / np.array(self.std)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)


NORMALISATIONS = {
    "imagenet": Normalisation(),
    "imagenet_max": Normalisation(by_maximum=True),
    "isnet": Normalisation(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)),
    "isnet_anime": Normalisation(std=(1.0, 1.0, 1.0)),
}
"""BiRefNet and RMBG-2.0; U²-Net and its kin; IS-Net and BEN; IS-Net for drawings."""


class Described(BaseModel):
    """What the TOML file beside a network says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Side | tuple[Side, Side]
    """The side that pictures are stretched to, or height and width."""
    normalisation: Literal["imagenet", "imagenet_max", "isnet", "isnet_anime"] | Normalisation
    output: Reading
    output_name: str = ""
    """The first output if empty."""
    answers: Literal["probability", "matte"] = "probability"
    licence: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def seen(self) -> Normalisation:
        """The normalisation, by name or as it is given."""
        return NORMALISATIONS[self.normalisation] if isinstance(self.normalisation, str) else self.normalisation


_EXAMPLE = 'size = 1024, normalisation = "imagenet" and output = "logits"'


class OnnxFile(OnnxTier):
    """A network in an ONNX file of the user's; how it is used is in the TOML file beside it."""

    purpose: ClassVar[str] = "masks by an ONNX file of yours"

    model: str = Field(default="", description="The file; a tier's name has it after the colon: onnx:/a/file.onnx.")

    def of_model(self, model: str) -> "OnnxFile":
        """The tier of that file. Raises ValueError: its name does not end in .onnx."""
        if not model.endswith(".onnx"):
            raise ValueError(f"onnx:{model} names no file that ends in .onnx.")
        return self.model_copy(update={"model": model})

    @property
    def title(self) -> str:  # type: ignore[override]
        """The file's name."""
        return Path(self.model).name

    @property
    def licence(self) -> str:  # type: ignore[override]
        """As the TOML file has it."""
        return self._described().licence

    @property
    def answers(self) -> Literal["probability", "matte"]:  # type: ignore[override]
        """As the TOML file has it."""
        return self._described().answers

    @property
    def revision(self) -> str:
        """The network's content, read in a sample, and how it is used.

        Raises:
            ModelUnavailable: a file is not there, or the TOML file is wrong.
        """
        how = self._described().model_dump_json(exclude={"licence"})
        return f"onnx-{fingerprint(self._file())}-{hashlib.blake2b(how.encode(), digest_size=8).hexdigest()}"

    def missing(self) -> str | None:
        """Which file is not there, or what the TOML file lacks, in a sentence."""
        try:
            demand("An ONNX file", ["onnxruntime"])
            self._file()
            self._described()
        except ModelUnavailable as error:
            return str(error)
        return None

    def prepared(self) -> Callable[[np.ndarray], np.ndarray]:
        """Stretched to the network's size and normalised, as the TOML file has it."""
        return partial(_prepared, self._described())

    def load(self, device: Device) -> OnnxNet:
        """Load the file, read as the TOML file has it."""
        how = self._described()
        return OnnxNet(self._file(), device, how.output, how.output_name)

    def _file(self) -> Path:
        if not self.model:
            raise ModelUnavailable("Which ONNX file? Name it, as onnx:/a/file.onnx.")
        place = Path(self.model).expanduser()
        if not place.is_file():
            raise ModelUnavailable(f"{place} does not exist: correct the name of the tier.")
        return place

    def _described(self) -> Described:
        place = self._file().with_suffix(".toml")
        try:
            return Described.model_validate(tomllib.loads(place.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ModelUnavailable(
                f"{place} does not exist: it says how {self.title} is used, as in {_EXAMPLE}."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ModelUnavailable(f"{place}: {where}: {first['msg']}; needed are entries as {_EXAMPLE}.") from error
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"{place} cannot be read: {first_line(error)}") from error


def _prepared(how: Described, image: np.ndarray) -> np.ndarray:
    return how.seen.of(fitted(image, how.shape, keep_aspect=False))
