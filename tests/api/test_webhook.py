"""Webhooks over HTTP: a secret once, once for each idempotency key, and never a salt."""

import pytest

from keisan.domain.ids import WebhookId
from tests.api.stage import Stage

BODY = {"url": "https://receiver.example/alerts", "kinds": ["wallet_low"]}


async def test_webhook_is_made_changed_and_rotated(stage: Stage) -> None:
    created = await stage.ask("owner", "POST", "/webhooks", BODY)
    assert (created.status_code, created.headers["etag"]) == (201, '"1"')
    webhook = created.json()["webhook"]
    assert created.json()["secret"].startswith("ws-keisan-")
    assert (webhook["url"], webhook["kinds"], webhook["state"]) == (BODY["url"], ["wallet_low"], "enabled")
    path = f"/webhooks/{webhook['id']}"
    changed = await stage.ask("owner", "PATCH", path, {"state": "disabled"}, {"if-match": '"1"'})
    assert (changed.status_code, changed.json()["state"], changed.json()["kinds"]) == (200, "disabled", ["wallet_low"])
    assert (await stage.ask("owner", "PATCH", path, {"kinds": []})).status_code == 428
    rotated = await stage.ask("owner", "POST", f"{path}/rotate")
    assert rotated.json()["secret"] not in (created.json()["secret"], "")
    assert (await stage.ask("developer", "GET", path)).json() == rotated.json()["webhook"]


async def test_repeat_with_the_same_idempotency_key_shows_the_same_secret(stage: Stage) -> None:
    answers = [await stage.ask("owner", "POST", "/webhooks", BODY, {"idempotency-key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await stage.ask("owner", "GET", "/webhooks")).json()["items"]) == 2


async def test_organization_sees_its_own_only(stage: Stage) -> None:
    own = await stage.ask("stranger", "POST", "/webhooks", BODY)
    platform = await stage.ask("admin", "POST", "/webhooks", BODY)
    assert platform.json()["webhook"]["organization_id"] is None
    listed = (await stage.ask("stranger", "GET", "/webhooks")).json()["items"]
    assert [line["id"] for line in listed] == [own.json()["webhook"]["id"]]
    for who in ("stranger", "owner"):
        path = f"/webhooks/{platform.json()['webhook']['id']}"
        assert (await stage.ask(who, "GET", path)).status_code == 404
    assert len((await stage.ask("auditor", "GET", "/webhooks")).json()["items"]) == 3


async def test_no_answer_shows_a_salt(stage: Stage) -> None:
    async with stage.storage.read() as view:
        webhook = await view.webhooks.get(stage.keys["admin"].to_principal().scope, WebhookId(stage.ids["webhook"]))
    for path in ("/webhooks", f"/webhooks/{webhook.id}", "/events", f"/webhooks/{webhook.id}/deliveries"):
        text = (await stage.ask("admin", "GET", path)).text
        assert webhook.salt not in text
        assert "salt" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://receiver.example/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://" + "a" * 2048},
        {"url": "https://receiver.example/\n"},
        {"kinds": ["nonsense"]},
        {"secret": "mine"},
    ],
    ids=str,
)
async def test_wrong_body_is_refused(stage: Stage, changes: dict[str, object]) -> None:
    assert (await stage.ask("owner", "POST", "/webhooks", BODY | changes)).status_code == 400
