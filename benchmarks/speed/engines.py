"""U²-Net's network by several engines and precisions: CPU time a picture, and how far its masks are from float32's.

    pip install onnx openvino nncf  # beside what the project has; an engine that is not there is left out by name
    python -m benchmarks.speed.engines --photographs ~/products ~/others --calibrate ~/more

Decides what engine U²-Net runs by: another one must take at least a tenth less CPU time than ncnn in float32, with no
picture's intersection over union (of what is above one half) under .99. All have one thread. Integers of 8 bits have a
scale for each channel; stages of the network, by the names of its paper, can be left in float32.
"""

import argparse
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from resources.masks.u2net import INPUT_SIDE, load, preprocess
from resources.weights import pull as weights
from vivid_assets.imaging.io.codec import decode

Run = Callable[[np.ndarray], np.ndarray]
"""A network: float32 1×3×320×320 in, 320×320 out."""

LEAST_IOU, MOST_TIME = 0.99, 0.9
KEPT = ((), ("1", "1d"), ("1", "2", "1d", "2d"), ("1", "2", "1d", "2d", "4d", "5d"))
"""Stages that stay in float32 beside the sides; the outer ones are those of most pixels."""
_ENDS = {
    "1": 134,
    "2": 245,
    "3": 331,
    "4": 392,
    "5": 413,
    "6": 434,
    "5d": 474,
    "4d": 554,
    "3d": 659,
    "2d": 789,
    "1d": 944,
}
"""By stage of the published u2net.onnx: what the numbers in its convolutions' names are below."""


def stage(name: str) -> str:
    """The stage of a convolution, by its name in the published file: ``Conv_0`` is of stage 1."""
    found = re.search(r"Conv_(\d+)", name)
    number = int(found.group(1)) if found else 10**6
    return next((one for one, end in _ENDS.items() if number < end), "side")


