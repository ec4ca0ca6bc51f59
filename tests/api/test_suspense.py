"""Suspense over HTTP: the platform's alone, judged once, each outcome with its stable code."""

import pytest

from tests.api.stage import Stage


async def test_suspended_record_is_shown_to_the_platform_only(stage: Stage) -> None:
    suspended_id = stage.ids["suspended"]
    for who, count in (("admin", 1), ("auditor", 1), ("owner", 0), ("provider", 0), ("stranger", 0)):
        assert len((await stage.ask(who, "GET", "/suspense")).json()["items"]) == count
        answer = await stage.ask(who, "GET", f"/suspense/{suspended_id}")
        assert answer.status_code == (200 if count else 404)


async def test_judged_record_leaves_the_list_of_those_that_wait(stage: Stage) -> None:
    path = f"/suspense/{stage.ids['suspended']}"
    before = (await stage.ask("admin", "GET", path)).json()
    assert (before["state"], before["amount_nano"], before["currency"]) == ("suspended", "0", "CNY")
    answer = await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "charge", "note": "as agreed"})
    told = answer.json()
    assert (answer.status_code, told["outcome"]) == (200, "charged")
    assert (told["suspended"]["state"], told["suspended"]["note"]) == ("charged", "as agreed")
    assert (await stage.ask("admin", "GET", path)).json() == told["suspended"]
    again = await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "write_off"})
    assert again.json() == told | {"outcome": "already_judged"}
    for state, count in (("suspended", 0), ("charged", 1), ("written_off", 0)):
        assert len((await stage.ask("admin", "GET", f"/suspense?state={state}")).json()["items"]) == count


@pytest.mark.parametrize("body", [{}, {"verdict": "suspended"}, {"verdict": "charge", "note": "x" * 501}])
async def test_wrong_body_is_refused(stage: Stage, body: dict[str, object]) -> None:
    answer = await stage.ask("admin", "POST", f"/suspense/{stage.ids['suspended']}/judge", body)
    assert answer.status_code == 400


@pytest.mark.parametrize("who", ["auditor", "owner", "provider"])
async def test_nobody_else_judges(stage: Stage, who: str) -> None:
    path = f"/suspense/{stage.ids['suspended']}/judge"
    assert (await stage.ask(who, "POST", path, {"verdict": "write_off"})).status_code == 403


async def test_record_that_a_wallet_paid_for_is_not_found(stage: Stage) -> None:
    path = f"/suspense/{stage.ids['record']}"
    assert (await stage.ask("admin", "GET", path)).status_code == 404
    assert (await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "charge"})).status_code == 404
