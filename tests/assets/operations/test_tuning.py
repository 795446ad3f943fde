"""Settings as versions, and trials beside the result that stands."""

import dagster as dg
import pytest
from dagster._config import process_config
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from pydantic_core import to_jsonable_python

from resources.store.store import Store
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.trials import trials_asset
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.settings import SettingsFile, table_type
from vivid_assets.stages.settings_schema import settings_schema

BASE = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
TRIALS = trials_asset(PIPELINE)


@pytest.fixture
def done(pipeline):
    for name in ("a.png", "b.png"):
        pipeline.put(name)
    pipeline.scan()
    observe(pipeline)
    pipeline.run_in_dagster()
    return pipeline


def observe(pipeline) -> set[str]:
    """What the sensor does; the stages whose settings have changed."""
    changed = observations(PIPELINE, pipeline.instance, pipeline.store, SettingsFile(path=str(pipeline.settings_file)))
    for observation in changed:
        pipeline.instance.report_runless_asset_event(observation)
    return {observation.asset_key.path[-1].removesuffix("_settings") for observation in changed}


def out_of_date(pipeline, shard="spring-00000") -> set[str]:
    graph = defs.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(pipeline.instance, graph, LoadingContextForTest(pipeline.instance))
    return {
        key.path[-1]
        for key in graph.materializable_asset_keys
        if key != TRIALS.key and resolver.get_status(key, shard) != StaleStatus.FRESH
    }


def test_a_blending_setting_puts_composites_out_of_date_and_nothing_upstream(done):
    assert out_of_date(done) == set()
    done.say(BASE + '[composites]\nmode = "lab-deprojection"\n')
    assert observe(done) == {"composites"}
    assert out_of_date(done) == {"composites"}
    before = done.rows(BACKGROUNDS)
    done.run_in_dagster(selection=["composites"])
    assert "composites" not in out_of_date(done)
    assert done.rows(BACKGROUNDS) == before
    assert done.rows(COMPOSITES)["a.png"]["mode"] == "lab-deprojection"


def test_settings_said_in_other_words_are_the_same_version(done):
    done.say(BASE + '# a comment\n[composites]\nmode = "decontaminate"\n')
    assert observe(done) == set()


def test_what_the_checks_tolerate_is_in_no_version_and_no_key(done):
    done.say(BASE + '[checks]\nleakage = 0.5\nseverity = "error"\n')
    assert observe(done) == set()
    assert set(done.run().values()) == {0}


def test_a_catalogue_s_own_settings_are_in_the_version(done):
    (done.folder / "catalogue.toml").write_text("[masks]\nrefine = false\n")
    done.scan()
    assert observe(done) == {"masks"}
    assert "masks" in out_of_date(done)
    assert "backgrounds" not in out_of_date(done)


def test_a_bad_entry_is_named_and_observes_nothing(done):
    done.say("[composites]\nstrenght = 0.5\n")
    with pytest.raises(ValueError, match="strenght"):
        observe(done)


def try_out(pipeline, name, **settings):
    return dg.materialize(
        [TRIALS],
        partition_key="spring-00000",
        instance=pipeline.instance,
        run_config={"ops": {"vivid__trials": {"config": {"name": name, "settings": settings}}}},
        resources=pipeline.resources(),
    )


def files_of(pipeline):
    root = pipeline.store.path("")
    paths = [path for path in root.rglob("*") if path.is_file() and "trials" not in path.parts]
    return {str(path): path.read_bytes() for path in paths if "/.parts/" not in str(path)}


@pytest.mark.slow
def test_a_trial_lands_under_its_name_and_touches_nothing_else(done):
    before = files_of(done)
    result = try_out(done, "hard-edges", composites={"mode": "alpha"})
    assert result.success
    assert files_of(done) == before
    metadata = result.asset_materializations_for_node("vivid__trials")[0].metadata
    assert metadata["computed"].value == {
        "prepared_images": 0,
        "analysis": 0,
        "enhanced_prompts": 0,
        "backgrounds": 0,
        "masks": 0,
        "composites": 2,
    }
    assert "data:image/webp;base64," in metadata["source, current, trial"].value
    own = Store(root=f"{done.store.root}/trials/hard-edges")
    assert len([*own.path("artefacts/spring").glob("composites/*/*")]) == 1, "equal pictures share it"
    assert {folder.name for folder in own.path("artefacts/spring").iterdir()} == {"composites"}
    assert done.rows(COMPOSITES)["a.png"]["mode"] == "decontaminate"
    assert out_of_date(done) == set()
    assert set(done.run().values()) == {0}


@pytest.mark.slow
def test_a_trial_goes_on_where_it_was_and_follows_other_settings(done):
    try_out(done, "soft", masks={"refine": False})
    again = try_out(done, "soft", masks={"refine": False}).asset_materializations_for_node("vivid__trials")[0]
    assert set(again.metadata["computed"].value.values()) == {0}
    other = try_out(done, "soft", masks={"refine": False, "stretch_low": 0.2}).asset_materializations_for_node(
        "vivid__trials"
    )
    assert other[0].metadata["computed"].value["masks"] == 2
    assert done.rows(MASKS)["a.png"]["key"]


def test_a_trial_with_a_bad_entry_says_which(done):
    for name, settings, why in (
        ("typo", {"composites": {"mod": "alpha"}}, r'unexpected config entry "mod"'),
        ("typo", {"composites": {"mode": "beta"}}, r"not in enum type .* got beta"),
        ("typo", {"masks": {"tiers": ["nonsense"]}}, r"Input should be .* and not 'nonsense'"),
        ("typo", {"nonsense": {"a": 1}}, "nonsense"),
        ("../typo", {}, "'../typo' cannot be a trial's name: use small letters"),
    ):
        with pytest.raises((ValueError, dg.DagsterInvalidConfigError), match=why):
            try_out(done, name, **settings)
    assert not done.store.exists("trials")


def test_the_launchpad_knows_every_setting_that_can_be_tried_with_its_meaning():
    settings = TRIALS.op.config_schema.config_type.fields["settings"].config_type
    assert {"prepared_images", "masks", "composites", "birefnet", "renditions"} <= settings.fields.keys()
    assert not settings.fields.keys() & {"checks", "nights"}, "no row depends on them"
    masks, composites = (settings.fields[table].config_type.fields for table in ("masks", "composites"))
    assert masks["tiers"].description.endswith('Default: ["birefnet", "u2net", "gradients"]; at least 1 entries.')
    assert [value.config_value for value in composites["fit"].config_type.enum_values] == ["subject", "photograph"]
    for config in (
        {"masks": {"stretch_low": 0, "thresholds": {"soft_share": 0.5}}},
        {"composites": {"padding": 0.1}},
        {"composites": {"padding": [0.1, 0.1, 0.1, 0.2]}, "renditions": {"white": {"background": "#ffffff"}}},
        {"review": {"review_share": None}},
        {"a_plugin": {"anything": 1}},
    ):
        assert process_config(settings, config).success, config


def test_every_entry_s_schema_takes_its_own_default():
    for name, table in settings_schema(STAGE_NAMES).fields.items():
        for entry, field in getattr(table.config_type, "fields", {}).items():
            declared = table_type(name).model_fields[entry]
            default = to_jsonable_python(declared.get_default(call_default_factory=True))
            assert process_config(field.config_type, default).success, (name, entry)
