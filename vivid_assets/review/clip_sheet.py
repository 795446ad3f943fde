"""A clip on one picture: some frames beside their masks, and a graph of verdict and flicker over its time."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8

SHOWN = 8
"""Frames side by side, at most."""
_WIDTH, _GAP = 1280, 8
_GRAPH, _BAND = 150, 16
"""Pixels of the graph's height, and of the band of verdicts below it."""
_PAPER, _INK, _LINE = (35, 36, 39), (220, 222, 226), (127, 180, 255)
_GOOD, _FLAGGED, _LOST = (108, 196, 139), (242, 184, 75), (255, 123, 114)
_LEAST_SCALE = 0.05
"""Flicker at the top of the graph, at least: a steady clip's graph is to look steady."""


@dataclass(frozen=True)
class FrameVerdict:
    """What the graph shows of a frame."""

    flagged: bool
    lost: bool
    flicker: float | None
    begins: bool
    """Whether a scene begins with it."""


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """A frame and its mask."""

    number: int
    image: RGB8
    mask: np.ndarray
    """uint8 of any size and the frame's aspect."""


def frames_to_show(flagged: Sequence[int], count: int) -> list[int]:
    """Numbers of the frames that are shown: the flagged ones, evenly thinned out, and others to fill up."""
    chosen = _spread(flagged, SHOWN)
    for number in _spread(range(count), SHOWN):
        if len(chosen) < min(SHOWN, count) and number not in chosen:
            chosen.append(number)
    return sorted(chosen)


def clip_sheet(shown: Sequence[ShownFrame], verdicts: Sequence[FrameVerdict]) -> RGB8:
    """Draw the sheet (uint8 H×W×3).

    Args:
        shown: the frames of one size, in order.
        verdicts: of all the clip's frames.
    """
    width = (_WIDTH - _GAP) // len(shown) - _GAP
    columns = [_column(frame, width, verdicts[frame.number]) for frame in shown]
    strip = np.full((columns[0].shape[0] + 2 * _GAP, _WIDTH, 3), _PAPER, np.uint8)
    for place, column in enumerate(columns):
        left = _GAP + place * (width + _GAP)
        strip[_GAP:-_GAP, left : left + width] = column
    return np.concatenate([strip, _graph(verdicts, [frame.number for frame in shown])])


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return [*numbers]
    return [numbers[place] for place in np.linspace(0, len(numbers) - 1, most).round().astype(int)]


def _column(frame: ShownFrame, width: int, verdict: FrameVerdict) -> RGB8:
    height = max(1, round(width * frame.image.shape[0] / frame.image.shape[1]))
    image = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
    mask = cv2.cvtColor(cv2.resize(frame.mask, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    head = np.full((22, width, 3), _PAPER, np.uint8)
    cv2.putText(head, str(frame.number), (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _color(verdict), 1, cv2.LINE_AA)
    return np.concatenate([head, image, np.full((2, width, 3), _PAPER, np.uint8), mask])


def _color(verdict: FrameVerdict) -> tuple[int, int, int]:
    return _LOST if verdict.lost else _FLAGGED if verdict.flagged else _GOOD


def _graph(verdicts: Sequence[FrameVerdict], shown: Sequence[int]) -> RGB8:
    graph = np.full((_GRAPH + _BAND + 3 * _GAP, _WIDTH, 3), _PAPER, np.uint8)
    inside = _WIDTH - 2 * _GAP
    flicker = np.array([0.0 if one.flicker is None else one.flicker for one in verdicts])
    scale = max(_LEAST_SCALE, float(flicker.max()))
    lefts = np.rint(_GAP + np.arange(len(verdicts) + 1) * inside / len(verdicts)).astype(int)
    for number, one in enumerate(verdicts):
        top = _GRAPH + _GAP
        graph[top : top + _BAND, lefts[number] : max(lefts[number + 1], lefts[number] + 1)] = _color(one)
        if one.begins and number:
            graph[_GAP:_GRAPH, lefts[number]] = _INK
    for number in shown:
        middle = (lefts[number] + lefts[number + 1]) // 2
        graph[_GRAPH + _GAP + _BAND + 2 :, max(middle - 1, 0) : middle + 2] = _INK
    heights = np.rint(_GRAPH - (_GRAPH - 2 * _GAP) * flicker / scale).astype(int)
    points = np.column_stack([(lefts[:-1] + lefts[1:]) // 2, heights]).astype(np.int32)
    cv2.polylines(graph, [points], False, _LINE, 1, cv2.LINE_AA)
    label = f"flicker, 0 to {scale:.0%} of the subject; below: good, flagged, lost"
    cv2.putText(graph, label, (_GAP, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return graph
