"""What people say of masks: labels, kept in the store, and how right the estimate was by them.

The review page saves a CSV of what was flagged and accepted. Dropped into the catalogue's folder as ``judgements.csv``,
or given to ``vivid review calibrate``, its lines become labels: a picture, ``right`` or ``wrong``, and the probability
that the page showed. They stay, whatever becomes of the mask; by that probability it is known which are of the mask
that the picture has now.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.masking.calibration import calibrated, calibration_error, log_odds, reliability

JUDGEMENTS = "judgements.csv"
"""The file at the top of a catalogue's folder."""
RIGHT, WRONG = "right", "wrong"
LEAST_LABELS = 20
"""Labels from which a threshold is fitted."""
LARGEST_FILE = 16 << 20


@dataclass(frozen=True)
class Label:
    """What a person says of one mask, whichever rendition of the picture it was seen in; the later word holds."""

    picture: str
    is_right: bool
    right: float
    """The estimate that the mask had, 0..1."""


@dataclass(frozen=True)
class Present:
    """The labels of the masks that a catalogue has now, and how many are of others."""

    labels: list[Label]
    remade: int
    """Of masks that have been made, or estimated, anew since."""
    stale: int
    """Of masks that the next run makes anew."""
    gone: int
    """Of pictures that are gone, or whose mask has no estimate."""


@dataclass(frozen=True)
class Calibration:
    """How right the estimate was, and the threshold that fits the labels."""

    labels: int
    wrong: int
    expected_wrong: float
    """Wrong masks by the estimate."""
    error: float
    """Expected calibration error, 0..1."""
    found: Mapping[float, float]
    """By share of the pictures, the worst by the estimate: share of the wrong ones among them."""
    bins: Sequence[tuple[float, float, int]]
    """Mean estimate, share of right masks, and how many, by tenths."""
    min_right: float | None
    """The estimate at which a mask of this catalogue is as probably wrong as right; ``None`` for too few labels."""


def read_judgements(data: bytes, *, where: str) -> list[Label]:
    """Labels from a CSV with the columns ``picture``, ``judgement`` (``right`` or ``wrong``) and ``right``.

    Args:
        data: the file.
        where: the file's name, for messages.

    Raises:
        ValueError: it is no such CSV; the sentence names the line.

    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not UTF-8 text: save it as CSV in UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text))
    # Without the estimate a line would be taken for a word on whichever mask the picture has when it is read.
    if missing := {"picture", "judgement", "right"} - {*(reader.fieldnames or ())}:
        raise ValueError(
            f"{where} has no column {' and '.join(sorted(missing))}; the review page's Save CSV writes it. The column "
            "right has the estimate that the page showed, by which a judgement is known to be of the present mask."
        )
    labels = []
    for line in reader:
        at = f"{where}, line {reader.line_num}"
        # The page writes ./ before names that a spreadsheet would take for a formula.
        picture, judgement = (line["picture"] or "").removeprefix("./"), (line["judgement"] or "").strip().lower()
        if judgement not in (RIGHT, WRONG):
            raise ValueError(f"{at}: judgement is {judgement!r}, and not {RIGHT} or {WRONG}.")
        estimate = _probability(line["right"], at)
        # A given mask or a drawing has no estimate that could be right or not.
        if estimate is not None:
            labels.append(Label(picture, judgement == RIGHT, estimate))
    return labels


def keep(store: Store, catalogue: str, labels: Iterable[Label]) -> list[Label]:
    """Add ``labels`` to those that the store has of the catalogue, and return all; the later word on a mask holds."""
    return _changed(store, catalogue, lambda known: known | {_of(label): label for label in labels})


def take_back(store: Store, catalogue: str, picture: str, right: float) -> list[Label]:
    """Forget what was said of the picture's mask while it had that estimate, and return what is left."""
    gone = _of(Label(picture, False, right))
    return _changed(store, catalogue, lambda known: {of: one for of, one in known.items() if of != gone})


def kept(store: Store, catalogue: str) -> list[Label]:
    """The labels that the store has of the catalogue."""
    if not store.exists(_path(catalogue)):
        return []
    return [Label(**json.loads(line)) for line in store.read(_path(catalogue)).decode().splitlines()]


def of_present(labels: Iterable[Label], estimates: Mapping[str, float | None], stale: Collection[str]) -> Present:
    """Those of the ``labels`` that are of masks which the catalogue has now.

    Args:
        labels: all that are kept of it.
        estimates: by picture, that of the mask that it has now, 0..1; None: it has none.
        stale: the pictures whose masks the next run makes anew.

    """
    present: list[Label] = []
    remade = gone = old = 0
    for label in labels:
        estimate = estimates.get(label.picture)
        if estimate is None:
            gone += 1
        elif label.picture in stale:
            old += 1
        elif _of(label) != _of(Label(label.picture, label.is_right, estimate)):
            remade += 1
        else:
            present.append(label)
    return Present(present, remade, old, gone)


def calibration(labels: Sequence[Label]) -> Calibration:
    """How right the estimate was by ``labels``, at least one."""
    p = np.array([label.right for label in labels])
    hits = np.array([label.is_right for label in labels], np.float64)
    order, wrong = np.argsort(p, kind="stable"), float((1 - hits).sum())
    found = {
        share: float((1 - hits)[order[: max(1, round(share * len(p)))]].sum() / wrong) for share in (0.1, 0.2) if wrong
    }
    min_right = None
    if len(labels) >= LEAST_LABELS:
        slope, offset = calibrated(log_odds(p), hits)
        # Where slope × log odds + offset is 0. A slope that says nothing leaves the threshold where it is.
        level = -offset / slope if slope > 0.1 else 0.0
        min_right = round(float(1 / (1 + np.exp(-np.clip(level, -4, 4)))), 2)
    expected, error = float((1 - p).sum()), calibration_error(p, hits)
    return Calibration(len(labels), int(wrong), expected, error, found, reliability(p, hits), min_right)


_Labels = dict[tuple[str, float], Label]
"""By picture and the estimate that its mask had."""


def _of(label: Label) -> tuple[str, float]:
    # A spreadsheet may have written the estimate with fewer digits.
    return label.picture, round(label.right, 6)


def _changed(store: Store, catalogue: str, change: Callable[[_Labels], _Labels]) -> list[Label]:
    # Several people judge at once, and a command may read a file meanwhile: nobody's label is lost.
    with Claims(store, "claims/judgements").held(catalogue, poll_s=0.05):
        known = {_of(label): label for label in kept(store, catalogue)}
        changed = change(known)
        if changed != known:
            lines = (json.dumps(asdict(label), ensure_ascii=False) for label in changed.values())
            store.write(_path(catalogue), "".join(f"{line}\n" for line in lines).encode())
        return [*changed.values()]


def _probability(text: str | None, at: str) -> float | None:
    text = (text or "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{at}: right is {text!r}, and no probability from 0 to 1.")
    return value


def _path(catalogue: str) -> str:
    return f"judgements/{catalogue}.jsonl"
