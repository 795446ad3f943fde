"""What is measured of each model: the plain use of its library, and ours. See models.py, which is the command."""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.timing import Row, device_of, half_of, measured


def sdxl(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Plain: one ``pipeline(prompt)`` after the other at half precision. Ours: batches, with and without compile."""
    import diffusers

    from benchmarks.speed.architectures import save_sdxl
    from resources.scenes.request import SceneRequest
    from resources.scenes.sdxl import SDXL

    place = save_sdxl(folder / "sdxl", tiny=options.tiny, device=device_of(options))
    side = 64 if options.tiny else 1024
    steps = options.steps
    requests = [
        SceneRequest(f"an empty room, number {n}, soft light", "people", n, side, side) for n in range(options.pictures)
    ]

    def plain() -> Callable[[list[SceneRequest]], Any]:
        vae = diffusers.AutoencoderKL.from_pretrained(place / "vae-fix", dtype=half_of(options))
        pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(
            place, vae=vae, variant="fp16", dtype=half_of(options)
        ).to(device_of(options))
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

    def ours(**settings: Any) -> SDXL:
        vae = str(place / "vae-fix")
        return SDXL(model=str(place), vae=vae, size=side, steps=steps, device=options.device, **settings)

    yield measured("SDXL", "pipeline(prompt), one by one", options, plain, requests)
    for compiled in options.compile:
        for batch in options.batches:
            resource = ours(batch_size=batch, compile=compiled)
            way = f"vivid_assets, batch {batch}" + ("" if compiled == "off" else f", compile {compiled}")
            with resource.lease() as generate:
                yield measured("SDXL", way, options, lambda leased=generate: leased, requests, least=batch)
    # What trades time, memory and detail, each beside the largest batch above.
    most = max(options.batches)
    ways: list[dict[str, Any]] = [{"guided": 0.6}, {"offload": "encoders"}, {"enlarge": 2}]
    for way in ways:
        resource = ours(batch_size=most, **way)
        scale = way.get("enlarge", 1)
        asked = [replace(request, scale=scale) for request in (requests[:2] if scale > 1 else requests)]
        name = f"vivid_assets, batch {most}, " + ", ".join(f"{key} {value}" for key, value in way.items())
        with resource.lease() as generate:
            yield measured("SDXL", name, options, lambda leased=generate: leased, asked, least=min(most, len(asked)))


def text_to_image(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Plain: one ``pipeline(prompt)`` of Z-Image-Turbo after the other. Ours: batches, and what waits off the card."""
    import diffusers

    from benchmarks.speed.architectures import save_z_image
    from resources.runtime.device import decide
    from resources.scenes.request import SceneRequest
    from resources.scenes.text_to_image import TextToImage

    name, side = "Z-Image", 64 if options.tiny else 1024
    place = save_z_image(folder / "z_image", tiny=options.tiny, device=device_of(options))
    requests = [SceneRequest(f"an empty room, number {n}", "", n, side, side) for n in range(options.pictures)]
    steps = min(options.steps, 8)
    dtype = decide(device_of(options), "auto", half="bfloat16").torch_dtype

    def plain() -> Callable[[list[SceneRequest]], Any]:
        pipeline = diffusers.ZImagePipeline.from_pretrained(place, dtype=dtype).to(device_of(options))
        pipeline.set_progress_bar_config(disable=True)

        def one_by_one(requests: list[SceneRequest]) -> None:
            for request in requests:
                pipeline(request.prompt, num_inference_steps=steps, guidance_scale=0.0, height=side, width=side)

        return one_by_one

    yield measured(name, "pipeline(prompt), one by one", options, plain, requests)
    batches = [(batch, "off") for batch in options.batches]
    if device_of(options) != "cpu":
        batches += [(options.batches[-1], "model"), (options.batches[0], "sequential")]
    for batch, offload in batches:
        resource = TextToImage(
            model=str(place),
            size=side,
            steps=steps,
            guidance=0.0,
            device=options.device,
            batch_size=batch,
            offload=offload,
        )
        few = requests[: max(2, len(requests) // 8)] if offload == "sequential" else requests
        way = f"vivid_assets, batch {batch}" + ("" if offload == "off" else f", offload {offload}")
        with resource.lease() as generate:
            yield measured(name, way, options, lambda leased=generate: leased, few, least=batch)


def birefnet(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Plain: the model card's loop. Ours: batches, pixels made floats on the device."""
    import torch
    from PIL import Image
    from torchvision import transforms

    from benchmarks.speed.architectures import save_tiny_birefnet
    from resources.masks.birefnet import BiRefNet
    from resources.masks.birefnet_load import load_module
    from resources.runtime.device import Device

    if not options.tiny and not options.birefnet:
        yield Row("BiRefNet", "not run", float("nan"), float("nan"), None, "no --birefnet FOLDER")
        return
    place = save_tiny_birefnet(folder / "birefnet") if options.tiny else _with_weights(options.birefnet, folder)
    side = 64 if options.tiny else 1024
    pictures = _pictures(options.pictures)
    half = half_of(options)

    def plain() -> Callable[[list[np.ndarray]], Any]:
        device = Device(device_of(options), str(half).removeprefix("torch."), "")  # type: ignore[arg-type]
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
                # Half weights alone meet float32 tensors that the model's own code makes, and raise.
                cast = torch.autocast(device.name.partition(":")[0], half, enabled=half != torch.float32)
                with torch.no_grad(), cast:
                    answer = module(prepare(picture)[None].to(device.name, half))[-1].sigmoid().cpu()
                transforms.ToPILImage()(answer[0].float().squeeze()).resize(picture.size)

        return loop

    yield measured("BiRefNet", "the model card's loop", options, plain, pictures)
    for batch in options.batches:
        resource = BiRefNet(
            model=str(place), trust_remote_code=True, device=options.device, size=side, fit="squash", batch_size=batch
        )
        with resource.lease() as model:
            way = f"vivid_assets, batch {batch}"
            yield measured("BiRefNet", way, options, lambda leased=model: leased.probabilities, pictures, least=batch)


def clip(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Plain: open_clip picture by picture. Ours: batches; and what decoding alone costs."""
    import io

    import open_clip
    import torch
    from PIL import Image

    from benchmarks.speed.architectures import save_clip
    from resources.clip.clip_prompts import SUBJECT, prompts_of
    from resources.clip.open_clip import OpenClip

    place = save_clip(folder / "clip", tiny=options.tiny)
    pictures = _pictures(8 * options.pictures)

    def plain() -> Callable[[list[np.ndarray]], Any]:
        module, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{place}", device=device_of(options))
        module.eval()
        tokenize = open_clip.get_tokenizer(f"local-dir:{place}")
        with torch.no_grad():
            asked = [tokenize(prompts).to(device_of(options)) for prompts in prompts_of(SUBJECT).values()]
            texts = [module.encode_text(prompts).mean(0) for prompts in asked]

        def one_by_one(images: list[np.ndarray]) -> None:
            for image in images:
                with torch.no_grad():
                    features = module.encode_image(preprocess(Image.fromarray(image))[None].to(device_of(options)))
                    (100 * features @ torch.stack(texts).T).softmax(dim=-1).tolist()

        return one_by_one

    yield measured("OpenCLIP", "one by one", options, plain, pictures)
    for batch in [8 * batch for batch in options.batches]:
        resource = OpenClip(model=f"local-dir:{place}", device=options.device, batch_size=batch)
        with resource.lease() as classifier:
            way = f"vivid_assets, batch {batch}"
            yield measured("OpenCLIP", way, options, lambda leased=classifier: leased.classify, pictures, least=batch)
    buffer = io.BytesIO()
    Image.fromarray(pictures[0]).save(buffer, "JPEG", quality=92)
    started = time.perf_counter()
    for _ in pictures:
        Image.open(io.BytesIO(buffer.getvalue())).convert("RGB").load()
    decoded = len(pictures) / (time.perf_counter() - started)
    yield Row("OpenCLIP", "for comparison: decoding one 1024² JPEG, one core", decoded, float("nan"), None)


PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Row]]] = {
    "sdxl": sdxl,
    "text_to_image": text_to_image,
    "birefnet": birefnet,
    "clip": clip,
}


def _with_weights(code: Path, folder: Path) -> Path:
    """A copy of BiRefNet's folder with random weights, unless it has some."""
    import shutil

    import torch
    from safetensors.torch import save_file

    from resources.masks.birefnet_load import make_module

    place = folder / "birefnet"
    shutil.copytree(code, place)
    if not (place / "model.safetensors").exists():
        module = make_module(place)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        save_file(module.state_dict(), place / "model.safetensors")
    return place


def _pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 200, (64, 64, 3), dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    return [np.roll(base, n, axis=1) for n in range(count)]
