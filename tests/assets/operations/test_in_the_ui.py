"""What Dagster's UI says by itself: of columns and of a partition."""

import dagster as dg

from resources.store.store import Store
from vivid_assets.pipeline import Pipeline
from vivid_assets.wiring import build_definitions

DESK = Pipeline(desk="https://desk.example.com/")


def test_every_column_of_every_table_is_explained(tmp_path):
    tables = {
        node.key.path[-1]: node.metadata["dagster/column_schema"].columns
        for node in build_definitions(Store(root=str(tmp_path))).resolve_asset_graph().asset_nodes
        if "dagster/column_schema" in node.metadata
    }
    assert {"masks", "composites", "review", "export"} <= tables.keys()
    assert [(name, one.name) for name, columns in tables.items() for one in columns if not one.description] == []
    said = {one.name: one.description for one in tables["masks"]}
    assert said["tier"] == "who made the mask", "as in the dataset's card"
    assert said["lost_share"] == "The same as a share of all its frames.", "as below the field of the row's type"


def test_each_pipeline_links_to_a_desk_of_its_own(tmp_path):
    assert DESK.desk_of("spring-00003") == {"review desk": dg.MetadataValue.url("https://desk.example.com/spring")}
    assert Pipeline().desk_of("spring-00003") == {}
    graph = build_definitions(Store(root=str(tmp_path)), pipeline=DESK).resolve_asset_graph()
    assert graph.get(DESK.key("catalogues")).metadata["review desk"].value == DESK.desk
