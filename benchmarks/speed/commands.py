"""What each command costs in CPU seconds, from the second call on: ``python -m benchmarks.speed.commands``.

Wall time would be the machine's load; the time of the processor is the command's own, threads included.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

_CALLS = 3


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """Of one call, and of whatever it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    from skimage import data

    with tempfile.TemporaryDirectory(prefix="vivid-commands-") as folder:
        root = Path(folder)
        photo = root / "photo.jpg"
        Image.fromarray(data.astronaut()).save(photo)
        pictures = root / "pictures"
        pictures.mkdir()
        for number in range(9):
            Image.fromarray(data.coffee()).resize((300 + number, 200)).save(pictures / f"{number}.jpg")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VIVID_")}
        environment |= {"VIVID_STORE": str(root / "store"), "DAGSTER_HOME": str(root / "dagster")}
        replace = ("replace", str(photo), "--prompt", "navy blue paper", "--tiers", "u2netp")
        for arguments in (
            ("--help",),
            ("--version",),
            ("replace", "--help"),
            ("catalogue", "add", "spring", str(pictures)),
            ("catalogue", "scan", "spring"),
            ("catalogue", "status"),
            replace,
        ):
            command = [str(Path(sys.executable).with_name("vivid")), *arguments]
            first, *others = [cpu_seconds(command, environment) for _ in range(_CALLS)]
            shown = " ".join(Path(part).name if part.startswith(folder) else part for part in arguments)
            print(f"{shown:75} first {first:5.2f} s, then {min(others):5.2f} s", flush=True)


if __name__ == "__main__":
    main()
