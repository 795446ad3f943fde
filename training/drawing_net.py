"""Train the network that tells what of a picture is drawn, and write it into the package.

    python -m training.drawing_net --drawings SET … --photos DIR … --things DIR --keep DIR

``--drawings``: folders of RGBA or SVG drawings, or Iconify's ``icons.json`` files. The committed network saw those of
npm's ``@iconify-json/`` fluent-emoji, fluent-emoji-flat, fxemoji, emojione, twemoji and streamline-emojis, 45 people of
each of 14 styles of ``@dicebear/collection``, and Debian's ``openclipart-svg``, the drawn ones of
``tuxpaint-stamps-default`` and 144 portraits of ``wesnoth-1.16-data``; beside them, glowing signs and wheels that code
draws. ``--photos``: folders of photographs, as walls and as pictures without a drawing; scikit-image's are always among
them. ``--things``: photographed things cut from their walls, which are laid over a wall and yet not drawn (177 stamps).
``--keep``: where samples and weights are kept. A run with another ``--seed`` adds samples and goes on from the weights;
the first starts from the package's, or from nothing with ``--new``.

The committed network took 38 minutes with 4,200 samples and 20 with 1,200 more of emoji and people, at ``--side 320``;
then 64 with 4,000 of all sets at 448. The last changed much, for better before photographs and for worse through JPEG:
with ``--share 0.35`` the weights go a third of the way from those before (Wortsman et al. 2022, "Model soups").

Each sample is a drawing over a photograph, a blurred one, noise, a plain, shaded or patterned wall, or other drawings;
half of them go through JPEG. A sixth are photographs alone. U²-NetP answers each once; in training its answer is left
out of nearly half, and replaced by a better one in a tenth. Needs ``onnxscript`` and ``resvg-py`` besides the project.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch  # noqa: TID253 - nobody imports this
from torch import nn  # noqa: TID253

from resources.masks.drawing_net import SIDE, WEIGHTS, drawing_inputs
from resources.masks.u2net import U2Net
from training.drawn_scenes import DRAWINGS, PHOTOGRAPHS, THINGS, drawings, photographs, scene

HELD = 100


@cache
def salient() -> U2Net:
    return U2Net("u2netp")


def samples(seed: int, count: int) -> np.ndarray:
    """uint8 count×9×448×448: the network's eight inputs and the true alpha."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    made = np.empty((count, 9, SIDE, SIDE), np.uint8)
    for index in range(count):
        image, alpha = scene(rng)
        x = drawing_inputs(image, salient().probabilities([image])[0])
        made[index, :8] = np.rint((x + 0.5) * 255)
        made[index, 8] = np.rint(cv2.resize(alpha, (SIDE, SIDE), interpolation=cv2.INTER_AREA) * 255)
    return made


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class DrawingNet(nn.Module):
    """U-Net; float32 N×8×H×W in, logits N×1×H×W out; sides are multiples of 64."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 48, 64, 80, 96)
        self.stem = block(8, 12)
        self.down = nn.ModuleList()
        before = 12
        for width in widths:
            self.down.append(nn.Sequential(block(before, width, 2), block(width, width)))
            before = width
        self.up = nn.ModuleList()
        for width in (*widths[-2::-1], 12):
            self.up.append(block(before + width, width))
            before = width
        self.head = nn.Conv2d(12, 1, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [self.stem(x)]
        for down in self.down:
            seen.append(down(seen[-1]))
        y = seen.pop()
        for up in self.up:
            y = up(torch.cat([nn.functional.interpolate(y, scale_factor=2.0, mode="nearest"), seen.pop()], 1))
        return self.head(y)


def shrunk(made: np.ndarray, side: int) -> np.ndarray:
    if made.shape[-1] == side:
        return made
    smaller = np.empty((*made.shape[:2], side, side), np.uint8)
    for sample, small in zip(made, smaller, strict=True):
        for plane, target in zip(sample, small, strict=True):
            cv2.resize(plane, (side, side), target, interpolation=cv2.INTER_AREA)
    return smaller


def cropped(sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the samples from nearer, so that an epoch is never the same again."""
    if rng.random() < 0.5:
        return sample
    whole = sample.shape[-1]
    side = int(whole * rng.uniform(0.65, 1.0))
    y, x = rng.integers(0, whole - side + 1, 2)
    return np.stack([cv2.resize(plane[y : y + side, x : x + side], (whole, whole)) for plane in sample])


