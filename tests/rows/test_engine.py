"""The row engine against a store on disk, with small stages in place of the real ones."""

import contextlib
import logging
import threading
from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from resources.errors import MachineFault
from resources.store.store import Store
from tests.support.waiting import until
from vivid_assets.rows.columns import Degraded, SharedFile, StoredFile
from vivid_assets.rows.engine import ShardRun, materialize_rows
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.keys import degraded_key
from vivid_assets.rows.stage import Reads, Stage, WhateverBecame, artefact
from vivid_assets.rows.tables import Journal, read_made_with, read_rows
from vivid_assets.rows.work import Work, each

LOG = logging.getLogger("test")


@dataclass(frozen=True)
class Content:
    content: str


@dataclass(frozen=True)
class Prompt:
    prompt: str


@dataclass(frozen=True)
class Drawn:
    file: StoredFile | None = None
    parity: int | None = None


@dataclass(frozen=True)
class Parity:
    parity: int | None


@dataclass(frozen=True)
class DrawnFile:
    file: str | None


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class NoteText:
    text: str


@dataclass(frozen=True)
class Framed:
    file: StoredFile


@dataclass(frozen=True)
class Made:
    text: str
    lacks: Degraded


DRAW = Stage(name="draw", version="1", row=Drawn, asks=Content)
NOTE = Stage(name="note", version="1", row=Text, asks=Prompt, reads=(Reads(DRAW, Parity),))
FRAME = Stage(name="frame", version="1", row=Framed, reads=(Reads(DRAW, DrawnFile), Reads(NOTE, NoteText)))


