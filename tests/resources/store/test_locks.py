"""Claims between runs whose clocks differ, whose stores fail and which die or oversleep."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resources.errors import MachineFault
from resources.store.locks import Claims
from resources.store.store import Store
from tests.support.waiting import until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path))


def test_a_claim_of_a_dead_process_of_this_machine_is_stale_at_once(store):
    script = "import sys; from resources.store.locks import Claims; from resources.store.store import Store\n"
    script += "Claims(Store(root=sys.argv[1]), 'claims').take('key')"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script, store.root], check=True, cwd=root)
    assert store.names("claims") == ["key.0.claim"]
    with Claims(store, "claims").held("key", poll_s=0.01):
        pass
    assert store.names("claims") == []


def test_a_claim_that_is_refreshed_is_never_stale_whatever_the_clocks_say(store):
    clock = Clock()
    holder, waiter = Claims(store, "claims"), Claims(store, "claims", stale_after_s=60, clock=clock)
    mine = holder.take("key")
    for _ in range(5):
        assert waiter.take("key") is None
        clock.now += 59
        store.write(mine.path, holder._stamp(mine))
    assert waiter.take("key") is None


def test_an_unreadable_claim_is_waited_for_and_then_taken_over(store):
    clock = Clock()
    store.write("claims/key.0.claim", b"\0\0")
    waiter = Claims(store, "claims", stale_after_s=60, clock=clock)
    assert waiter.take("key") is None
    clock.now += 61
    assert waiter.take("key") is not None


def test_a_holder_that_overslept_knows_that_it_was_taken_over(store):
    clock = Clock()
    sleeper, heir = Claims(store, "claims"), Claims(store, "claims", stale_after_s=60, clock=clock)
    old = sleeper.take("key")
    assert sleeper.is_held(old)
    assert heir.take("key") is None
    clock.now += 61
    new = heir.take("key")
    assert heir.is_held(new)
    assert not sleeper.is_held(old)
    heir.release(new)
    assert not sleeper.is_held(old)


def test_who_overslept_leaves_the_claims_of_those_who_came_after_alone(store):
    clock = Clock()
    sleeper, heir = Claims(store, "claims", stale_after_s=0.2), Claims(store, "claims", stale_after_s=60, clock=clock)
    old = sleeper.take("key")
    assert heir.take("key") is None
    clock.now += 61
    heir.release(heir.take("key"))
    assert store.names("claims") == []
    third = Claims(store, "claims")
    new = third.take("key")
    stamp = store.read(new.path)
    with sleeper.kept_fresh([old]):
        time.sleep(0.3)
    assert store.read(new.path) == stamp, "it is not refreshed over"
    sleeper.release(old)
    assert third.is_held(new)
    third.release(new)
    assert store.names("claims") == []


def test_a_holder_that_wakes_while_its_heir_works_holds_nothing_afterwards_either(store):
    clock = Clock()
    sleeper, heir = Claims(store, "claims", stale_after_s=0.2), Claims(store, "claims", stale_after_s=60, clock=clock)
    old = sleeper.take("key")
    assert heir.take("key") is None
    clock.now += 61
    new = heir.take("key")
    with sleeper.kept_fresh([old]):
        time.sleep(0.3)
    heir.release(new)
    assert not sleeper.is_held(old)
    assert store.names("claims") == []


def test_who_counts_past_a_claim_that_was_given_back_meanwhile_takes_none(store, monkeypatch):
    """Else two would hold the key: one at number 0 again, one above it."""
    clock = Clock()
    late = Claims(store, "claims", stale_after_s=60, clock=clock)
    assert Claims(store, "claims").take("key")
    assert late.take("key") is None
    clock.now += 61
    create = Store.create

    def given_back_first(self, path, data):
        if path.endswith(".1.claim"):
            monkeypatch.setattr(Store, "create", create)
            store.remove(["claims/key.0.claim"])
            assert Claims(store, "claims").take("key")
        return create(self, path, data)

    monkeypatch.setattr(Store, "create", given_back_first)
    assert late.take("key") is None
    assert store.names("claims") == ["key.0.claim"]


def test_a_store_that_fails_for_a_while_does_not_end_the_refreshing(store, monkeypatch):
    claims = Claims(store, "claims", stale_after_s=0.2)
    write, failures = Store.write, []

    def fail_at_first(self, path, data, **options):
        if len(failures) < 2:
            failures.append(path)
            raise MachineFault("gone for a moment")
        write(self, path, data, **options)

    mine = claims.take("key")
    before = store.read(mine.path)
    monkeypatch.setattr(Store, "write", fail_at_first)
    with claims.kept_fresh([mine]):
        until(lambda: store.read(mine.path) != before)
    assert json.loads(store.read(mine.path))["fresh"] != json.loads(before)["fresh"]


def test_a_claim_that_could_not_be_given_back_keeps_its_own_process_waiting_for_nothing(store, monkeypatch):
    claims = Claims(store, "claims/masks")

    def fail(*given):
        raise OSError("503")

    with monkeypatch.context() as broken, claims.held("spring-00001"):
        broken.setattr(type(store), "remove", fail)
    assert store.exists("claims/masks/spring-00001.0.claim")
    with claims.held("spring-00001", poll_s=60) as claim:
        assert claims.is_held(claim)
        assert Claims(store, "claims/masks").take("spring-00001") is None
    assert not store.exists("claims/masks/spring-00001.0.claim")
    assert not store.exists("claims/masks/spring-00001.1.claim")
