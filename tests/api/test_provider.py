"""Providers over HTTP."""

from tests.api.stage import Stage


async def test_create_then_get(stage: Stage) -> None:
    created = await stage.ask("admin", "POST", "/providers", {"name": "yama"})
    assert created.status_code == 201
    found = await stage.ask("admin", "GET", f"/providers/{created.json()['id']}")
    assert (found.json(), found.headers["etag"]) == (created.json(), '"1"')


async def test_provider_sees_itself_only(stage: Stage) -> None:
    listed = (await stage.ask("provider", "GET", "/providers")).json()["items"]
    assert [line["name"] for line in listed] == ["hikari"]
