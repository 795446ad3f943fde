"""OpenCLIP: what a picture shows, how it is lit and what mood it has, asked in words."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, Field

from resources.clip.clip_model import ClipModel, load_clip, pretrained_weights
from resources.clip.clip_prompts import ATMOSPHERE, LIGHTING, SUBJECT, prompts_digest
from resources.errors import ModelUnavailable
from resources.resource import Resource, Taste
from resources.runtime.batches import Batches
from resources.runtime.device import Device, DeviceName, DType, decide
from resources.runtime.lease import Shared, lease
from resources.runtime.packages import demand
from resources.weights.hub import Weights, check_digest
from resources.weights.model_files import OPEN_CLIP

UNKNOWN = "unknown"

_DEFAULT = ("ViT-B-32", "laion2b_s34b_b79k")
_DEFAULT_AT = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""Where open_clip has the default weights; asking it would import PyTorch."""


@dataclass(frozen=True)
class Answer:
    """CLIP's answer to one question about a picture."""

    label: str
    """The likeliest; ``unknown`` where the gate stays shut."""
    confidence: float
    """Probability of the likeliest label, 0..1, whether or not the gate opened."""
    probabilities: Mapping[str, float]
    """Over all labels of the question; they sum to 1."""


@dataclass(frozen=True)
class Scores:
    """What CLIP says about one picture, of the picture as a whole."""

    subject: Answer
    """``person``, ``animal``, ``object``, ``nature`` or ``building``."""
    lighting: Answer
    """``golden hour``, ``soft diffused`` or ``bright daylight``."""
    atmosphere: Answer
    """``professional``, ``natural``, ``elegant`` or ``cozy``."""


class ClipLook(Taste):
    """How sure an answer about a picture must be: entries of OpenClip's."""

    temperature: float = Field(1.0, gt=0, le=100)
    min_confidence: float = Field(0.5, ge=0, le=1)
    min_margin: float = Field(0.1, ge=0, le=1)


class OpenClip(Resource):
    """Zero-shot classification by OpenCLIP, on a GPU or a CPU."""

    for_catalogues: ClassVar[type[BaseModel] | None] = ClipLook

    model: str = Field(default="ViT-B-32", description="open_clip's name of the architecture, or local-dir:/a/folder.")
    pretrained: str = Field(
        default="laion2b_s34b_b79k",
        description="open_clip's name of the weights; with a checkpoint, how those weights were trained.",
    )
    hub_revision: str = Field(
        default="1a25a446712ba5ee05982a381eed697ef9b435cf", description="Commit of the hub's repository of pretrained."
    )
    checkpoint: str = Field(
        default="", description="Path of a weights file of this architecture, in pretrained's place."
    )
    checkpoint_sha256: str = Field(default="", description="The checkpoint must have this SHA-256, if set.")
    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")
    dtype: DType = Field(default="auto", description="auto is float16 on CUDA and float32 elsewhere.")
    batch_size: int = Field(default=64, ge=1, description="Pictures at once; halved when memory runs out.")
    temperature: float = Field(
        default=1.0, gt=0, description="Divides the model's logit scale: above 1 softens scores that are too sure."
    )
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="A less likely answer is unknown.")
    min_margin: float = Field(default=0.1, ge=0, le=1, description="A smaller lead over the next answer is unknown.")
    download: bool = Field(default=False, description="Fetch missing weights from the hub in the middle of a run.")

    @property
    def revision(self) -> str:
        """What a row's key needs of this model: weights, prompts, temperature, gate. Loads and imports nothing.

        Raises:
            ModelUnavailable: the local checkpoint or folder is not there.
        """
        local = self._local()
        weights = local.identity if local else f"{self.pretrained}@{self.hub_revision}"
        parts = (self.model, weights, prompts_digest(), self.temperature, self.min_confidence, self.min_margin)
        return "open_clip-" + hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when its weights are here or may be fetched.

        Imports no PyTorch for the default weights, so a shard without a model costs no import of seconds.
        """
        try:
            demand("OpenCLIP", ("torch", "open_clip"))
            weights = self.weights()
            if weights.is_local or not self.download:
                weights.folder()
        except ModelUnavailable as error:
            return str(error)
        return None

    @contextmanager
    def lease(self) -> Iterator["Classifier"]:
        """A classifier for as long as the block runs: loaded on its first call, freed when the block ends."""
        key = f"{self.revision} {self.device} {self.dtype}"
        device = partial(decide, self.device, self.dtype)
        with lease(key, self._load, device, what=f"OpenCLIP ({self.model}, {self.pretrained})") as shared:
            yield Classifier(shared, self)

    def pull(self) -> Path:
        """Fetch the weights from the hub, if they are not here yet, and return where they lie.

        Raises:
            ModelUnavailable: the hub cannot be reached.
        """
        return self.weights().folder(download=True)

    def weights(self) -> Weights:
        """The file or files that the settings need.

        Raises:
            ModelUnavailable: open_clip has no such weights on the hub.
        """
        if local := self._local():
            return local
        if (self.model, self.pretrained) == _DEFAULT:
            return Weights(_DEFAULT_AT, self.hub_revision, ("open_clip_model.safetensors",))
        return pretrained_weights(self.model, self.pretrained, self.hub_revision)

    def _local(self) -> Weights | None:
        if self.checkpoint:
            return Weights(str(Path(self.checkpoint).expanduser().absolute()), "")
        if self.model.startswith("local-dir:"):
            folder = Path(self.model.removeprefix("local-dir:")).expanduser().absolute()
            return Weights(str(folder), "", OPEN_CLIP)
        return None

    def _load(self, device: Device) -> ClipModel:
        demand("OpenCLIP", ("torch", "open_clip"))
        weights = self.weights()
        file = weights.folder(download=self.download)
        if not self.checkpoint:
            file /= weights.files[-1]
        if self.checkpoint_sha256:
            check_digest(file, self.checkpoint_sha256)
        return load_clip(self.model, self.pretrained, file, device)


class Classifier:
    """A leased OpenCLIP model."""

    def __init__(self, shared: Shared[ClipModel], settings: OpenClip) -> None:
        self._shared = shared
        self._settings = settings
        self._batches: Batches[np.ndarray, dict[str, dict[str, float]]] = Batches(
            self._ask, settings.batch_size, "OpenCLIP"
        )

    def classify(self, images: Sequence[np.ndarray]) -> list[Scores | Exception]:
        """Scores of each picture, in order; an exception as an entry is that picture's failure.

        Args:
            images: uint8 H×W×3 sRGB each; sizes may differ.

        Raises:
            ModelUnavailable: on the first call, if the weights are not here or not what they should be.
            MachineFault: the device that was asked for is not there, or it has failed.
        """
        return [asked if isinstance(asked, Exception) else self._scores(asked) for asked in self._batches(images)]

    def _ask(self, images: list[np.ndarray]) -> list[dict[str, dict[str, float]]]:
        with self._shared.use() as model:
            return model.ask(images, self._settings.temperature)

    def _scores(self, asked: Mapping[str, Mapping[str, float]]) -> Scores:
        return Scores(*(self._answer(asked[question]) for question in (SUBJECT, LIGHTING, ATMOSPHERE)))

    def _answer(self, probabilities: Mapping[str, float]) -> Answer:
        first, second = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:2]
        confidence = probabilities[first]
        sure = (
            confidence >= self._settings.min_confidence
            and confidence - probabilities[second] >= self._settings.min_margin
        )
        return Answer(first if sure else UNKNOWN, confidence, probabilities)
