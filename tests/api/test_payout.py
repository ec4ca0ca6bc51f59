"""Payouts over HTTP: paid once, each outcome with its stable code, seen by the provider."""

import pytest

from tests.api.stage import Stage


async def test_payout_is_shown_to_its_provider_only(stage: Stage) -> None:
    payout_id = stage.ids["payout"]
    for who, count in (("provider", 1), ("admin", 1), ("owner", 0), ("other_provider", 0)):
        assert len((await stage.ask(who, "GET", "/payouts")).json()["items"]) == count
        answer = await stage.ask(who, "GET", f"/payouts/{payout_id}")
        assert answer.status_code == (200 if count else 404)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [({}, "exists"), ({"amount_nano": "61000"}, "exists"), ({"amount_nano": "1"}, "exists_with_different_amount")],
)
async def test_second_payout_tells_of_the_first(stage: Stage, body: dict[str, str], outcome: str) -> None:
    answer = await stage.ask("admin", "POST", f"/statements/{stage.ids['statement']}/payout", body)
    assert (answer.status_code, answer.json()["outcome"]) == (200, outcome)
    assert answer.json()["payout"]["id"] == str(stage.ids["payout"])


@pytest.mark.parametrize("body", [{"amount_nano": "0"}, {"amount_nano": 1.5}, {"note": "x" * 501}, {"currency": "CNY"}])
async def test_wrong_body_is_refused(stage: Stage, body: dict[str, object]) -> None:
    answer = await stage.ask("admin", "POST", f"/statements/{stage.ids['statement']}/payout", body)
    assert answer.status_code == 400


async def test_provider_does_not_pay_itself(stage: Stage) -> None:
    answer = await stage.ask("provider", "POST", f"/statements/{stage.ids['statement']}/payout", {})
    assert answer.status_code == 403
