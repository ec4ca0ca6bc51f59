"""Keys over HTTP: shown once, listed without secret, refused once revoked."""

from tests.api.stage import Stage


async def test_new_key_works_until_it_is_revoked(stage: Stage) -> None:
    created = (await stage.ask("owner", "POST", "/keys", {"name": "new", "project_id": str(stage.project.id)})).json()
    bearer = {"authorization": f"Bearer {created['secret']}"}
    assert (await stage.http.get("/api/v1/platform", headers=bearer)).status_code == 200
    revoked = await stage.ask("owner", "POST", f"/keys/{created['key']['id']}/revoke")
    assert revoked.json()["snapshot_version"] == created["snapshot_version"] + 1
    assert revoked.json()["key"]["revoked_at"] is not None
    assert (await stage.http.get("/api/v1/platform", headers=bearer)).status_code == 401


async def test_views_hold_neither_secret_nor_digest(stage: Stage) -> None:
    listed = await stage.ask("owner", "GET", "/keys")
    assert {line["name"] for line in listed.json()["items"]} >= {"owner", "developer"}
    assert "digest" not in listed.text
    assert "sk-keisan" not in listed.text
    found = await stage.ask("owner", "GET", f"/keys/{stage.keys['developer'].id}")
    assert (found.json()["role"], found.headers["etag"]) == ("developer", '"1"')


async def test_unknown_model_is_named_with_its_place(stage: Stage) -> None:
    body = {"name": "new", "project_id": str(stage.project.id), "models": ["smollm2-135m-instruct", "gpt-9"]}
    answer = await stage.ask("owner", "POST", "/keys", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "models[1]")
    assert "gpt-9" in answer.json()["detail"]


async def test_bounds_are_set_at_creation_and_changed_by_who_saw_the_newest_version(stage: Stage) -> None:
    body = {"name": "new", "project_id": str(stage.project.id), "limits": {"requests_per_minute": 600}}
    created = (await stage.ask("owner", "POST", "/keys", body)).json()["key"]
    assert created["limits"] == {
        "requests_per_minute": 600,
        "tokens_per_minute": None,
        "calls_open_max": None,
        "body_bytes_max": None,
    }
    path, change = f"/keys/{created['id']}", {"limits": {"calls_open_max": 4}}
    assert (await stage.ask("owner", "PATCH", path, change)).status_code == 428
    changed = await stage.ask("owner", "PATCH", path, change, {"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["limits"] == created["limits"] | {"calls_open_max": 4}
    freed = await stage.ask("owner", "PATCH", path, {"limits": {"requests_per_minute": None}}, {"if-match": '"2"'})
    assert freed.json()["limits"]["requests_per_minute"] is None
    for wrong in ({"limits": {"calls_open_max": 0}}, {"limits": None}, {"limits": {"x": 1}}, {"policy": None}):
        assert (await stage.ask("owner", "PATCH", path, wrong, {"if-match": '"3"'})).status_code == 400, wrong
