"""Masks of clips against per-frame masks of the same tier, and against blending each with the last.

Sequences with exact alpha are photographed before still plain sweeps and photographs, and with a camera that pans
(``clip_sequences``); DAVIS has binary masks. The figures, times a thousand: MAD and MSE of alpha; dtSSD, the root mean
square of the difference between alpha's change from frame to frame and the truth's (Erofeev et al. 2015); flicker, the
mean change of alpha where nothing moves. Lost is the share of the frames in which less than half of the subject is
found.

    python -m benchmarks.quality.clips --sequences ~/sequences --photographs ~/photographs --davis ~/davis --frames 20
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.blending import fit
from benchmarks.quality.clip_sequences import (
    SIZE,
    Clip,
    backgrounds_of,
    davis,
    sequences_of,
    still_and_moving,
    still_subject,
)
from vivid_assets.imaging.core.color import srgb_to_linear

Array = NDArray[Any]
Method = Callable[[list[Array]], list[Array]]

LAST = 0.5  # share of the last mask in the simple blend
HEADS = ("MAD", "MSE", "dtSSD", "flicker", "lost")


def per_frame(tier: str) -> Method:
    """Each frame by itself, as a picture."""
    import vivid_assets

    return lambda frames: [vivid_assets.find_mask(frame, tiers=[tier]).alpha for frame in frames]


def of_clips(tier: str) -> Method:
    """This project's."""
    import vivid_assets

    return lambda frames: [mask.alpha for mask in vivid_assets.find_clip_masks(frames, tiers=[tier])]


def with_last(masks: list[Array]) -> list[Array]:
    """Each mask blended with the last blend, as plug-ins for streaming do."""
    blended = masks[:1]
    for mask in masks[1:]:
        blended.append(LAST * blended[-1] + (1 - LAST) * mask)
    return blended


def rembg(tier: str) -> Method:
    """Each frame as rembg cuts it out."""
    from PIL import Image
    from rembg import new_session

    session = new_session(tier)

    def masks(frames: list[Array]) -> list[Array]:
        answers = [session.predict(Image.fromarray(frame))[0] for frame in frames]
        return [np.asarray(answer, np.float32) / 255 for answer in answers]

    return masks


def figures(masks: list[Array], clip: Clip) -> tuple[float, ...]:
    """What ``HEADS`` names."""
    alphas = [np.rint(mask * 255).astype(np.float32) / 255 for mask in masks]
    pairs = list(zip(alphas, clip.truth, strict=True))
    steps = [(a - b, t - u) for (a, t), (b, u) in zip(pairs[1:], pairs, strict=False)]
    change = [np.sqrt(((step - true) ** 2).mean()) for step, true in steps]
    still = [np.abs(step[0])[where].mean() for step, where in zip(steps, clip.still[1:], strict=True) if where.any()]
    lost = [found_share(alpha, truth) < 0.5 for alpha, truth in pairs if (truth > 0.5).sum() > 50]
    errors = [np.abs(alpha - truth) for alpha, truth in pairs]
    return (
        1e3 * float(np.mean([error.mean() for error in errors])),
        1e3 * float(np.mean([(error**2).mean() for error in errors])),
        1e3 * float(np.mean(change)),
        1e3 * float(np.mean(still)) if still else float("nan"),
        100 * float(np.mean(lost)),
    )


def found_share(alpha: Array, truth: Array) -> float:
    """Share of the subject that a mask has."""
    subject = truth > 0.5
    return float((alpha[subject] > 0.5).mean())


def compare(clips: Iterator[Clip], tier: str, others: dict[str, Method]) -> None:
    """Print a line a clip and method, and the means of the groups."""
    alone, ours = per_frame(tier), of_clips(tier)
    sums: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    print(f"{'clip':28s}{'method':20s}" + "".join(f"{head:>9s}" for head in HEADS))
    for clip in clips:
        single = alone(clip.frames)
        made = {"per frame": single, "with the last": with_last(single), "this project": ours(clip.frames)}
        made |= {name: method(clip.frames) for name, method in others.items()}
        for name, masks in made.items():
            row = figures(masks, clip)
            sums[clip.group, name].append(row)
            print(f"{clip.name:28s}{name:20s}" + "".join(f"{value:9.2f}" for value in row), flush=True)
    print()
    for (group, name), rows in sums.items():
        print(f"{group:28s}{name:20s}" + "".join(f"{value:9.2f}" for value in np.mean(rows, axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=Path, help="a folder of folders of RGBA frames")
    parser.add_argument("--photographs", type=Path, help="a folder of pictures for backgrounds")
    parser.add_argument("--davis", type=Path, help="a folder of folders with frames/ and masks/")
    parser.add_argument("--frames", type=int, default=20, help="of each sequence, at most")
    parser.add_argument("--model", default="u2netp")
    parser.add_argument("--rembg", action="store_true", help="compare with rembg, too")
    given = parser.parse_args()

    def clips() -> Iterator[Clip]:
        sequences, backgrounds = sequences_of(given.sequences, given.frames), backgrounds_of(given.photographs)
        yield from still_and_moving(sequences, backgrounds)
        behind = srgb_to_linear(fit(backgrounds[0], *SIZE))
        yield still_subject(next(iter(sequences.values())), behind)
        if given.davis:
            yield from davis(given.davis)

    compare(clips(), given.model, {"rembg": rembg(given.model)} if given.rembg else {})


if __name__ == "__main__":
    main()
