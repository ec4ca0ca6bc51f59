"""Templates of supernodes over HTTP: the catalogue's, with evidence, for everybody with a key."""

from keisan.catalog.supernode import load_supernode_templates
from tests.api.stage import Stage


async def test_templates_are_the_catalogues(stage: Stage) -> None:
    found = (await stage.ask("developer", "GET", "/supernode-templates")).json()["items"]
    assert [template["id"] for template in found] == [template.id for template in load_supernode_templates()]
    by_id = {template["id"]: template for template in found}
    assert by_id["shanghai-cube-128"]["wiring"] is None
    assert by_id["cloudmatrix-384"]["facts"]["rated_power_w"]["values"] == [500_000, 559_000]
    assert [tier["switch_count"] for tier in by_id["cloudmatrix-384"]["wiring"]["tiers"]] == [336, 112]
    assert all(fact["evidence"]["source"] for template in found for fact in template["facts"].values())
