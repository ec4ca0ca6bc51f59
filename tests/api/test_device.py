"""Devices over HTTP: a provider's own, and nobody else's."""

import httpx

from tests.api.stage import Stage


async def test_reported_device_is_shown_to_its_provider(stage: Stage) -> None:
    listed = (await stage.ask("provider", "GET", "/devices")).json()["items"]
    assert [line["chip"] for line in listed] == ["cpu-x86-64"] * 2
    found = await stage.ask("provider", "GET", f"/devices/{stage.ids['device']}")
    assert found.json() == listed[0]
    assert (await stage.ask("other_provider", "GET", f"/devices/{stage.ids['device']}")).status_code == 404
    assert (await stage.ask("owner", "GET", "/devices")).json()["items"] == []


async def change(stage: Stage, who: str, version: int | None, **body: object) -> httpx.Response:
    headers = {} if version is None else {"if-match": f'"{version}"'}
    return await stage.ask(who, "PATCH", f"/devices/{stage.ids['device']}", body, headers)


async def test_it_is_closed_and_opened_by_its_provider(stage: Stage) -> None:
    closed = await change(stage, "provider", 1, use="cordoned", reason="the fan is loud")
    assert (closed.status_code, closed.headers["etag"]) == (200, '"2"')
    assert (closed.json()["use"], closed.json()["use_reason"]) == ("cordoned", "the fan is loud")
    assert closed.json()["use_changed_at"]
    opened = await change(stage, "provider", 2, use="open")
    assert (opened.json()["use"], opened.json()["use_reason"]) == ("open", "")
    assert (await stage.list_actions())[-2:] == ["device.cordoned", "device.opened"]


async def test_closing_needs_a_reason_and_the_version_that_was_seen(stage: Stage) -> None:
    assert (await change(stage, "provider", None, use="draining", reason="x")).status_code == 428
    assert (await change(stage, "provider", 9, use="draining", reason="x")).status_code == 412
    assert (await change(stage, "provider", 1, use="draining", reason=" ")).status_code == 400
    assert (await change(stage, "provider", 1, use="sold", reason="x")).status_code == 400
    assert (await change(stage, "other_provider", 1, use="draining", reason="x")).status_code == 404
    assert (await change(stage, "owner", 1, use="draining", reason="x")).status_code in {403, 404}
    assert (await stage.ask("provider", "GET", f"/devices/{stage.ids['device']}")).json()["use"] == "open"


async def test_one_in_use_is_not_retired(stage: Stage) -> None:
    refused = await change(stage, "provider", 1, use="retired", reason="sold")
    assert (refused.status_code, "open to work" in refused.json()["detail"]) == (409, True)
    assert (await change(stage, "provider", 1, use="retired")).status_code == 400
    assert (await change(stage, "other_provider", 1, use="retired", reason="x")).status_code == 404
    assert (await stage.ask("provider", "GET", f"/devices/{stage.ids['device']}")).json()["use"] == "open"
