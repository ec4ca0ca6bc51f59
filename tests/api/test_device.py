"""Devices over HTTP: a provider's own, and nobody else's."""

from tests.api.stage import Stage


async def test_reported_device_is_shown_to_its_provider(stage: Stage) -> None:
    listed = (await stage.ask("provider", "GET", "/devices")).json()["items"]
    assert [line["chip"] for line in listed] == ["cpu-x86-64"] * 2
    found = await stage.ask("provider", "GET", f"/devices/{stage.ids['device']}")
    assert found.json() == listed[0]
    assert (await stage.ask("other_provider", "GET", f"/devices/{stage.ids['device']}")).status_code == 404
    assert (await stage.ask("owner", "GET", "/devices")).json()["items"] == []
