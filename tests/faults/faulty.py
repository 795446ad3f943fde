"""A file system that errs, stalls and lies: local files under the protocol ``faulty``, in an object store's manner.

``plan`` says how often. A lie is a write that is reported well and was lost or cut off.
"""

import errno
import random
import time
from pathlib import Path
from typing import ClassVar

from fsspec.implementations.local import LocalFileSystem


class FaultyFileSystem(LocalFileSystem):
    protocol = "faulty"
    plan: ClassVar[dict] = {}
    dice: ClassVar[random.Random] = random.Random()
    counts: ClassVar[dict] = {"erred": 0, "stalled": 0, "lied": 0}

    def __init__(self, **options):
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(str(path).removeprefix("faulty://"))

    def open(self, path, mode="rb", **options):
        self._disturb(path)
        return super().open(path, mode, **options)

    def info(self, path, **options):
        if isinstance(path, str):
            self._disturb(path)
        return super().info(path, **options)

    def pipe_file(self, path, value, mode="overwrite", **options):
        """Whole or not at all, as an object store's upload is; but for the lies."""
        self._disturb(path)
        target = Path(self._strip_protocol(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        if mode == "create" and target.exists():
            raise FileExistsError(target)
        lie = self._happens("lie") and len(value) > 1
        if lie:
            self._count("lied")
            if self.dice.random() < 0.5:
                return
            value = value[: len(value) // 2]
        with target.open("xb" if mode == "create" else "wb") as file:
            file.write(value)

    def _disturb(self, path) -> None:
        if self._happens("stall"):
            self._count("stalled")
            time.sleep(0.2)
        if self._happens("err"):
            self._count("erred")
            raise OSError(errno.EIO, "the store did not answer", str(path))

    def _happens(self, what: str) -> bool:
        return self.dice.random() < self.plan.get(what, 0)

    def _count(self, what: str) -> None:
        self.counts[what] += 1
