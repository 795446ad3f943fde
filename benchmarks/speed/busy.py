"""What share of a shard's time a GPU would be busy, with one that is simulated.

    python -m benchmarks.speed.busy
    python -m benchmarks.speed.busy --pictures 128 --photographs ~/products

The stages masks and backgrounds, as they are, over pictures of seven shapes, a third of them with long prompts. In the
place of BiRefNet and SDXL stand models whose calls take a set time, in which they leave the processors to the others,
as a GPU does. Their answers cost nothing; what is before and after them (decoding, resizing, finishing, encoding, the
store) is the product's own.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.speed.shards import open_shards
from resources.masks.birefnet import BiRefNet
from resources.resource import Resource
from resources.runtime.device import Device
from resources.runtime.lease import lease
from resources.scenes.maker import SceneMaker
from resources.scenes.request import Scene, SceneRequest
from resources.scenes.sdxl import SDXL
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.flow import stage_named
from vivid_assets.stages.stage import Shard

SHAPES = ((1024, 1024), (896, 1152), (1152, 896), (832, 1216), (1216, 832), (768, 1344), (1344, 768))
LONG = "a wide oak table by a tall window, soft morning light from the left, linen curtains, " * 8
MASK_S, SCENE_S = 0.07, 0.15


class Clock:
    """When the simulated device was busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.busy = 0.0
        self.calls: list[int] = []

    def work(self, seconds: float, pictures: int) -> None:
        """Keep the device busy, for one call at a time."""
        with self._lock:
            time.sleep(seconds * pictures)
            self.busy += seconds * pictures
            self.calls.append(pictures)


CLOCK = Clock()


class SimulatedBiRefNet(BiRefNet):
    """BiRefNet's own batches and sizes around a network that takes a set time and sees an ellipse."""

    def missing(self) -> str | None:
        return None

    @property
    def revision(self) -> str:
        return "simulated"

    def _device(self) -> Device:
        return Device("cpu", "float32", "simulated")

    def _load(self, variant: Any, device: Device) -> Callable[[np.ndarray], np.ndarray]:  # noqa: ARG002
        rows, columns = np.mgrid[: self.size, : self.size] / self.size - 0.5
        answer = np.float32(1 / (1 + np.exp(200 * (np.hypot(rows / 0.8, columns / 0.6) - 0.5))))

        def segment(images: np.ndarray) -> np.ndarray:
            CLOCK.work(MASK_S, len(images))
            return np.broadcast_to(answer, (len(images), *answer.shape))

        return segment


class SimulatedSdxl(SDXL):
    """SDXL's own planning and batches around a model that takes a set time and paints noise."""

    def missing(self) -> str | None:
        return None

    @property
    def revision(self) -> str:
        return "simulated"

    @contextmanager
    def lease(self) -> Iterator[SceneMaker]:
        device = Device("cpu", "float32", "simulated")
        with lease("simulated", lambda _: _Painter(), lambda: device) as shared:
            yield SceneMaker(shared, self.size, self.batch_size, "SDXL", fill=self.compile != "off")


class _Painter:
    def __init__(self) -> None:
        self._noise = np.random.default_rng(0).integers(60, 200, (1536, 1536, 3), np.uint8)
        self._noise = cv2.GaussianBlur(self._noise, (0, 0), 4)

    def words(self, request: SceneRequest) -> int:
        return 1 + len(request.prompt) // 400

    def make(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> list[Scene | Exception]:
        CLOCK.work(SCENE_S, len(requests))
        return [Scene(np.ascontiguousarray(self._noise[: sides[0], : sides[1]]), {}) for _ in requests]


MODELS: dict[str, Resource] = {"birefnet": SimulatedBiRefNet(), "sdxl": SimulatedSdxl(batch_size=8)}


def fill(folder: Path, count: int, photographs: Path | None) -> None:
    """``count`` pictures of seven shapes and a manifest: drawn with grain, or photographs cut to these shapes."""
    found = cycle(sorted(photographs.glob("*.jpg"))) if photographs else None
    lines = ["image,prompt,seed"]
    dice = np.random.default_rng(0)
    grain = dice.normal(0, 2, (1400, 1400, 3))
    for number, (height, width) in zip(range(count), cycle(SHAPES), strict=False):
        if found:
            picture = cv2.resize(cv2.imread(str(next(found))), (width, height), interpolation=cv2.INTER_AREA)
        else:
            flat = np.full((height, width, 3), dice.integers(170, 235, 3), np.uint8)
            color = [int(one) for one in dice.integers(10, 150, 3)]
            cv2.ellipse(flat, (width // 2, height // 2), (width * 3 // 10, height * 4 // 10), 0, 0, 360, color, -1)
            picture = np.uint8(np.clip(flat + grain[:height, :width], 0, 255))
        name = f"{number:05d}.jpg"
        cv2.imwrite(str(folder / name), picture)
        lines.append(f'{name},"{LONG if number % 3 == 0 else "a marble counter"}",{number}')
    (folder / "manifest.csv").write_text("\n".join(lines))


def measure(stage: str, shard: Shard) -> str:
    """A stage over a shard: pictures a second, and the device's share of the time."""
    CLOCK.busy, CLOCK.calls = 0.0, []
    with stage_named(stage).at_work(shard) as work:
        started, before = time.perf_counter(), time.process_time()
        outcome = work.run(live_pictures(shard.store, shard.name))
        seconds, processor = time.perf_counter() - started, time.process_time() - before
    failed = sum(row["status"] != "ok" for row in outcome.rows)
    batch = f"{np.mean(CLOCK.calls):.1f}" if CLOCK.calls else "–"
    share = f"{CLOCK.busy / seconds:.0%}" if CLOCK.calls else "–"
    own = processor / max(1, len(outcome.rows)) * 1e3
    cells = (stage, len(outcome.rows), failed, f"{seconds:.1f}", f"{own:.0f}", share, batch, sum(CLOCK.calls))
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--photographs", type=Path, help="a folder of JPEGs to cut the pictures from")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        fill(folder, options.pictures, options.photographs)
        settings = Path(place) / "vivid.toml"
        settings.write_text('[backgrounds]\ngenerator = "sdxl"\n')
        shards = open_shards(Store(root=str(Path(place) / "store")), folder, settings, MODELS)
        print(f"BiRefNet simulated at {MASK_S * 1e3:.0f} ms a picture, SDXL at {SCENE_S * 1e3:.0f} ms a scene\n")
        print("| stage | pictures | failed | seconds | CPU ms a picture | device busy | mean batch | computed |")
        print("|---|---|---|---|---|---|---|---|")
        for shard in shards:
            for stage in ("prepared_images", "analysis", "enhanced_prompts", "masks", "backgrounds"):
                line = measure(stage, shard)
                print(line, flush=True)


if __name__ == "__main__":
    main()
