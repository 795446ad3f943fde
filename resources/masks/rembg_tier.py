"""Any of rembg's networks as a mask tier: ``rembg:isnet-general-use``."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from resources.errors import ModelUnavailable
from resources.masks import rembg_sessions as rembg
from resources.masks.onnx_net import OnnxNet
from resources.masks.onnx_tier import OnnxTier
from resources.runtime.device import Device
from resources.runtime.packages import demand
from resources.weights.hub import fingerprint
from resources.weights.licences import OF_REMBG, UNKNOWN, without_consent


class Rembg(OnnxTier):
    """A network of the installed rembg, with rembg's own preparation of pictures and without its stretching."""

    purpose: ClassVar[str] = "masks"

    model: str = Field(default="", description="rembg's name; a tier's name has it after the colon, as rembg:silueta.")
    non_commercial: bool = Field(
        default=False, description="Consent to networks whose licence forbids commercial use, such as bria-rmbg."
    )

    @property
    def title(self) -> str:  # type: ignore[override]
        """Rembg and the network's name."""
        return f"rembg's {self.model}"

    @property
    def licence(self) -> str:  # type: ignore[override]
        """The network's."""
        return OF_REMBG.get(self.model, UNKNOWN)

    @property
    def answers(self) -> Literal["probability", "matte"]:  # type: ignore[override]
        """BiRefNet's kin answer with an alpha."""
        return "matte" if self.model.startswith(rembg.MATTES) else "probability"

    @property
    def revision(self) -> str:
        """The network's content, read in a sample.

        Raises:
            ModelUnavailable: it is not here.
        """
        return f"rembg-{self.model}-{fingerprint(self._file())}"

    @classmethod
    def models(cls) -> Sequence[str]:
        """The installed rembg's names that make masks."""
        return [name for name in rembg.sessions() if rembg.unusable(name) is None]

    def of_model(self, model: str) -> "Rembg":
        """The tier of rembg's network of that name. Raises ValueError: the installed rembg has none."""
        # Those that are known without rembg, whose import takes a third of a second for settings that only name one.
        if model not in OF_REMBG:
            rembg.session_named(model)
        return self.model_copy(update={"model": model})

    def missing(self) -> str | None:
        """What it lacks here, in a sentence; None when its weights are here."""
        try:
            demand("A network of rembg", ("onnxruntime", "rembg"))
            if refusal := self.refusal():
                return refusal
            self._file()
        except ModelUnavailable as error:
            return str(error)
        return None

    def refusal(self) -> str | None:
        """Why it is not used although it was named."""
        return without_consent(f"rembg's {self.model}", self.licence, "rembg", non_commercial=self.non_commercial)

    def fetched(self) -> Sequence[str]:
        """The name that rembg fetches it by."""
        return [self.model] if self.model else []

    def pull(self) -> Sequence[Path]:
        """Let rembg fetch it. Raises ModelUnavailable."""
        return [rembg.pull(self._named())]

    def prepared(self) -> Callable[[np.ndarray], np.ndarray]:
        """As rembg does it. Raises ModelUnavailable without the consent that the licence needs."""
        if refusal := self.refusal():
            raise ModelUnavailable(refusal)
        return partial(rembg.fed, self._named())

    def load(self, device: Device) -> OnnxNet:
        """Load rembg's file, read as rembg reads it."""
        return OnnxNet(self._file(), device, rembg.reading_of(self.model))

    def _named(self) -> str:
        """The network's name, of one that can be used. Raises ModelUnavailable."""
        if not self.model:
            raise ModelUnavailable(f"Which of rembg's networks? Name it, as rembg:{'; rembg:'.join(self.models())}.")
        try:
            reason = rembg.unusable(self.model)
        except ValueError as error:  # known, but not to the rembg that is installed
            raise ModelUnavailable(str(error)) from error
        if reason:
            raise ModelUnavailable(reason)
        return self.model

    def _file(self) -> Path:
        name = self._named()
        if (place := rembg.file_of(name)) is None:
            raise ModelUnavailable(
                f"{name}.onnx is not on this machine. Fetch it once with `vivid models pull rembg:{name}`."
            )
        return place
