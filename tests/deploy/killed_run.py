"""A run over a shard that keeps what is unfinished of clips at once, and kills itself.

    python -m tests.deploy.killed_run COMPOSED

It kills itself when so many frames are composed. Store and settings are what the environment says.
"""

import os
import signal
import sys
from pathlib import Path

from resources.store.store import Store
from tests.support.shards import run_shard
from vivid_assets.one_picture import clip_frames
from vivid_assets.stages.clips import segments


def main() -> None:
    left, compose = int(sys.argv[1]), clip_frames.compose

    def counted(*args, **options):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return compose(*args, **options)

    clip_frames.compose = counted
    segments._SECONDS = 0.0
    run_shard(Store(root=os.environ["VIVID_STORE"]), "spring-00000", Path(os.environ["VIVID_SETTINGS"]))


if __name__ == "__main__":
    main()