def materialize(stage, pictures, work, *, store, shard="s", **options):
    """The outcome of ``work`` on the pictures."""
    return materialize_rows(ShardRun(stage, shard, pictures, store, LOG, **options), work)


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs but ``finally``."""


class House:
    """Three stages over one shard: it counts the work done and can be told to fail."""

    def __init__(self, store: Store):
        self.store = store
        self.worked: list[tuple[str, str]] = []
        self.kill_after: int | None = None
        self._lock = threading.Lock()

    def _count(self, stage: str, picture: str) -> None:
        with self._lock:
            self.worked.append((stage, picture))
        self._maybe_die()

    def _maybe_die(self) -> None:
        with self._lock:
            if self.kill_after is not None:
                if self.kill_after == 0:
                    raise Killed
                self.kill_after -= 1

    def _draw(self, row):
        if row.read(Content).content == "broken":
            raise PictureFailure("This picture is broken: replace it.")
        self._count("draw", row.picture)
        path = artefact("c", DRAW, row.key, ".txt")
        self.store.write(path, row.read(Content).content.encode())
        self._maybe_die()
        return Drawn(path, len(row.read(Content).content) % 2)

    def _note(self, row):
        self._count("note", row.picture)
        return Text(f"{row.read(Prompt).prompt} {row.read(Parity).parity}")

    def _frame(self, row, border):
        self._count("frame", row.picture)
        inner = self.store.read(row.read(DrawnFile).file).decode()
        path = artefact("c", FRAME, row.key, ".txt")
        self.store.write(path, f"{border}{inner}|{row.read(NoteText).text}{border}".encode())
        self._maybe_die()
        return Framed(path)

    def run(self, pictures, border="#", **options):
        self.worked = []
        shared = {"store": self.store, **options}
        materialize(DRAW, pictures, lambda: each(self._draw), **shared)
        materialize(NOTE, pictures, lambda: each(self._note), **shared)
        work = each(lambda row: self._frame(row, border))
        return materialize(FRAME, pictures, lambda: work, settings={"border": border}, **shared)

    def lose(self, stage, picture):
        """As if somebody had deleted the file."""
        row = read_rows(self.store, {"draw": DRAW, "frame": FRAME}[stage], "s").get(picture, {})
        self.store.remove([row["file"]] if row.get("file") else [])

    def tables(self):
        """All rows without the seconds, which differ from run to run, and all files."""
        rows = {
            stage.name: [
                {name: value for name, value in row.items() if name != "seconds"}
                for row in read_rows(self.store, stage, "s").values()
            ]
            for stage in (DRAW, NOTE, FRAME)
        }
        files = {row["file"]: self.store.read(row["file"]) for row in rows["draw"] + rows["frame"] if row["file"]}
        return rows, files


@pytest.fixture
def house(tmp_path):
    return House(Store(root=str(tmp_path)))


def pictures(**contents):
    return [{"picture": name, "content": content, "prompt": "red"} for name, content in contents.items()]


def test_unchanged_rows_are_taken_over(house):
    first = house.run(pictures(a="one", b="four"))
    assert len(house.worked) == 6
    again = house.run(pictures(a="one", b="four"))
    assert house.worked == []
    assert again.computed == 0
    assert again.taken_over == 2
    assert again.data_version == first.data_version


def test_a_changed_picture_reruns_alone(house):
    house.run(pictures(a="one", b="four"))
    house.run(pictures(a="one", b="other"))
    assert {picture for _, picture in house.worked} == {"b"}


def test_a_setting_reruns_only_the_stage_that_reads_it(house):
    house.run(pictures(a="one", b="four"))
    house.run(pictures(a="one", b="four"), border="*")
    assert house.worked == [("frame", "a"), ("frame", "b")]


def test_a_change_upstream_that_leads_to_the_same_values_ends_there(house):
    """``note`` reads only the parity of ``draw``: new content of the same parity does not touch it."""
    house.run(pictures(a="one"))
    house.run(pictures(a="two"))
    assert house.worked == [("draw", "a"), ("frame", "a")]


def test_a_lost_file_is_made_again(house):
    house.run(pictures(a="one", b="four"))
    house.lose("frame", "b")
    house.run(pictures(a="one", b="four"))
    assert house.worked == [("frame", "b")]


def test_a_failure_is_a_row_and_what_follows_is_skipped_with_its_reason(house):
    outcome = house.run(pictures(a="one", b="broken"))
    assert [row["picture"] for row in outcome.with_status("ok")] == ["a"]
    (skipped,) = outcome.with_status("skipped")
    assert skipped["error"] == "draw failed: This picture is broken: replace it."


def test_lasting_failures_wait_for_a_change_and_transient_ones_are_tried_again(tmp_path):
    store, tried = Store(root=str(tmp_path)), []

    def load(row):
        tried.append(row.picture)
        raise PictureFailure("no", transient=row.picture == "t")

    def run(**options):
        tried.clear()
        materialize(DRAW, pictures(t="x", l="y"), lambda: each(load), store=store, **options)
        return sorted(tried)

    assert run() == ["l", "t"]
    assert run() == ["t"]
    assert run(retry_failed=True) == ["l", "t"]


def test_a_fault_of_the_machine_fails_the_stage_and_keeps_what_was_finished(tmp_path):
    store, done = Store(root=str(tmp_path)), []

    def compute(batch):
        if "c" in batch:
            raise MachineFault("The device is gone.")
        done.extend(batch)
        return [Drawn(parity=0)] * len(batch)

    def run(compute):
        work = Work(load=lambda row: row.picture, compute=compute, save=lambda _, columns: columns, batch_size=2)
        names = pictures(a="1", b="2", c="3", d="4")
        return materialize(DRAW, names, lambda: work, store=store)

    with pytest.raises(MachineFault, match="device is gone"):
        run(compute)
    assert done == ["a", "b"]
    outcome = run(lambda batch: done.extend(batch) or [Drawn(parity=0)] * len(batch))
    assert done == ["a", "b", "c", "d"]
    assert outcome.computed == 2


def test_a_picture_that_breaks_its_batch_fails_alone(tmp_path):
    def compute(batch):
        if "b" in batch:
            raise RuntimeError("cannot do this one")
        return [Drawn(parity=1) for _ in batch]

    work = Work(load=lambda row: row.picture, compute=compute, save=lambda _, columns: columns, batch_size=3)
    outcome = materialize(DRAW, pictures(a="", b="", c=""), lambda: work, store=Store(root=str(tmp_path)))
    assert [row["status"] for row in outcome.rows] == ["ok", "failed", "ok"]
    assert outcome.rows[1]["error"] == "Unexpected RuntimeError: cannot do this one. The run's log has the traceback."


def test_no_model_is_asked_for_when_there_is_nothing_to_do(house):
    house.run(pictures(a="one"))
    outcome = materialize(DRAW, pictures(a="one"), lambda: pytest.fail("work was made"), store=house.store)
    assert outcome.computed == 0


@dataclass(frozen=True)
class Color:
    color: str


@dataclass(frozen=True)
class ParityAsText:
    parity: str


@dataclass(frozen=True)
class SureParity:
    parity: int


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Color, r"reads draw\.color, which does not exist"),
        (ParityAsText, r"reads draw\.parity as string, and it is int64"),
        (SureParity, r"reads draw\.parity as a value that is always there, and it may be None"),
    ],
)
def test_a_stage_reads_only_what_another_has(kind, why):
    with pytest.raises(ValueError, match=why):
        Stage(name="x", version="1", row=Text, reads=(Reads(DRAW, kind),))


def test_a_stage_sees_nothing_that_it_does_not_declare(house):
    def peep(row):
        return Text(str(row.read(DrawnFile).file))

    outcome = materialize(NOTE, pictures(a="one"), lambda: each(peep), store=house.store)
    assert outcome.rows[0]["status"] == "skipped"
    house.run(pictures(a="one"))
    (row,) = materialize(NOTE, pictures(a="one"), lambda: each(peep), store=house.store, settings={"again": 1}).rows
    assert (row["status"], "KeyError" in row["error"]) == ("failed", True)


def test_columns_that_every_stage_has_are_not_a_stage_s_own():
    @dataclass(frozen=True)
    class Timed:
        seconds: float

    with pytest.raises(ValueError, match="x has a column 'seconds', which every stage has"):
        Stage(name="x", version="1", row=Timed)


step = st.fixed_dictionaries(
    {
        "pictures": st.dictionaries(
            st.sampled_from("abcde"),
            st.tuples(st.sampled_from(["x", "xy", "xyz", "broken"]), st.sampled_from(["red", "blue"])),
        ),
        "border": st.sampled_from("#*"),
        "kill_after": st.one_of(st.none(), st.integers(0, 20)),
        "journal_survives": st.booleans(),
        "lose": st.sets(st.sampled_from([("draw", "a"), ("frame", "a"), ("frame", "b")])),
    }
)


@pytest.mark.slow
@given(steps=st.lists(step, min_size=1, max_size=5))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_ends_like_a_clean_run(tmp_path_factory, steps):
    """Adds, changes, removals, settings, lost files, failures and kills in any order leave no trace."""
    house = House(Store(root=str(tmp_path_factory.mktemp("lived"))))
    for turn in steps:
        wanted = [
            {"picture": name, "content": content, "prompt": prompt}
            for name, (content, prompt) in sorted(turn["pictures"].items())
        ]
        for one in turn["lose"]:
            house.lose(*one)
        house.kill_after = turn["kill_after"]
        with pytest.MonkeyPatch.context() as patch:
            if not turn["journal_survives"]:
                patch.setattr(Journal, "flush", lambda self: None)
            with contextlib.suppress(Killed):
                house.run(wanted, border=turn["border"])
    house.kill_after = None
    house.run(wanted, border=steps[-1]["border"])

    clean = House(Store(root=str(tmp_path_factory.mktemp("clean"))))
    clean.run(wanted, border=steps[-1]["border"])
    assert house.tables() == clean.tables()
    house.run(wanted, border=steps[-1]["border"])
    assert house.worked == []


def test_a_stage_that_does_not_require_another_works_on_its_failures_too(house):
    """``list`` sees every picture: with the error where ``draw`` failed, and again once that changes."""

    @dataclass(frozen=True)
    class Became(WhateverBecame):
        parity: int | None

    listing = Stage(name="list", version="1", row=Text, reads=(Reads(DRAW, Became),))

    def run(found):
        def say(row):
            became = row.read(Became)
            return Text(f"{became.status} {became.parity} {became.error}")

        outcome = materialize(listing, found, lambda: each(say), store=house.store)
        return [row["text"] for row in outcome.rows], outcome.computed

    assert run(pictures(a="one", b="broken")) == (["None None None"] * 2, 2)
    house.run(pictures(a="one", b="broken"))
    assert run(pictures(a="one", b="broken")) == (["ok 1 None", "failed None This picture is broken: replace it."], 2)
    house.run(pictures(a="one", b="four"))
    assert run(pictures(a="one", b="four")) == (["ok 1 None", "ok 0 None"], 1)


def test_a_table_says_what_its_rows_were_made_with(house):
    house.run(pictures(a="one"), border="*")
    assert read_made_with(house.store, FRAME, "s") == {"settings": {"border": "*"}, "revision": {}}
    house.run(pictures(a="one"), border="+")
    assert read_made_with(house.store, FRAME, "s")["settings"] == {"border": "+"}


def test_a_row_says_in_which_environment_it_was_made_and_keeps_that(house, monkeypatch):
    monkeypatch.setattr("vivid_assets.rows.engine.environment", lambda: "numpy 1")
    house.run(pictures(a="one", b="broken"))
    monkeypatch.setattr("vivid_assets.rows.engine.environment", lambda: "numpy 2")
    house.run(pictures(a="one", b="broken", c="three"))
    rows = read_rows(house.store, DRAW, "s")
    assert [rows[name]["environment"] for name in "abc"] == ["numpy 1", None, "numpy 2"]


def test_only_settings_that_can_change_a_row_make_it_stale(tmp_path):
    store = Store(root=str(tmp_path))
    worked = []

    def make(row):
        worked.append(row.picture)
        return Text("text")

    def run(**settings):
        worked.clear()
        used = {"a": ["font"], "b": ["font", "quality"]}
        materialize(
            Stage("note", "1", Text, Content),
            pictures(a="one", b="two"),
            lambda: each(make),
            store=store,
            settings=settings,
            settings_of=lambda row: {name: settings[name] for name in used[row.picture]},
        )
        return sorted(worked)

    assert run(font="sans", quality=90) == ["a", "b"]
    assert run(font="sans", quality=80) == ["b"]
    assert run(font="serif", quality=80) == ["a", "b"]
    assert run(font="serif", quality=80) == []


@dataclass(frozen=True)
class Painted:
    file: SharedFile
    words: str


def test_of_a_shared_file_its_path_counts_and_not_which_row_names_it(tmp_path):
    store = Store(root=str(tmp_path))
    paint = Stage("paint", "1", Painted, Prompt)
    hang = Stage("hang", "1", Text, reads=(Reads(paint, DrawnFile),))
    worked = []

    def painted(row):
        color, _, rest = row.read(Prompt).prompt.partition(" ")
        store.write(f"scenes/{color}", color.encode())
        return Painted(f"scenes/{color}", rest)

    def hung(row):
        worked.append(row.read(DrawnFile).file)
        return Text("hung")

    for prompt in ("red paper", "red wall", "green wall"):
        asked = [{"picture": "a", "prompt": prompt}]
        materialize(paint, asked, lambda: each(painted), store=store)
        materialize(hang, asked, lambda: each(hung), store=store)
    assert worked == ["scenes/red", "scenes/green"]


def test_a_degraded_row_is_made_again_and_what_is_made_of_it_once_it_is_whole(tmp_path):
    store, lacks, worked = Store(root=str(tmp_path)), {"a": "no kornia"}, []

    @dataclass(frozen=True)
    class MadeFile:
        file: StoredFile
        lacks: Degraded

    made = Stage("made", "1", MadeFile, Content)
    used = Stage("used", "1", Text, reads=(Reads(made, DrawnFile),))

    def make(row):
        worked.append(("made", row.picture))
        path = artefact("c", made, degraded_key(row.key, lacks.get(row.picture)), ".txt")
        store.write(path, b"x")
        return MadeFile(path, lacks.get(row.picture))

    def use(row):
        worked.append(("used", row.picture))
        return Text("y")

    def run():
        worked.clear()
        pictures = [{"picture": name, "content": name} for name in ("a", "b")]
        for stage, work in ((made, each(make)), (used, each(use))):
            materialize(stage, pictures, lambda w=work: w, store=store, shard="s-0")
        return sorted(worked)

    run()
    row = read_rows(store, made, "s-0")["a"]
    assert (row["status"], row["transient"], row["lacks"]) == ("ok", True, "no kornia")
    assert run() == [("made", "a")], "the cause lasts: nothing follows"
    lacks["a"] = "no einops"
    assert run() == [("made", "a"), ("used", "a")]
    lacks.clear()
    assert run() == [("made", "a"), ("used", "a")]
    assert not read_rows(store, made, "s-0")["a"]["transient"]
    assert run() == []


def materialize_note(store, row, result):
    """A stage of such rows over one picture; how many it made."""
    made = []

    def note(found):
        made.append(found.picture)
        return result

    stage = Stage(name="note", version="1", row=row)
    materialize(stage, pictures(a="x"), lambda: each(note), store=store)
    return len(made)


@dataclass(frozen=True)
class LongText:
    text: str
    length: int


def test_a_column_that_is_new_makes_rows_stale_though_nobody_raised_the_version(tmp_path):
    store = Store(root=str(tmp_path))
    assert materialize_note(store, Text, Text("one")) == 1
    assert materialize_note(store, Text, Text("one")) == 0
    assert materialize_note(store, LongText, LongText("one", 3)) == 1


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"txet": "one"}, "note gave a dict, and not the LongText that it declares"),
        (Text("one"), "note gave a Text, and not the LongText that it declares"),
        (LongText("one", None), "note: LongText has no 'length', which every row has"),
    ],
)
def test_a_row_with_other_columns_is_refused_where_it_is_written(tmp_path, result, why):
    store = Store(root=str(tmp_path))
    with pytest.raises(MachineFault, match=why):
        materialize_note(store, LongText, result)
    assert store.names("tables/note/s") == []


def test_a_renamed_picture_and_one_that_returns_are_not_made_again(house):
    first = house.run(pictures(a="one", b="four"))
    renamed = house.run(pictures(b="four", c="one"))
    assert house.worked == []
    assert [row["picture"] for row in renamed.rows] == ["b", "c"]
    house.run(pictures(b="four"))
    house.run(pictures(b="four", x="another"))
    house.run(pictures(a="one", b="four", x="another"))
    assert house.worked == [], "from the shelf"
    assert house.run(pictures(a="one", b="four")).data_version == first.data_version


def test_settings_there_and_back_make_nothing_again_and_lost_files_do(house):
    house.run(pictures(a="one", b="four"))
    house.run(pictures(a="one", b="four"), border="*")
    house.run(pictures(a="one", b="four"), border="#")
    assert house.worked == []
    house.lose("frame", "a")
    house.run(pictures(a="one", b="four"), border="*")
    assert house.worked == []
    house.run(pictures(a="one", b="four"), border="#")
    assert house.worked == [("frame", "a")]


def test_a_poorer_machine_takes_over_what_a_better_one_made_and_does_its_own_part_once(tmp_path):
    """Wanted is not available: the key is that of the whole row, whoever asks."""
    store, worked = Store(root=str(tmp_path)), []
    made = Stage("made", "1", Made, Content)

    def run(found, lacking):
        worked.clear()

        def make(row):
            worked.append(row.picture)
            return Made("poor" if lacking else "good", lacking)

        options = {"store": store, "revision": {"model": "1"}, "lacking": lacking}
        table = materialize(made, pictures(**found), lambda: each(make), **options)
        return [row["text"] for row in table.rows], [*worked]

    assert run({"a": "1"}, None) == (["good"], ["a"])
    assert run({"a": "1", "b": "2"}, "no GPU") == (["good", "poor"], ["b"])
    assert run({"a": "1", "b": "2"}, "no GPU") == (["good", "poor"], []), "there is nothing to be gained here"
    assert run({"a": "1", "b": "2"}, "no driver") == (["good", "poor"], ["b"])
    assert run({"a": "1", "b": "2"}, None) == (["good", "good"], ["b"])


def test_a_limit_that_is_raised_tries_what_failed_by_it_again_and_nothing_else(tmp_path):
    store, tried = Store(root=str(tmp_path)), []

    def run(limit):
        tried.clear()

        def measure(row):
            tried.append(row.picture)
            if len(row.read(Content).content) > limit:
                raise PictureFailure("It is too long.")
            return Drawn(parity=0)

        options = {"store": store, "limits": {"longest": limit}}
        table = materialize(DRAW, pictures(a="x", b="long"), lambda: each(measure), **options)
        return [row["status"] for row in table.rows], sorted(tried)

    assert run(2) == (["ok", "failed"], ["a", "b"])
    assert run(2) == (["ok", "failed"], [])
    assert run(3) == (["ok", "failed"], ["b"])
    assert run(4) == (["ok", "ok"], ["b"])
    assert run(2) == (["ok", "ok"], [])


def test_long_work_is_said_before_its_first_row_and_what_is_counted_is_saved(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("vivid_assets.rows.engine._PROGRESS_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    store = Store(root=str(tmp_path))
    pictures = [{"picture": f"{number}.jpg", "content": str(number), "prompt": ""} for number in range(6)]

    def as_long_as_it_takes(until_said, result):
        until(lambda: caplog.text.count("draw s: at work for") >= until_said)
        return result

    def slowly(rows):
        return as_long_as_it_takes(2, rows)

    def drawn(row, _):
        path = artefact("c", DRAW, row.key, ".txt")
        store.write(path, b"x")
        return Drawn(path, 1)

    work = Work(lambda row: row, slowly, drawn, batch_size=2)
    with monkeypatch.context() as patch:
        # The line is written while the row after it waits: what it counts is in the journal.
        counted = []
        info = LOG.info

        def said(message, *arguments):
            if len(arguments) == 2 and " of 6 pictures" in str(arguments[1]):
                noted, _ = Journal(store, DRAW, "s").earlier()
                counted.append((int(arguments[1].split()[0]), len(noted)))
            info(message, *arguments)

        patch.setattr(LOG, "info", said)
        # The model that is loaded first takes its time, too.
        materialize(DRAW, pictures, lambda: as_long_as_it_takes(1, work), store=store)
    assert counted and all(count == saved for count, saved in counted)
