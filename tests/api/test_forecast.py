"""Forecasts over HTTP: what the stage's one call lets be said, and to whom."""

import pytest

from keisan.kit.ids import create_id
from tests.api.stage import Stage


@pytest.mark.parametrize("who", ["owner", "developer", "admin", "auditor"])
async def test_one_call_is_too_little_for_a_forecast(stage: Stage, who: str) -> None:
    path = f"/organizations/{stage.ids['organization']}/forecast"
    for query in ("", f"?project_id={stage.ids['project']}", f"?key_id={stage.ids['key']}"):
        answer = await stage.ask(who, "GET", path + query)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["first_day"], shown["last_day"], shown["coverage_ppm"]) == ("2026-11-01", "2026-11-30", 800_000)
        [line] = shown["lines"]
        assert (line["spent_nano"], line["method"], line["expected_nano"]) == ("30500", "none", None)


async def test_budgets_are_listed_page_by_page(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['organization']}/forecast/budgets"
    known = (await stage.ask("owner", "GET", "/budgets")).json()["items"]
    assert known
    first = (await stage.ask("owner", "GET", f"{path}?limit=1")).json()
    seen = [line["budget_id"] for line in (await stage.ask("owner", "GET", path)).json()["items"]]
    assert seen == [budget["id"] for budget in known]
    assert [line["budget_id"] for line in first["items"]] == seen[:1]


@pytest.mark.parametrize("who", ["stranger", "provider", "other_provider"])
async def test_it_is_not_for_others(stage: Stage, who: str) -> None:
    for rest in ("", "/budgets"):
        answer = await stage.ask(who, "GET", f"/organizations/{stage.ids['organization']}/forecast{rest}")
        assert answer.status_code == 404


async def test_one_holder_is_named(stage: Stage) -> None:
    path = f"/organizations/{stage.ids['organization']}/forecast"
    both = await stage.ask("owner", "GET", f"{path}?project_id={create_id()}&key_id={create_id()}")
    assert (both.status_code, both.json()["errors"][0]["field"]) == (400, "project_id")
    assert (await stage.ask("owner", "GET", f"{path}?key_id={create_id()}")).status_code == 404
    assert (await stage.ask("owner", "GET", f"{path}?month=2026-10")).status_code == 400
