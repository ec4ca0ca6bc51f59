"""Projects over HTTP: within the asker's organization."""

from tests.api.stage import Stage


async def test_owner_creates_in_their_own_organization(stage: Stage) -> None:
    created = await stage.ask("owner", "POST", "/projects", {"name": "third"})
    assert created.status_code == 201
    assert created.json()["organization_id"] == str(stage.project.organization_id)
    found = await stage.ask("developer", "GET", f"/projects/{created.json()['id']}")
    assert (found.json(), found.headers["etag"]) == (created.json(), '"1"')


async def test_admin_must_name_the_organization(stage: Stage) -> None:
    answer = await stage.ask("admin", "POST", "/projects", {"name": "third"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "organization_id")


async def test_owner_renames_with_the_newest_version(stage: Stage) -> None:
    path = f"/projects/{stage.project.id}"
    renamed = await stage.ask("owner", "PATCH", path, {"name": "renamed"}, {"if-match": '"1"'})
    assert (renamed.status_code, renamed.json()["name"], renamed.headers["etag"]) == (200, "renamed", '"2"')
    stale = await stage.ask("owner", "PATCH", path, {"name": "again"}, {"if-match": '"1"'})
    assert stale.status_code == 412


async def test_projects_of_others_are_not_listed(stage: Stage) -> None:
    mine = (await stage.ask("owner", "GET", "/projects")).json()["items"]
    everyones = (await stage.ask("auditor", "GET", "/projects")).json()["items"]
    assert [line["name"] for line in mine] == ["first"]
    assert [line["name"] for line in everyones] == ["first", "second"]
