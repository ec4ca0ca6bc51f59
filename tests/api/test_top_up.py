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
