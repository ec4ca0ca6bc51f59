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
