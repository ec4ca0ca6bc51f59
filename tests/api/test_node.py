"""Nodes over HTTP: a provider's own, and nobody else's."""

from tests.api.stage import Stage


async def test_reported_node_is_shown_to_its_provider(stage: Stage) -> None:
    listed = (await stage.ask("provider", "GET", "/nodes")).json()["items"]
    assert [line["hostname"] for line in listed] == ["one", "host-1"]
    found = await stage.ask("provider", "GET", f"/nodes/{stage.ids['node']}")
    assert found.json() == listed[0]
    assert (await stage.ask("other_provider", "GET", f"/nodes/{stage.ids['node']}")).status_code == 404
    assert (await stage.ask("owner", "GET", "/nodes")).json()["items"] == []
