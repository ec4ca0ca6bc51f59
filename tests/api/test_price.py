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
