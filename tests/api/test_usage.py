"""Usage over HTTP: records and sums, by day, project, key and model, within the scope."""

import pytest

from keisan.kit.ids import create_id
from keisan.wire.receipt import parse_receipt, verify_receipt
from tests.api.stage import Stage

DAY = "2026-11-23"


async def test_record_is_shown_to_who_pays_and_who_is_paid(stage: Stage) -> None:
    for who in ("developer", "provider", "auditor"):
        listed = (await stage.ask(who, "GET", "/usage")).json()["items"]
        assert [line["id"] for line in listed] == [str(stage.ids["record"])]
        found = await stage.ask(who, "GET", f"/usage/{stage.ids['record']}")
        assert found.json() == listed[0]
        assert found.json()["amount_nano"] == "30500"


async def test_sum_names_the_model(stage: Stage) -> None:
    summary = (await stage.ask("developer", "GET", "/usage/summary")).json()
    assert (summary["since"], summary["until"]) == ("2026-10-25", DAY)
    [line] = summary["lines"]
    assert (line["model_name"], line["call_count"], line["amount_nano"]) == ("smollm2-135m-instruct", 1, "30500")
    assert {name: count for name, count in line["quantities"].items() if count} == {"input": 37, "output": 8}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (f"since={DAY}&until={DAY}", 1),
        ("since=2026-11-24&until=2026-11-30", 0),
        ("until=2026-11-22", 0),
        ("until=0001-01-01", 0),
        ("project_id={project}", 1),
        ("key_id={key}", 1),
        ("model_id={model}", 1),
        ("project_id={other}", 0),
        ("key_id={other}", 0),
        ("model_id={other}", 0),
    ],
)
async def test_filters(stage: Stage, query: str, count: int) -> None:
    filled = query.format(other=create_id(), **{name: stage.ids[name] for name in ("project", "key", "model")})
    assert len((await stage.ask("auditor", "GET", f"/usage?{filled}")).json()["items"]) == count
    assert len((await stage.ask("auditor", "GET", f"/usage/summary?{filled}")).json()["lines"]) == count


async def test_backward_span_is_refused(stage: Stage) -> None:
    answer = await stage.ask("auditor", "GET", "/usage?since=2026-11-24&until=2026-11-23")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "since")


@pytest.mark.parametrize("who", ["developer", "provider", "auditor"])
async def test_receipt_proves_the_record_to_who_pays_and_who_is_paid(stage: Stage, who: str) -> None:
    answer = await stage.ask(who, "GET", f"/usage/{stage.ids['record']}/receipt")
    assert answer.status_code == 200
    verified = verify_receipt(parse_receipt(answer.content), stage.control.platform_id)
    shown = (await stage.ask(who, "GET", f"/usage/{stage.ids['record']}")).json()
    assert verified.record["record_id"] == shown["id"]
    assert verified.record["amount_nano"] == shown["amount_nano"]
    assert str(verified.seal.entry_id) == shown["entry_id"]


@pytest.mark.parametrize("who", ["stranger", "other_provider"])
async def test_receipt_is_not_for_strangers(stage: Stage, who: str) -> None:
    answer = await stage.ask(who, "GET", f"/usage/{stage.ids['record']}/receipt")
    assert answer.status_code == 404
