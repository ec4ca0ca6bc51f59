"""Prices over HTTP: amounts as decimal strings, each version kept."""

import pytest

from tests.api.stage import NANO_PER_MILLION, Stage


async def test_next_version_leaves_the_last(stage: Stage) -> None:
    nano = NANO_PER_MILLION | {"output": "999999999999999999"}
    body = {"model_id": str(stage.ids["model"]), "currency": "CNY", "nano_per_million": nano}
    created = await stage.ask("admin", "POST", "/prices", body)
    assert (created.status_code, created.json()["version"]) == (201, 2)
    assert created.json()["nano_per_million"] == nano
    listed = (await stage.ask("developer", "GET", "/prices")).json()["items"]
    assert [line["nano_per_million"]["output"] for line in listed] == ["1500000000", "999999999999999999"]
    found = await stage.ask("developer", "GET", f"/prices/{stage.ids['price']}")
    assert found.json()["version"] == 1


@pytest.mark.parametrize("nano", [{"input": "1"}, {"input": "1", "output": "-1"}, {"input": "1", "output": "1.5"}])
async def test_wrong_price_is_refused(stage: Stage, nano: dict[str, str]) -> None:
    body = {"model_id": str(stage.ids["model"]), "currency": "CNY", "nano_per_million": nano}
    answer = await stage.ask("admin", "POST", "/prices", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "nano_per_million.output")


async def test_price_to_come_is_shown_and_not_yet_the_models(stage: Stage) -> None:
    body = {"model_id": str(stage.ids["model"]), "currency": "CNY", "nano_per_million": NANO_PER_MILLION}
    start = "2026-11-24T12:00:00Z"
    created = await stage.ask("admin", "POST", "/prices", body | {"effective_from": start})
    assert (created.status_code, created.json()["effective_from"]) == (201, start)
    path = f"/models/{stage.ids['model']}"
    assert (await stage.ask("developer", "GET", path)).json()["price_id"] == str(stage.ids["price"])
    stage.clock.elapsed_s += 24 * 3600
    assert (await stage.ask("developer", "GET", path)).json()["price_id"] == created.json()["id"]
    assert (await stage.ask("developer", "GET", "/models")).json()["items"][0]["price_id"] == created.json()["id"]
    past = await stage.ask("admin", "POST", "/prices", body | {"effective_from": "2026-11-24T11:59:59Z"})
    assert (past.status_code, past.json()["errors"][0]["field"]) == (400, "effective_from")
