"""Top-ups over HTTP: an amount as a decimal string in, the wallet's balance out, once for each idempotency key."""

import pytest

from tests.api.stage import Stage

BODY = {"amount_nano": "123456789012345678901", "currency": "CNY", "note": "invoice 7"}


async def test_top_up_fills_the_wallet(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['beta']}/top-ups"
    answer = await stage.ask("admin", "POST", path, BODY)
    assert answer.status_code == 201
    told = answer.json()
    assert {name: told[name] for name in BODY} == BODY
    assert (told["balance_nano"], told["organization_id"]) == (BODY["amount_nano"], str(stage.ids["beta"]))
    accounts = (await stage.ask("stranger", "GET", "/accounts")).json()["items"]
    assert [(line["kind"], line["balance_nano"]) for line in accounts] == [("wallet", BODY["amount_nano"])]


async def test_repeat_with_the_same_idempotency_key_pays_in_once(stage: Stage) -> None:
    path, headers = f"/organizations/{stage.ids['beta']}/top-ups", {"idempotency-key": "k1"}
    answers = [await stage.ask("admin", "POST", path, BODY, headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].json()["balance_nano"] == BODY["amount_nano"]


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_nano": "0"},
        {"amount_nano": "-1"},
        {"amount_nano": 1.5},
        {"amount_nano": str(10**27 + 1)},
        {"currency": "cny"},
        {"note": "x" * 501},
        {"note": "\x00"},
        {"since": "now"},
    ],
    ids=str,
)
async def test_wrong_body_is_refused(stage: Stage, changes: dict[str, object]) -> None:
    answer = await stage.ask("admin", "POST", f"/organizations/{stage.ids['beta']}/top-ups", BODY | changes)
    assert answer.status_code == 400


async def test_unknown_organization_is_not_found(stage: Stage) -> None:
    assert (await stage.ask("admin", "POST", f"/organizations/{stage.ids['key']}/top-ups", BODY)).status_code == 404


async def propose(stage: Stage, **changes: object) -> str:
    """Have the admin propose a top-up of beta's wallet and return its path."""
    limit = await stage.ask("admin", "PATCH", "/platform", {"four_eyes_nano": {"CNY": "1000"}}, {"if-match": '"1"'})
    assert limit.json()["four_eyes_nano"] == {"CNY": "1000"}
    answer = await stage.ask("admin", "POST", f"/organizations/{stage.ids['beta']}/top-ups", BODY | changes)
    assert (answer.status_code, answer.json()["state"], answer.json()["balance_nano"]) == (201, "proposed", None)
    return f"/top-ups/{answer.json()['id']}"


async def test_proposed_one_waits_for_another_admin(any_stage: Stage) -> None:
    stage = any_stage
    path = await propose(stage)
    refused = await stage.ask("admin", "POST", f"{path}/approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")
    # An organization's admin has no say, not even of its own wallet.
    for who, status in (("owner", 403), ("stranger", 403), ("auditor", 403), ("revoked", 401)):
        for word in ("approve", "reject"):
            assert (await stage.ask(who, "POST", f"{path}/{word}")).status_code == status
    assert (await stage.ask("stranger", "GET", path)).json()["state"] == "proposed"
    assert (await stage.ask("owner", "GET", path)).status_code == 404
    assert (await stage.ask("stranger", "GET", "/accounts")).json()["items"] == []


async def test_other_s_proposal_is_approved_once(stage: Stage) -> None:
    path = f"/top-ups/{stage.ids['top_up']}"
    before = (await stage.ask("admin", "GET", f"/accounts/{stage.ids['account']}")).json()["balance_nano"]
    approved = await stage.ask("admin", "POST", f"{path}/approve")
    assert (approved.status_code, approved.json()["state"]) == (200, "posted")
    assert approved.json()["decided_by"] == str(stage.keys["admin"].id)
    for word in ("approve", "reject"):
        again = await stage.ask("admin", "POST", f"{path}/{word}")
        assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    after = (await stage.ask("admin", "GET", f"/accounts/{stage.ids['account']}")).json()["balance_nano"]
    assert int(after) - int(before) == int(approved.json()["amount_nano"])
    assert [line["id"] for line in (await stage.ask("owner", "GET", "/top-ups")).json()["items"]] == [
        str(stage.ids["top_up"])
    ]


async def test_rejected_one_posts_nothing(stage: Stage) -> None:
    path = await propose(stage, kind="credit_note")
    rejected = await stage.ask("admin", "POST", f"{path}/reject")
    assert (rejected.status_code, rejected.json()["state"], rejected.json()["kind"]) == (200, "rejected", "credit_note")
    assert (await stage.ask("stranger", "GET", "/accounts")).json()["items"] == []