def ncnn(**options: bool) -> Run:
    """As the product runs it, or with other options of ncnn's."""
    import ncnn as library

    load("u2net")  # converts it, the first time
    place = next(weights.path("u2net").parent.glob("u2net-*.ncnn"))
    net = library.Net()
    net.opt.num_threads = 1
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, options.get(option, False))
    net.load_param(str(place / "net.param"))
    net.load_model(str(place / "net.bin"))

    def run(pixels: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("in0", library.Mat(np.ascontiguousarray(pixels[0])))
            return np.array(extractor.extract("out0")[1])[0]

    return run


def onnxruntime(file: Path) -> Run:
    """One thread of its CPU provider."""
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = library.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda pixels: np.asarray(session.run([output], {name: pixels})[0])[0, 0]


class Integers:
    """The published network for onnxruntime in 8 bits, calibrated once."""

    def __init__(self, folder: Path, calibrate: Sequence[np.ndarray]) -> None:
        import onnx
        from onnx import version_converter
        from onnxruntime.quantization import calibrate as library
        from onnxruntime.quantization.shape_inference import quant_pre_process

        self._prepared, newer = folder / "prepared.onnx", folder / "newer.onnx"
        # A scale for each channel is newer than the file.
        onnx.save(version_converter.convert_version(onnx.load(weights.path("u2net")), 17), newer)
        quant_pre_process(str(newer), str(self._prepared), skip_symbolic_shape=True)
        name = onnx.load(self._prepared).graph.input[0].name

        class Pictures(library.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._left = iter(calibrate)

            def get_next(self) -> dict[str, np.ndarray] | None:
                return next(({name: one} for one in self._left), None)

        calibrator = library.create_calibrator(
            self._prepared,
            ["Conv"],
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=library.CalibrationMethod.MinMax,
        )
        calibrator.collect_data(Pictures())
        self._ranges = calibrator.compute_data()
        self._file = folder / "integers.onnx"

    def run(self, kept: Sequence[str]) -> Run:
        """With those stages in float32."""
        import onnx
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        model = onnx.load(self._prepared)
        names = [node.name for node in model.graph.node if node.op_type == "Conv"]
        floats = [name for name in names if stage(name) in (*kept, "side")]
        quantizer = QDQQuantizer(
            model, True, False, QuantType.QInt8, QuantType.QUInt8, self._ranges, [], floats, ["Conv"], {}
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(self._file), False)
        return onnxruntime(self._file)


def openvino(precision: str, calibrate: Sequence[np.ndarray] = (), kept: Sequence[str] = ()) -> Run:
    """One thread; with pictures to calibrate by, in 8 bits by NNCF, all but the stages that are kept."""
    import openvino as library

    core = library.Core()
    model = core.read_model(weights.path("u2net"))
    model.reshape([1, 3, INPUT_SIDE, INPUT_SIDE])
    if calibrate:
        import nncf

        nncf.set_log_level(logging.ERROR)
        names = [one.get_friendly_name() for one in model.get_ops() if one.get_type_name() == "Convolution"]
        floats = nncf.IgnoredScope(names=[name for name in names if stage(name) in (*kept, "side")])
        pictures = nncf.Dataset([*calibrate])
        preset = nncf.QuantizationPreset.MIXED
        model = nncf.quantize(model, pictures, preset=preset, ignored_scope=floats, subset_size=len(calibrate))
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(model, "CPU", options).create_infer_request()
    return lambda pixels: np.asarray(request.infer([pixels])[0])[0, 0].copy()


def engines(folder: Path, calibrate: Sequence[np.ndarray]) -> Iterator[tuple[str, Callable[[], Run]]]:
    """By what they are called in the table; the first is what the product runs, and the measure."""
    yield "ncnn, float32", ncnn
    yield "ncnn, bfloat16", lambda: ncnn(use_bf16_storage=True)
    yield "onnxruntime, float32", lambda: onnxruntime(weights.path("u2net"))
    made: list[Integers] = []

    def integers(kept: Sequence[str]) -> Run:
        if not made:
            made.append(Integers(folder, calibrate))
        return made[0].run(kept)

    for kept in KEPT:
        yield f"onnxruntime, 8 bits{_but(kept)}", lambda kept=kept: integers(kept)  # type: ignore[misc]
    yield "OpenVINO, float32", lambda: openvino("f32")
    yield "OpenVINO, bfloat16", lambda: openvino("bf16")
    for kept in KEPT:
        yield f"OpenVINO, 8 bits{_but(kept)}", lambda kept=kept: openvino("f32", calibrate, kept)  # type: ignore[misc]


def _but(kept: Sequence[str]) -> str:
    return f", float32 in stages {', '.join(kept)}" if kept else ""


def measured(run: Run, pictures: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Answers, and CPU seconds a picture."""
    run(pictures[0])
    started = time.process_time()
    answers = [run(one) for one in pictures]
    return answers, (time.process_time() - started) / len(pictures)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of what is above one half; 1 where neither has any."""
    either = ((one > 0.5) | (other > 0.5)).sum()
    return float(((one > 0.5) & (other > 0.5)).sum() / either) if either else 1.0


def pictures_of(folders: Sequence[Path], most: int) -> list[np.ndarray]:
    """As the network is fed: from each folder ``most``, evenly."""
    found = []
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        found += paths[:: max(1, len(paths) // most)][:most]
    return [preprocess(decode(path.read_bytes(), longest=1024).rgb)[None] for path in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photographs", type=Path, nargs="+", required=True, help="folders of photographs to measure by"
    )
    parser.add_argument("--calibrate", type=Path, required=True, help="a folder of others, for 8 bits")
    parser.add_argument("--most", type=int, default=40, help="photographs of each folder; 12 to calibrate by")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pictures, calibrate = pictures_of(options.photographs, options.most), pictures_of([options.calibrate], 12)
    print(
        f"{len(pictures)} photographs\n\n| engine | CPU s | of ncnn's | mean difference | IoU median | worst | may be |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        own: tuple[list[np.ndarray], float] | None = None
        for name, make in engines(Path(place), calibrate):
            try:
                answers, seconds = measured(make(), pictures)
            except ModuleNotFoundError as error:
                print(f"| {name} | no module {error.name} | | | | | |", flush=True)
                continue
            own = own or (answers, seconds)
            differences = [float(np.abs(one - other).mean()) for one, other in zip(answers, own[0], strict=True)]
            overlaps = [overlap(one, other) for one, other in zip(answers, own[0], strict=True)]
            part, worst = seconds / own[1], min(overlaps)
            may = "it is" if part == 1 else "yes" if worst >= LEAST_IOU and part <= MOST_TIME else "no"
            figures = f"{np.mean(differences):.4f} | {np.median(overlaps):.4f} | {worst:.4f}"
            print(f"| {name} | {seconds:.2f} | {part:.2f} | {figures} | {may} |", flush=True)


if __name__ == "__main__":
    main()
