"""Deployments over HTTP: desired state by version, deletion as a state."""

from tests.api.stage import Stage


async def test_create_scale_delete(stage: Stage) -> None:
    created = await stage.ask("admin", "POST", "/deployments", {"model_id": str(stage.ids["model"])})
    assert (created.status_code, created.json()["replica_count"]) == (201, 1)
    path = f"/deployments/{created.json()['id']}"
    scaled = await stage.ask("admin", "PATCH", path, {"replica_count": 3}, {"if-match": created.headers["etag"]})
    assert (scaled.status_code, scaled.json()["replica_count"]) == (200, 3)
    stale = await stage.ask("admin", "DELETE", path, headers={"if-match": created.headers["etag"]})
    assert stale.status_code == 412
    deleting = await stage.ask("admin", "DELETE", path, headers={"if-match": scaled.headers["etag"]})
    assert (deleting.status_code, deleting.json()["state"]) == (202, "deleting")
    again = await stage.ask("admin", "DELETE", path, headers={"if-match": deleting.headers["etag"]})
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")


async def test_engine_must_be_one_of_the_models(stage: Stage) -> None:
    body = {"model_id": str(stage.ids["model"]), "engine": "vllm"}
    answer = await stage.ask("admin", "POST", "/deployments", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "engine")


async def test_organizations_see_none(stage: Stage) -> None:
    assert (await stage.ask("owner", "GET", "/deployments")).json()["items"] == []
    assert (await stage.ask("owner", "GET", f"/deployments/{stage.ids['deployment']}")).status_code == 404
    assert len((await stage.ask("auditor", "GET", "/deployments")).json()["items"]) == 1
