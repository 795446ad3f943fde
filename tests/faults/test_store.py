"""A store that errs, stalls and lies about success, under the whole pipeline."""

import json
from collections import Counter

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param({"stall": 0.03}, id="stalls", marks=pytest.mark.soak),
        pytest.param({"err": 0.01}, id="errs", marks=pytest.mark.soak),
        pytest.param({"lie": 0.03}, id="lies", marks=pytest.mark.soak),
        pytest.param({"err": 0.005, "stall": 0.01, "lie": 0.02}, id="all at once"),
    ],
)
def test_whatever_the_store_does_the_end_is_that_of_a_clean_run(small, driver, unlike_clean, capsys, plan):
    """Runs under faults end well or with a sentence; the first undisturbed one afterwards completes what is missing."""
    ended, faults = Counter(), Counter()
    url = f"faulty://{small.store.root}"
    for seed in range(4):
        small.put("4.png", seed)
        ended[driver.run(small, dagster=True, store=url, faults=plan | {"seed": seed})] += 1
        faults.update(json.loads((small.root / "faults.json").read_text()))
    assert set(ended) <= {0, 1}
    assert set(faults) and sum(faults.values()) > 0
    assert "Unexpected" not in small.log()
    assert driver.run(small) == 0, small.log()[-3000:]
    assert driver.run(small) == 0, small.log()[-3000:]
    assert unlike_clean(small) == []
    assert small.partial() == []
    with capsys.disabled():
        print(f"\n{dict(faults)}: {ended[0]} runs ended well, {ended[1]} with a fault; 0 lost, 0 partial")
