"""A thousand files that hypothesis makes out of real ones, decoded in a process with hard limits: no crash, no hang.

Damage of single bits, headers and lengths is in test_hostile_files.py, in this process. Here files are spliced from
two others, and a decoder that crashes the process, eats its memory or never ends is told apart from one that refuses.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S

pytestmark = pytest.mark.slow

FILES = 1000
SECONDS_A_FILE = 20
"""Of computing, whatever else the machine does."""
MEMORY = 6 << 30

SCRIPT = """
import io, json, resource, signal, sys, time, warnings
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
import pillow_heif, pillow_jxl
from PIL import Image
from vivid_assets.imaging.io.codec import UnreadablePicture, decode

files, seconds, memory = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
warnings.simplefilter("ignore")
pillow_heif.register_heif_opener()

def made(kind, **options):
    dice = np.random.default_rng(len(kind))
    picture = Image.fromarray(dice.integers(0, 255, (40, 56, 3), np.uint8))
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()

WHOLE = [
    made("JPEG"), made("JPEG", progressive=True),
    made("PNG"), made("WEBP"), made("WEBP", lossless=True), made("TIFF"), made("TIFF", compression="tiff_lzw"),
    made("TIFF", compression="jpeg"), made("GIF"), made("BMP"), made("AVIF"),
    made("HEIF"), made("JXL"),
]
counts = {"made": 0, "decoded": 0, "refused": 0, "slowest": 0.0}

@seed(7)
@settings(max_examples=files, database=None, deadline=None, phases=[Phase.generate],
          suppress_health_check=list(HealthCheck))
@given(st.sampled_from(WHOLE), st.sampled_from(WHOLE), st.floats(0, 1), st.floats(0, 1), st.binary(max_size=12),
       st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6), st.sampled_from([None, 24]))
def one(first, second, cut, go_on, between, changes, longest):
    data = bytearray(first[: int(cut * len(first))] + between + second[int(go_on * len(second)):])
    for place, value in changes:
        if data:
            data[int(place * len(data))] = value
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        picture = decode(bytes(data), longest=longest, max_pixels=4_000_000)
        assert picture.rgb.dtype == np.uint8
        counts["decoded"] += 1
    except UnreadablePicture as error:
        assert str(error).endswith(".")
        counts["refused"] += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    counts["made"] += 1
    counts["slowest"] = max(counts["slowest"], time.process_time() - started)

one()
print(json.dumps(counts))
"""


def test_a_thousand_spliced_files(capsys):
    command = [sys.executable, "-c", SCRIPT, str(FILES), str(SECONDS_A_FILE), str(MEMORY)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=HANG_S)
    assert ended.returncode == 0, f"ended with {ended.returncode}\n{ended.stderr[-3000:]}"
    counts = json.loads(ended.stdout.splitlines()[-1])
    assert counts["made"] >= FILES
    assert counts["decoded"] > 0
    assert counts["refused"] > FILES / 4
    with capsys.disabled():
        print(
            f"\n{counts['made']:,} files, {counts['decoded']} decoded, {counts['refused']} refused: 0 crashes, 0 hangs"
        )
