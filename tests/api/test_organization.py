"""Organizations over HTTP: created once, renamed only by who saw the newest version."""

import asyncio

from tests.api.stage import Stage


async def test_create_then_get(stage: Stage) -> None:
    created = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"})
    assert created.status_code == 201
    assert created.headers["etag"] == '"1"'
    found = await stage.ask("admin", "GET", f"/organizations/{created.json()['id']}")
    assert found.json() == created.json()
    assert found.headers["etag"] == '"1"'


async def test_organization_sees_itself_only(stage: Stage) -> None:
    listed = await stage.ask("owner", "GET", "/organizations")
    assert [line["name"] for line in listed.json()["items"]] == ["alpha"]
    assert (await stage.ask("owner", "GET", f"/organizations/{stage.ids['beta']}")).status_code == 404


async def test_rename_needs_the_version_that_is_stored(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['beta']}"
    missing = await stage.ask("admin", "PATCH", path, {"name": "delta"})
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    renamed = await stage.ask("admin", "PATCH", path, {"name": "delta"}, {"if-match": '"1"'})
    assert (renamed.status_code, renamed.headers["etag"]) == (200, '"2"')
    stale = await stage.ask("admin", "PATCH", path, {"name": "epsilon"}, {"if-match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    assert (await stage.ask("admin", "GET", path)).json()["name"] == "delta"


async def test_one_of_two_concurrent_renames_wins(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['beta']}"
    answers = await asyncio.gather(
        *(stage.ask("admin", "PATCH", path, {"name": name}, {"if-match": '"1"'}) for name in ("delta", "epsilon"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_name_is_unique(stage: Stage) -> None:
    taken = await stage.ask("admin", "POST", "/organizations", {"name": "beta"})
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")


async def test_update_leaves_what_it_does_not_name(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['beta']}"
    change = {"billing": "prepaid", "snapshot_age_s_max": 60, "limits": {"tokens_per_minute": 10}}
    changed = (await stage.ask("admin", "PATCH", path, change, {"if-match": '"1"'})).json()
    assert (changed["name"], changed["billing"], changed["snapshot_age_s_max"]) == ("beta", "prepaid", 60)
    freed = (await stage.ask("admin", "PATCH", path, {"snapshot_age_s_max": None}, {"if-match": '"2"'})).json()
    assert freed == changed | {"snapshot_age_s_max": None, "version": 3}
    for wrong in (
        {"name": None},
        {"name": ""},
        {"billing": None},
        {"snapshot_age_s_max": 0},
        {"time_zone": "Tokyo"},
        {"policy": "x" * 2049},
    ):
        assert (await stage.ask("admin", "PATCH", path, wrong, {"if-match": '"3"'})).status_code == 400, wrong
