"""The models' speed and memory against the plain use of each library.

    python benchmarks/models.py                        # full-size architectures, random weights
    python benchmarks/models.py --tiny --device cpu    # seconds: proves that it runs
    python benchmarks/models.py --wheels wheels/       # on a machine with PyTorch alone, see carry.py

Random weights cost the same time and memory as trained ones. BiRefNet's code is not ours to carry: give the
folder of its repository (config.json and the two Python files) with ``--birefnet``; without it that part is
left out, and the table says so. Writes a Markdown table to stdout and, with ``--output``, into a file.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@dataclass(frozen=True)
class Row:
    """One measurement."""

    model: str
    way: str
    per_second: float
    first_s: float
    """Seconds from nothing loaded to the first picture, compilation included."""
    peak_gib: float | None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    options = _options(arguments)
    if options.wheels:
        from benchmarks.carry import unpack

        unpack(options.wheels)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            try:
                rows += _PARTS[name](options, Path(folder))
            except ModuleNotFoundError as error:
                rows.append(Row(name, "not run", float("nan"), float("nan"), None, f"no module {error.name}"))
    text = table(rows, options)
    print(text)
    if options.output:
        options.output.write_text(text)
    return rows


def sdxl(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Plain: one ``pipeline(prompt)`` after the other at half precision. Ours: batches, with and without compile."""
    import diffusers

    from benchmarks.architectures import save_sdxl
    from resources.scenes import SceneRequest
    from resources.sdxl import SDXL

    place = save_sdxl(folder / "sdxl", tiny=options.tiny, device=_device(options))
    side = 64 if options.tiny else 1024
    steps = options.steps
    requests = [
        SceneRequest(f"an empty room, number {n}, soft light", "people", n, side, side) for n in range(options.pictures)
    ]

    def plain() -> Callable[[list[SceneRequest]], Any]:
        vae = diffusers.AutoencoderKL.from_pretrained(place / "vae-fix", dtype=_half(options))
        pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(
            place, vae=vae, variant="fp16", dtype=_half(options)
        ).to(_device(options))
        pipeline.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
        pipeline.set_progress_bar_config(disable=True)

        def one_by_one(requests: list[SceneRequest]) -> None:
            for request in requests:
                pipeline(
                    request.prompt,
                    negative_prompt=request.negative_prompt,
                    num_inference_steps=steps,
                    guidance_scale=7.5,
                    height=side,
                    width=side,
                )

        return one_by_one

    rows = [_measured("SDXL", "pipeline(prompt), one by one", options, plain, requests)]
    for compiled in options.compile:
        for batch in options.batches:
            resource = SDXL(
                model=str(place),
                vae=str(place / "vae-fix"),
                size=side,
                steps=steps,
                device=options.device,
                batch_size=batch,
                compile=compiled,
            )
            way = f"vivid_assets, batch {batch}" + ("" if compiled == "off" else f", compile {compiled}")
            with resource.lease() as generate:
                rows.append(_measured("SDXL", way, options, lambda leased=generate: leased, requests, least=batch))
    return rows


