"""What goes wrong is said in a sentence, by the step where it went wrong; names and prompts are shown as they are."""

import logging
import subprocess
import sys

import dagster as dg
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import vivid_assets
from partitions.shards import catalogue_of, shard_key
from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.cli import catalogue
from vivid_assets.cli.console import console
from vivid_assets.cli.main import app
from vivid_assets.stages import stage as stages
from vivid_assets.stages.faults import reasons


@pytest.fixture
def vivid(tmp_path, monkeypatch):
    """Runs a command on a store and a Dagster instance of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVID_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    # Wide, so that tables break no name.
    monkeypatch.setattr(console, "_width", 300)
    monkeypatch.setattr(console, "_height", 50)

    def run(*arguments):
        ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        assert "Traceback" not in ran.output
        return ran.exit_code, " ".join(ran.output.split())

    return run


@pytest.fixture
def folder(tmp_path):
    """One picture, in a folder of its own."""
    return _folder(tmp_path / "pictures", {"shoe [front].png": _picture()})


def _picture():
    picture = np.full((100, 100, 3), 214, np.uint8)
    picture[30:70, 30:70] = (180, 40, 30)
    return picture


def _folder(folder, pictures, settings='[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'):
    for name, picture in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if picture is None:
            (folder / name).write_bytes(b"")
        else:
            Image.fromarray(picture).save(folder / name)
    (folder / "catalogue.toml").write_text(f'prompt = "[/INST] teal [paper] :smile:"\nshard_size = 1\n{settings}')
    return folder


@pytest.mark.slow
def test_the_first_failed_stage_says_why_in_the_run_and_in_the_table(vivid, tmp_path, monkeypatch):
    (tmp_path / "vivid.toml").write_text("[checks]\ntolerated_share = 0.0\ntolerated_pictures = 0\n")
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    folder = _folder(tmp_path / "x[", {"x[/b].png": None, "shoe [front].png": _picture()})
    assert vivid("catalogue", "add", "spring", folder)[0] == 0
    code, said = vivid("catalogue", "run", "spring")
    assert code == 1
    assert "prepared_images x[/b].png failed: The file is empty" in said
    assert "spring-00001 prepared_images: 0 of 1 picture succeeded; failed: x[/b].png" in said
    assert (
        "not run yet" not in said
        and "Not executing" not in said
        and "Dagster" not in said.replace("the Dagster UI", "")
    )
    assert "shoe [front].png" in said
    assert "[/INST] teal [paper] :smile:" in said


@pytest.mark.slow
def test_a_fault_of_the_machine_is_told_as_it_was_raised(vivid, folder, monkeypatch):
    def broken(*_):
        raise MachineFault("The disk [/red] is on fire: put it out.") from OSError(28, "smoke")

    monkeypatch.setattr(stages, "find", broken)
    vivid("catalogue", "add", "spring", folder)
    code, said = vivid("catalogue", "run", "spring")
    assert code == 1
    assert "spring-00000 prepared_images: The disk [/red] is on fire: put it out." in said
    assert "smoke" not in said and "DagsterExecution" not in said and "MachineFault" not in said


@pytest.mark.slow
def test_what_resources_log_is_in_the_terminal_once_and_in_the_run_s_log(vivid, folder, tmp_path, monkeypatch):
    told = []

    def find(*arguments):
        if told:
            return original(*arguments)
        told.append(arguments)
        logging.getLogger("resources.runtime.lease").info("Loaded %s in no time", "[bold]net\x1b[31m")
        logging.getLogger("resources.runtime.lease").debug("a detail")
        logging.getLogger("some.library").warning("not ours")
        return original(*arguments)

    original = stages.find
    monkeypatch.setattr(stages, "find", find)
    vivid("catalogue", "add", "spring", folder)
    code, said = vivid("catalogue", "run", "spring")
    assert code == 0
    assert said.count("Loaded [bold]net␛[31m in no time") == 1
    assert "a detail" not in said and "not ours" not in said
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        (run,) = instance.get_runs()
        logged = [entry.message for entry in instance.all_logs(run.run_id) if entry.dagster_event is None]
    assert sum("in no time" in message for message in logged) == 1
    assert not any("a detail" in message or "not ours" in message for message in logged)


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["foo", "[/x]-00000", "spring-00007", "sprin-00000"])
def test_an_unknown_partition_is_a_sentence(vivid, folder, partition, tmp_path):
    from vivid_assets.assets.trials import trials_asset
    from vivid_assets.definitions import PIPELINE, defs
    from vivid_assets.wiring import pipeline_assets

    vivid("catalogue", "add", "spring", folder)
    vivid("catalogue", "scan", "spring")
    resources = {**defs.resources, **PIPELINE.resources(store=Store(root=str(tmp_path / "store")))}
    for selection in (None, [PIPELINE.key(name) for name in ("masks", "export", "trials")]):
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("vivid_shards", ["spring-00000", partition])
            result = dg.materialize(
                [*pipeline_assets(PIPELINE), trials_asset(PIPELINE)],
                selection=selection,
                instance=instance,
                partition_key=partition,
                resources=resources,
                raise_on_error=False,
            )
            assert not result.success and result.get_asset_materialization_events() == []
            why = reasons(result.all_events)
            assert why
            assert all(sentence.startswith(f"There is no shard {partition}: add a catalogue") for _, sentence in why)
            assert instance.get_dynamic_partitions("vivid_shards") == ["spring-00000"]


@pytest.mark.parametrize(
    "partition", ["", "foo", "a-b", "-00000", "Spring-00000", "spring-1", "spring-0000x", "a b-00000"]
)
def test_what_cannot_be_a_shard_has_no_catalogue(partition):
    with pytest.raises(ValueError, match="There is no shard"):
        catalogue_of(partition)


def test_every_shard_s_key_has_its_catalogue():
    assert catalogue_of(shard_key("a-b_2", 7)) == "a-b_2"
    assert catalogue_of(shard_key("spring", 1_234_567)) == "spring"


@pytest.mark.slow
def test_a_moved_folder_computes_nothing_anew(vivid, folder, tmp_path):
    vivid("catalogue", "add", "spring", folder)
    assert vivid("catalogue", "run", "spring")[0] == 0
    moved = _folder(tmp_path / "elsewhere [/b]", {"shoe [front].png": _picture()})
    (moved / "shoe [front].png").touch()
    code, said = vivid("catalogue", "add", "spring", moved)
    assert code == 1 and "vivid catalogue move spring FOLDER" in said
    code, said = vivid("catalogue", "move", "spring", moved)
    assert code == 0 and f"spring is {moved} now" in said
    for path in folder.iterdir():
        path.unlink()
    code, said = vivid("catalogue", "run", "spring")
    assert code == 0 and "Nothing was computed" in said
    assert vivid("catalogue", "move", "spring", tmp_path / "nowhere")[0] == 1
    assert vivid("catalogue", "move", "winter", moved)[0] == 1


@pytest.mark.slow
def test_a_forgotten_catalogue_is_known_no_more_and_can_come_back(vivid, folder, tmp_path):
    for name in ("spring", "spring-2"):
        vivid("catalogue", "add", name, folder)
        assert vivid("catalogue", "run", name)[0] == 0
    assert vivid("catalogue", "remove", "spring", "--yes")[0] == 0
    assert vivid("catalogue", "run", "spring")[0] == 1
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert instance.get_dynamic_partitions("vivid_shards") == ["spring-2-00000"]
    assert "spring-2" in vivid("catalogue", "status")[1]
    vivid("catalogue", "add", "spring", folder)
    assert "Nothing was computed" in vivid("catalogue", "run", "spring")[1]


@pytest.mark.parametrize("error", [KeyError("[/x]\x1b[31m"), AssertionError(), RuntimeError("[bold] x")])
def test_a_bug_ends_with_a_sentence_and_shows_its_traceback_when_asked(vivid, monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(catalogue, "open_store", broken)
    code, said = vivid("catalogue", "status")
    assert code == 1
    assert f"Unexpected {type(error).__name__}: " in said and "VIVID_DEBUG=1" in said
    assert "\x1b" not in said
    asked = CliRunner().invoke(app, ["--debug", "catalogue", "status"])
    assert asked.exit_code == 1 and "Traceback" in asked.output and "in broken" in asked.output
    assert "Traceback" in CliRunner(env={"VIVID_DEBUG": "1"}).invoke(app, ["catalogue", "status"]).output


def test_a_tier_that_does_not_exist_is_a_sentence(vivid, folder):
    code, said = vivid("mask", folder / "shoe [front].png", "--tiers", "u2net-p")
    assert code != 0
    assert "u2net-p" in said and "u2netp" in said
    assert "validation error" not in said and "pydantic" not in said


def test_a_file_that_is_not_there_is_a_sentence(vivid):
    code, said = vivid("mask", "no [/x] such.png")
    assert code == 1
    assert "no [/x] such.png" in said and "No such file" in said and "Errno" not in said


@pytest.mark.slow
def test_the_version_is_told(vivid):
    assert vivid("--version") == (0, f"vivid_assets {vivid_assets.__version__}")
    ran = subprocess.run([sys.executable, "-m", "vivid_assets", "--version"], capture_output=True, text=True)
    assert ran.stdout.split() == ["vivid_assets", vivid_assets.__version__]


@pytest.mark.parametrize(
    "arguments", [["replace", "x.png", "--no-such[/b]"], ["catalogue", "add", "a", "b", "[/b]\x1b[31mred"], ["[/b]"]]
)
def test_a_command_that_is_written_wrongly_is_no_fault_of_the_program(vivid, arguments):
    code, said = vivid(*arguments)
    assert code == 2
    assert "[/b]" in said and "--help" in said
    assert "bug in vivid_assets" not in said and "\x1b" not in said
