"""Makers over HTTP: dated facts, each with its source."""

from tests.api.stage import Stage


async def test_makers_are_listed_with_their_facts(stage: Stage) -> None:
    items = {line["id"]: line for line in (await stage.ask("developer", "GET", "/makers")).json()["items"]}
    assert items["t-head"]["local_name"] == "平头哥"
    assert "designer" in items["t-head"]["parts"]
    [first, *_] = items["t-head"]["facts"]
    assert first["happened_on"] == "2025-08-29"
    assert set(first["evidence"]) == {"source", "grade", "date"}
