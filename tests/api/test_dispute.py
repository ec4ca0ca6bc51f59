"""Disputes over HTTP: opened by the holder, resolved by the platform, seen by both."""

import pytest

from tests.api.stage import Stage

REASON = {"reason": "counted twice"}


async def open_one(stage: Stage) -> str:
    answer = await stage.ask("provider", "POST", f"/statements/{stage.ids['statement']}/disputes", REASON)
    assert answer.status_code == 201, answer.text
    opened: str = answer.json()["id"]
    return opened


async def test_dispute_goes_its_way(stage: Stage) -> None:
    dispute_id = await open_one(stage)
    for who, count in (("provider", 2), ("auditor", 2), ("owner", 0), ("other_provider", 0)):
        assert len((await stage.ask(who, "GET", "/disputes")).json()["items"]) == count
        answer = await stage.ask(who, "GET", f"/disputes/{dispute_id}")
        assert answer.status_code == (200 if count else 404)
    body = {"verdict": "upheld", "resolution": "so it was", "amount_nano": "500"}
    resolved = await stage.ask("admin", "POST", f"/disputes/{dispute_id}/resolve", body)
    assert resolved.status_code == 200
    told = resolved.json()
    assert (told["state"], told["amount_nano"], told["version"]) == ("upheld", "500", 2)
    assert (await stage.ask("provider", "GET", f"/disputes/{dispute_id}")).json() == told
    again = await stage.ask("admin", "POST", f"/disputes/{dispute_id}/resolve", body)
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    more = body | {"amount_nano": "60501"}
    over = await stage.ask("admin", "POST", f"/disputes/{stage.ids['dispute']}/resolve", more)
    assert (over.status_code, over.json()["code"]) == (409, "limit_exceeded")


@pytest.mark.parametrize("who", ["owner", "stranger", "other_provider"])
async def test_statement_of_another_cannot_be_disputed(stage: Stage, who: str) -> None:
    answer = await stage.ask(who, "POST", f"/statements/{stage.ids['statement']}/disputes", REASON)
    assert answer.status_code == 404


async def test_platform_disputes_nothing_and_the_provider_resolves_nothing(stage: Stage) -> None:
    statement, dispute = stage.ids["statement"], stage.ids["dispute"]
    assert (await stage.ask("admin", "POST", f"/statements/{statement}/disputes", REASON)).status_code == 403
    body = {"verdict": "rejected", "resolution": "mine"}
    assert (await stage.ask("provider", "POST", f"/disputes/{dispute}/resolve", body)).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "\x00"}, {"reason": "x" * 2001}, REASON | {"record_ids": ["x"]}]
)
async def test_wrong_dispute_is_refused(stage: Stage, body: dict[str, object]) -> None:
    answer = await stage.ask("provider", "POST", f"/statements/{stage.ids['statement']}/disputes", body)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "changes",
    [{"amount_nano": None}, {"amount_nano": "0"}, {"verdict": "rejected"}, {"verdict": "open"}, {"resolution": ""}],
)
async def test_wrong_resolution_is_refused(stage: Stage, changes: dict[str, object]) -> None:
    body = {"verdict": "upheld", "resolution": "so it was", "amount_nano": "1"} | changes
    answer = await stage.ask("admin", "POST", f"/disputes/{stage.ids['dispute']}/resolve", body)
    assert answer.status_code == 400