def birefnet(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Plain: the model card's loop. Ours: batches, pixels made floats on the device."""
    import torch
    from PIL import Image
    from torchvision import transforms

    from benchmarks.architectures import save_tiny_birefnet
    from resources.birefnet import BiRefNet
    from resources.birefnet_load import load_module
    from resources.device import Device

    if not options.tiny and not options.birefnet:
        return [Row("BiRefNet", "not run", float("nan"), float("nan"), None, "no --birefnet FOLDER")]
    place = save_tiny_birefnet(folder / "birefnet") if options.tiny else _with_weights(options.birefnet, folder)
    side = 64 if options.tiny else 1024
    pictures = _pictures(options.pictures)
    half = _half(options)

    def plain() -> Callable[[list[np.ndarray]], Any]:
        device = Device(_device(options), str(half).removeprefix("torch."), "")  # type: ignore[arg-type]
        module = load_module(place, device)
        prepare = transforms.Compose(
            [
                transforms.Resize((side, side)),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )

        def loop(images: list[np.ndarray]) -> None:
            for image in images:
                picture = Image.fromarray(image)
                with torch.no_grad():
                    answer = module(prepare(picture)[None].to(device.name, half))[-1].sigmoid().cpu()
                transforms.ToPILImage()(answer[0].float().squeeze()).resize(picture.size)

        return loop

    rows = [_measured("BiRefNet", "the model card's loop", options, plain, pictures)]
    for batch in options.batches:
        resource = BiRefNet(
            model=str(place), trust_remote_code=True, device=options.device, size=side, fit="squash", batch_size=batch
        )
        with resource.lease() as model:
            way = f"vivid_assets, batch {batch}"
            rows.append(
                _measured("BiRefNet", way, options, lambda leased=model: leased.probabilities, pictures, least=batch)
            )
    return rows


def clip(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Plain: open_clip picture by picture. Ours: batches; and what decoding alone costs."""
    import io

    import open_clip
    import torch
    from PIL import Image

    from benchmarks.architectures import save_clip
    from resources.clip_prompts import SUBJECT, prompts_of
    from resources.open_clip import OpenClip

    place = save_clip(folder / "clip", tiny=options.tiny)
    pictures = _pictures(8 * options.pictures)

    def plain() -> Callable[[list[np.ndarray]], Any]:
        module, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{place}", device=_device(options))
        module.eval()
        tokenize = open_clip.get_tokenizer(f"local-dir:{place}")
        with torch.no_grad():
            texts = [module.encode_text(tokenize(p).to(_device(options))).mean(0) for p in prompts_of(SUBJECT).values()]

        def one_by_one(images: list[np.ndarray]) -> None:
            for image in images:
                with torch.no_grad():
                    features = module.encode_image(preprocess(Image.fromarray(image))[None].to(_device(options)))
                    (100 * features @ torch.stack(texts).T).softmax(dim=-1).tolist()

        return one_by_one

    rows = [_measured("OpenCLIP", "one by one", options, plain, pictures)]
    for batch in [8 * batch for batch in options.batches]:
        resource = OpenClip(model=f"local-dir:{place}", device=options.device, batch_size=batch)
        with resource.lease() as classifier:
            way = f"vivid_assets, batch {batch}"
            rows.append(
                _measured("OpenCLIP", way, options, lambda leased=classifier: leased.classify, pictures, least=batch)
            )
    buffer = io.BytesIO()
    Image.fromarray(pictures[0]).save(buffer, "JPEG", quality=92)
    started = time.perf_counter()
    for _ in pictures:
        Image.open(io.BytesIO(buffer.getvalue())).convert("RGB").load()
    decoded = len(pictures) / (time.perf_counter() - started)
    rows.append(Row("OpenCLIP", "for comparison: decoding one 1024² JPEG, one core", decoded, float("nan"), None))
    return rows


_PARTS: dict[str, Callable[[argparse.Namespace, Path], list[Row]]] = {"sdxl": sdxl, "birefnet": birefnet, "clip": clip}


def _measured(
    model: str,
    way: str,
    options: argparse.Namespace,
    load: Callable[[], Callable[[list[Any]], Any]],
    items: list[Any],
    *,
    least: int = 1,
) -> Row:
    """Time to the first picture, then, warm, pictures per second over all items."""
    import torch

    from resources.device import free_memory

    cuda = _device(options).startswith("cuda")
    items = items * -(-least // len(items))
    free_memory()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    run = load()
    _assert_made(run(items[:1]))
    first = time.perf_counter() - started
    _assert_made(run(items[:least]))
    if cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    results = run(items)
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    _assert_made(results)
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    retried = sum(getattr(result, "figures", {}).get("retried_in_float32", 0) for result in results or [])
    return Row(model, way, len(items) / seconds, first, peak, f"{retried:.0f} made twice" if retried else "")


def _assert_made(results: Any) -> None:
    """A failure is quick, and would pass for speed."""
    for result in results or []:
        if isinstance(result, Exception):
            raise result


def _with_weights(code: Path, folder: Path) -> Path:
    """A copy of BiRefNet's folder with random weights, unless it has some."""
    import shutil

    from safetensors.torch import save_file

    from resources.birefnet_load import make_module

    place = folder / "birefnet"
    shutil.copytree(code, place)
    if not (place / "model.safetensors").exists():
        save_file(make_module(place).state_dict(), place / "model.safetensors")
    return place


def _pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 200, (64, 64, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    return [np.roll(base, n, axis=1) for n in range(count)]


def _device(options: argparse.Namespace) -> str:
    import torch

    if options.device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return "cuda:0" if options.device == "cuda" else options.device


def _half(options: argparse.Namespace) -> Any:
    import torch

    return torch.float16 if _device(options).startswith("cuda") else torch.float32


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """A Markdown table; the plain way of each model is 1.00 times itself."""
    import torch

    cuda = _device(options).startswith("cuda")
    where = torch.cuda.get_device_name(0) if cuda else "CPU"
    size = "tiny architectures: figures without meaning," if options.tiny else "full-size architectures,"
    lines = [
        f"{where}, PyTorch {torch.__version__}, {size} random weights; SDXL at {options.steps} steps.",
        "",
        "| model | way | pictures a second | times the plain way | first picture, s | peak memory, GiB | |",
        "|---|---|---|---|---|---|---|",
    ]
    plain: dict[str, float] = {}
    for row in rows:
        against = row.per_second / plain.setdefault(row.model, row.per_second)
        peak = "–" if row.peak_gib is None else f"{row.peak_gib:.1f}"
        figures = [f"{value:.2f}" if value == value else "–" for value in (row.per_second, against, row.first_s)]
        lines.append(f"| {row.model} | {row.way} | {' | '.join(figures)} | {peak} | {row.note} |")
    return "\n".join(lines) + "\n"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="tiny architectures, to prove that it runs")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--only", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--pictures", type=int, default=16, help="SDXL and BiRefNet; CLIP gets eight times as many")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--compile", nargs="+", choices=["off", "blocks", "whole"], default=["off", "blocks"])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--birefnet", type=Path, help="folder of BiRefNet's repository; weights are made if missing")
    parser.add_argument("--wheels", type=Path, help="wheels to import from, see carry.py")
    parser.add_argument("--output", type=Path, help="write the table there too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
