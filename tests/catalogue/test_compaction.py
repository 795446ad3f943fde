"""Shards of which little is left: their pictures move together, none is lost, and what is gone is forgotten."""

from collections import Counter

import hypothesis.strategies as st
import pyarrow as pa
from hypothesis import given, settings

from partitions.assignment import FOUND, LEDGER, MOVED, assign
from partitions.compaction import compact, without_the_gone

NAMES = [f"{number:02d}.jpg" for number in range(12)]


def found(contents):
    """What a scan finds: pictures and their contents."""
    rows = [
        {name: 0 if pa.types.is_integer(FOUND.field(name).type) else "" for name in FOUND.names}
        | {"picture": picture, "content": content, "stamp": content}
        for picture, content in contents.items()
    ]
    return pa.Table.from_pylist(rows, schema=FOUND)


def scanned(ledger, contents, shard_size=4):
    return assign(ledger, found(contents), catalogue="spring", shard_size=shard_size).ledger


def live(ledger):
    """Shard and content of each picture."""
    return {one["picture"]: (one["shard"], one["content"]) for one in ledger.to_pylist() if not one["retired"]}


def contents_of(ledger):
    return {picture: content for picture, (_, content) in live(ledger).items()}


def ledgers(histories, shard_size=4):
    ledger = LEDGER.empty_table()
    for contents in histories:
        ledger = scanned(ledger, contents, shard_size)
    return ledger


histories = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from("abcdef"), min_size=1), min_size=1, max_size=9
)


@given(histories)
@settings(deadline=None, max_examples=30)
def test_whatever_came_and_went_pictures_keep_their_contents_and_fill_fewer_shards(history):
    ledger = ledgers(history)
    compacted = compact(ledger, catalogue="spring", shard_size=4)
    tidy, _ = without_the_gone(compacted.ledger if compacted else ledger)
    assert contents_of(tidy) == contents_of(ledger) == history[-1]
    assert Counter(one["picture"] for one in tidy.to_pylist() if not one["retired"]) == Counter([*history[-1]])
    newest = [one for one in tidy.to_pylist() if one["shard"] == max(one["shard"] for one in tidy.to_pylist())]
    assert len(tidy) <= 2 * len(history[-1]) + len(newest)
    if compacted:
        before, after = live(ledger), live(compacted.ledger)
        assert len({shard for shard, _ in after.values()}) < len({shard for shard, _ in before.values()})
        moved = {name for names in compacted.moves.values() for name in names}
        assert {name for name in before if before[name] != after[name]} == moved
        # One may have more already, of pictures that returned to where they were.
        grown = Counter(shard for shard, _ in after.values()) - Counter(shard for shard, _ in before.values())
        assert all(sum(one == shard for one, _ in after.values()) <= 4 for shard in grown)
        assert compact(compacted.ledger, catalogue="spring", shard_size=4) is None
    # No number of a shard is given twice, and the next scan finds nothing to do.
    assert scanned(tidy, history[-1]).equals(tidy)
    more = live(scanned(tidy, history[-1] | {"new.jpg": "x"}))["new.jpg"][0]
    assert more >= max(one["shard"] for one in ledger.to_pylist())


def test_what_is_left_of_many_shards_fills_one_and_a_shard_that_lost_little_stays():
    everything = dict.fromkeys([f"{number:02d}.jpg" for number in range(20)], "a")
    ledger = ledgers([everything], shard_size=4)
    kept = {name: "a" for name in everything if name in ("00.jpg", "04.jpg", "08.jpg", "09.jpg", "16.jpg")}
    ledger = scanned(ledger, kept, 4)
    assert {name: shard for name, (shard, _) in live(ledger).items()} == {
        "00.jpg": "spring-00000",
        "04.jpg": "spring-00001",
        "08.jpg": "spring-00002",
        "09.jpg": "spring-00002",
        "16.jpg": "spring-00004",
    }
    compacted = compact(ledger, catalogue="spring", shard_size=4)
    assert compacted.moves == {
        ("spring-00000", "spring-00004"): ["00.jpg"],
        ("spring-00001", "spring-00004"): ["04.jpg"],
    }
    assert [one["picture"] for one in compacted.ledger.to_pylist() if one["retired"] == MOVED] == ["00.jpg", "04.jpg"]
    tidy, gone = without_the_gone(compacted.ledger)
    assert gone == ["spring-00000", "spring-00001", "spring-00003"]
    assert contents_of(tidy) == kept


def test_a_picture_that_moved_and_was_removed_returns_to_its_new_shard():
    ledger = ledgers([dict.fromkeys(NAMES, "a"), {"00.jpg": "a", "11.jpg": "a"}], shard_size=4)
    moved = compact(ledger, catalogue="spring", shard_size=4).ledger
    assert live(moved)["00.jpg"][0] == "spring-00002"
    removed = scanned(moved, {"11.jpg": "a"}, 4)
    assert live(scanned(removed, {"00.jpg": "a", "11.jpg": "a"}, 4))["00.jpg"][0] == "spring-00002"
    renamed = live(scanned(removed, {"other.jpg": "a", "11.jpg": "a"}, 4))
    assert "other.jpg" in renamed


def test_the_newest_shard_is_not_forgotten_for_its_number_would_be_given_again():
    ledger = ledgers([dict.fromkeys(NAMES[:9], "a"), dict.fromkeys(NAMES[:4], "a")], shard_size=4)
    tidy, gone = without_the_gone(ledger)
    assert gone == ["spring-00001"]
    assert {one["shard"]: one["retired"] for one in tidy.to_pylist()} == {
        "spring-00000": "",
        "spring-00002": "removed",
    }
