"""How often a shard asks its store: a number for the shard, and one for each picture; no file is asked for twice."""

import pytest

from benchmarks.speed.overhead import requests


@pytest.mark.slow
def test_requests_are_few_and_grow_with_the_files_of_a_picture_alone(tmp_path):
    some, more = requests(tmp_path / "some", 3), requests(tmp_path / "more", 6)
    first = {stage: (more[stage][0] - some[stage][0]) / 3 for stage in some}
    idle = {stage: (more[stage][1] - some[stage][1]) / 3 for stage in some}
    # An upload is two requests and a look at its size; a file of an earlier stage is read once.
    assert first == {
        "prepared_images": 3,
        "analysis": 1,
        "enhanced_prompts": 0,
        "backgrounds": 1,
        "masks": 4,
        "composites": pytest.approx(6, abs=1.1),
        "review": pytest.approx(4, abs=1.1),
    }, "composites without a shadow have one file, others two"
    # Where there is nothing to do, only the sizes of files are asked for.
    files = {"prepared_images": 1, "masks": 1, "composites": pytest.approx(1.5, abs=0.6)}
    assert idle == {stage: files.get(stage, 0) for stage in some}
    assert max(count for _, count in some.values()) < 30
