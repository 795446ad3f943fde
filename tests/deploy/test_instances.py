"""The instances that are shipped: what each guards, and PostgreSQL's."""

from importlib.resources import files
from pathlib import Path

import dagster as dg
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ORDINARY = yaml.safe_load(files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["postgres", "ray"])
def test_every_instance_guards_what_the_ordinary_one_does(name):
    shipped = yaml.safe_load((DEPLOY / name / "dagster.yaml").read_text())
    for key in ("telemetry", "nux", "run_retries", "run_queue"):
        assert shipped[key] == ORDINARY[key]
    limits = [instance["concurrency"]["runs"]["tag_concurrency_limits"] for instance in (shipped, ORDINARY)]
    assert limits[0] == limits[1]
    assert shipped["concurrency"]["pools"]["granularity"] == "op"
    assert shipped["run_monitoring"]["enabled"]
    assert shipped["run_monitoring"]["free_slots_after_run_end_seconds"] > 0


def test_the_chart_s_values_guard_it_too():
    values = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())
    runs, daemon = values["concurrency"]["runs"], values["dagsterDaemon"]
    assert runs["tagConcurrencyLimits"] == ORDINARY["concurrency"]["runs"]["tag_concurrency_limits"]
    assert daemon["runMonitoring"]["freeSlotsAfterRunEndSeconds"] > 0
    assert daemon["runRetries"] == {"enabled": True, "maxRetries": 1, "retryOnAssetOrOpFailure": False}


@pytest.mark.slow
def test_records_on_postgresql_are_there_for_the_next_process(
    new_database, monkeypatch, tmp_path, make_deployed, pictures, settings
):
    monkeypatch.setenv("VIVID_POSTGRES_URL", new_database())
    (tmp_path / "dagster.yaml").write_bytes((DEPLOY / "postgres" / "dagster.yaml").read_bytes())
    deployed = make_deployed(str(tmp_path / "store"), str(pictures), settings)
    with dg.DagsterInstance.from_config(str(tmp_path)) as deployed.instance:
        deployed.scan()
        deployed.run_in_dagster("spring-00000")
    with dg.DagsterInstance.from_config(str(tmp_path)) as another:
        assert [run.status for run in another.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        assert another.get_materialized_partitions(dg.AssetKey(["vivid", "composites"])) == {"spring-00000"}
        assert another.get_concurrency_config().pool_config.default_pool_limit == 1
    assert not [*tmp_path.rglob("*.db")], "records in SQLite"
