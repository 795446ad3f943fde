"""What mask tiers of ONNX networks have in common: their settings, and a lease of the network."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from pydantic import Field

from resources.masks.onnx_net import OnnxMasks, OnnxNet, decide_provider
from resources.masks.tier import MaskModel, MaskTier
from resources.runtime.device import Device, DeviceName
from resources.runtime.lease import lease


class OnnxTier(MaskTier):
    """A network in an ONNX file. Subclasses say which, and how it sees a picture."""

    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")
    batch_size: int = Field(default=4, ge=1, description="Pictures at once; halved when memory runs out.")

    @property
    def at_once(self) -> int:
        """A batch."""
        return self.batch_size

    @contextmanager
    def lease(self) -> Iterator[MaskModel]:
        """The network for as long as the block runs: loaded on its first call, freed when the block ends."""
        prepare = self.prepared()
        key = f"{self.revision} {self.device}"
        with lease(key, self.load, lambda: decide_provider(self.device), what=self.title) as shared:
            yield OnnxMasks(shared, prepare, self.batch_size, self.title)

    @abstractmethod
    def prepared(self) -> Callable[[np.ndarray], np.ndarray]:
        """What makes of a picture (uint8 H×W×3 sRGB) what the network sees: float32 3×H×W.

        Raises:
            ModelUnavailable: the network cannot be used.
        """

    @abstractmethod
    def load(self, device: Device) -> OnnxNet:
        """Load the network. Raises as ``OnnxNet`` does."""
