"""Machine identities over HTTP: one token, one machine, repeatable by it alone."""

from keisan.domain.key import MACHINE_PREFIX, create_secret, digest_secret
from tests.api.stage import NOBODY, Stage


async def test_join_with_a_token_of_once(stage: Stage) -> None:
    token = (await stage.ask("admin", "POST", "/machines/tokens", {"kind": "gateway"})).json()["token"]
    secret = create_secret(MACHINE_PREFIX)
    body = {"token": token, "name": "gateway-2", "secret_digest": digest_secret(secret)}
    joined = await stage.ask(NOBODY, "POST", "/machines/join", body)
    assert (joined.status_code, joined.json()["kind"]) == (201, "gateway")
    bearer = {"authorization": f"Bearer {secret.reveal()}"}
    assert (await stage.http.get("/api/v1/gateway/snapshot", headers=bearer)).status_code == 200
    again = await stage.ask(NOBODY, "POST", "/machines/join", body)
    assert again.json()["id"] == joined.json()["id"]
    other = await stage.ask(NOBODY, "POST", "/machines/join", body | {"secret_digest": "e" * 64})
    assert (other.status_code, other.json()["code"]) == (409, "state_conflict")
    revoked = await stage.ask("admin", "POST", f"/machines/{joined.json()['id']}/revoke")
    assert revoked.json()["revoked_at"] is not None
    assert (await stage.http.get("/api/v1/gateway/snapshot", headers=bearer)).status_code == 401


async def test_providers_reach_their_own_machines_only(stage: Stage) -> None:
    listed = (await stage.ask("provider", "GET", "/machines")).json()["items"]
    assert [line["kind"] for line in listed] == ["site"]
    path = f"/machines/{stage.machines['site'].id}"
    assert (await stage.ask("provider", "GET", path)).headers["etag"] == '"1"'
    assert (await stage.ask("other_provider", "POST", f"{path}/revoke")).status_code == 404
    assert (await stage.ask("provider", "POST", "/machines/tokens", {"kind": "gateway"})).status_code == 403