def batch(data: list[np.ndarray], rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    share = np.array([len(part) for part in data]) / sum(map(len, data))
    picked = (data[int(k)] for k in rng.choice(len(data), size, p=share))
    taken = [cropped(part[int(rng.integers(len(part)))], rng) for part in picked]
    chosen = torch.from_numpy(np.stack(taken)).float() / 255
    if rng.random() < 0.3:
        # Other colours, the same drawing.
        chosen = chosen[:, [*rng.permutation(3), 3, 4, 5, 6, 7, 8]]
    if rng.random() < 0.5:
        chosen = chosen.flip(3)
    x, truth = chosen[:, :8] - 0.5, chosen[:, 8:]
    for k in range(size):
        luck = rng.random()
        if luck < 0.45:
            x[k, 3] = -0.5
        elif luck < 0.55 and truth[k].max() > 0:
            # A better network than U²-NetP, that errs by a soft edge.
            x[k, 3] = nn.functional.avg_pool2d(truth[k], 5, 1, 2)[0] - 0.5
    tone = torch.from_numpy(rng.uniform(0.8, 1.2, (size, 3, 1, 1)).astype(np.float32))
    x[:, :3] = (x[:, :3] + 0.5).pow(tone) - 0.5
    return x, truth


def loss_of(logit: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    # Contours count threefold: a rim a pixel off is an outline lost.
    high, low = (nn.functional.max_pool2d(sign * truth, 7, 1, 3) for sign in (1, -1))
    weight = 1.0 + 2.0 * (high + low > 0.1).float()
    cross = nn.functional.binary_cross_entropy_with_logits(logit, truth, weight)
    p = torch.sigmoid(logit)
    both, all_of = (p * truth).sum((1, 2, 3)), (p + truth - p * truth).sum((1, 2, 3))
    return cross + 0.5 * (1 - (both + 20) / (all_of + 20)).mean() + 0.5 * (p - truth).abs().mean()


def go_on_from_package(net: DrawingNet, seen: torch.Tensor) -> None:
    """Take the committed weights, whose batch norms the exporter folded into the convolutions before them.

    A norm with the deviation of what it sees as its weight, and the mean and the folded bias as its bias, is the same.
    """
    import onnx
    from onnx.numpy_helper import to_array

    folded = {weight.name: to_array(weight).copy() for weight in onnx.load(WEIGHTS).graph.initializer}
    net.head.load_state_dict({name: torch.from_numpy(folded[f"head.{name}"]) for name in ("weight", "bias")})
    norms = {}
    for name, part in net.named_modules():
        if isinstance(part, nn.Sequential) and isinstance(part[0], nn.Conv2d):
            part[0].weight.data = torch.from_numpy(folded[f"{name}.0.weight"])
            norms[part[1]] = torch.from_numpy(folded[f"{name}.0.weight_bias"])

    def measure(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        deviation, mean = torch.std_mean(inputs[0], dim=(0, 2, 3), correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(deviation**2)
        norm.weight.copy_((deviation**2 + norm.eps).sqrt())
        norm.bias.copy_(mean + norms[norm])

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    with torch.no_grad():
        net.eval()(seen)
    for hook in hooks:
        hook.remove()


def train(
    data: list[np.ndarray], held: np.ndarray, minutes: float, kept: Path, *, new: bool, size: int = 12
) -> DrawingNet:
    torch.manual_seed(1)
    rng = np.random.default_rng()
    net = DrawingNet().to(memory_format=torch.channels_last)
    goes_on = kept.exists() or not new
    if kept.exists():
        net.load_state_dict(torch.load(kept))
    elif goes_on:
        go_on_from_package(net, torch.from_numpy(held[:, :8]).float() / 255 - 0.5)
    print(f"{sum(p.numel() for p in net.parameters())} weights; held out {error(net, held):.4f}", flush=True)
    faster = torch.compile(net)
    peak = 1e-3 if goes_on else 2e-3
    optimiser = torch.optim.AdamW(net.parameters(), peak, weight_decay=1e-3)
    started, step, shown = time.perf_counter(), 0, 0.0
    running = 0.0
    while (passed := (time.perf_counter() - started) / 60) < minutes:
        share = passed / minutes
        for group in optimiser.param_groups:
            # One cycle: a short rise, then a cosine to nothing.
            group["lr"] = peak * min(1.0, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * share))
        net.train()
        x, truth = batch(data, rng, size)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logit = faster(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logit.float(), truth)
        loss.backward()
        optimiser.step()
        running = 0.98 * running + 0.02 * loss.item()
        step += 1
        if passed - shown > 5.0:
            shown = passed
            print(
                f"{passed:5.1f} min, {step} steps of {size}: loss {running:.4f}, held out {error(net, held):.4f}",
                flush=True,
            )
            torch.save(net.state_dict(), kept)
    torch.save(net.state_dict(), kept)
    print(f"{step} steps of {size}; held out {error(net, held):.4f}")
    return net


def error(net: DrawingNet, held: np.ndarray) -> float:
    """Mean absolute error of alpha."""
    net.eval()
    with torch.no_grad():
        x = torch.from_numpy(held).float() / 255
        found = torch.cat([torch.sigmoid(net(part[:, :8] - 0.5)) for part in x.split(16)])
    return float((found - x[:, 8:]).abs().mean())


def write(net: DrawingNet, target: Path, share: float) -> None:
    """Write the network, ``share`` of the way from ``target``'s weights to its own, without the exporter's notes."""
    import onnx
    from onnx.numpy_helper import from_array, to_array

    old = {weight.name: to_array(weight) for weight in onnx.load(target).graph.initializer}
    torch.onnx.export(net.eval(), (torch.zeros(1, 8, SIDE, SIDE),), str(target), external_data=False)
    model = onnx.load(target)
    graph = model.graph
    for weight in graph.initializer:
        value = to_array(weight)
        if share < 1 and weight.name.split(".")[0] in ("stem", "down", "up", "head"):
            weight.CopyFrom(from_array(old[weight.name] + np.float32(share) * (value - old[weight.name]), weight.name))
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        # Stack traces, with the paths of the machine.
        part.ClearField("metadata_props")
    onnx.save(model, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, nargs="+", required=True)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--things", type=Path, help="folder of RGBA photographs of things")
    parser.add_argument("--side", type=int, default=SIDE, help="side at which to train; less takes less time")
    parser.add_argument("--each", type=int, default=520, help="drawings of each set, at most")
    parser.add_argument("--samples", type=int, default=4200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--share", type=float, default=1.0, help="of the way from the package's weights to the new")
    parser.add_argument("--new", action="store_true", help="start from nothing, not from the package's weights")
    parser.add_argument("--keep", type=Path, required=True, help="folder of samples and weights; all in it are used")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    made = arguments.keep / f"samples-{arguments.seed}.npy"
    if not made.exists():
        rng = np.random.default_rng(7)
        for source in arguments.drawings:
            found = drawings(source, arguments.each, rng)
            DRAWINGS.extend(found)
            print(f"{len(found)} drawings of {source}", flush=True)
        PHOTOGRAPHS.extend(photographs(arguments.photos))
        if arguments.things:
            THINGS.extend(drawings(arguments.things, 1000, rng))
        print(f"{len(PHOTOGRAPHS)} photographs; {time.perf_counter() - started:.0f} s", flush=True)
        parts = range(1000 * arguments.seed, 1000 * arguments.seed + 100)
        # By fork, so that the drawings are there already.
        with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
            np.save(
                made, np.concatenate(list(pool.map(samples, parts, [arguments.samples // len(parts)] * len(parts))))
            )
    files = sorted(arguments.keep.glob("samples-*.npy"))
    data = [shrunk(np.load(file, mmap_mode="r"), arguments.side) for file in files]
    print(f"{sum(map(len, data))} samples; {time.perf_counter() - started:.0f} s", flush=True)
    net = train(
        [part[:-HELD] for part in data],
        np.array(data[0][-HELD:]),
        arguments.minutes,
        arguments.keep / "net.pt",
        new=arguments.new,
    )
    write(net, WEIGHTS, arguments.share)
    print(f"wrote {WEIGHTS} ({WEIGHTS.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
