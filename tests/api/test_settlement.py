"""Settlements over HTTP: the platform's own people see them, nobody else does, and a receipt goes out as it was signed."""

import pytest

from keisan.wire.cross_receipt import parse_cross_receipt, verify_cross_receipt
from tests.api.cross_rows import HOME, PERIOD
from tests.api.stage import Stage

NOT_FOUND, FORBIDDEN = 404, 403


async def test_a_settlement_is_seen_with_its_sums(stage: Stage) -> None:
    (line,) = (await stage.ask("auditor", "GET", "/settlements")).json()["items"]
    assert (line["author"], line["audience"], line["period"]) == (stage.control.platform_id, HOME, PERIOD)
    assert (line["state"], line["record_count"]) == ("open", None)
    told = (await stage.ask("admin", "GET", f"/settlements/{line['id']}")).json()
    assert told["sums"] == [
        {"end": "serving", "state": "settled", "currency": "CNY", "record_count": 1, "amount_nano": "110"}
    ]


async def test_positions_are_told_before_they_are_final(stage: Stage) -> None:
    answer = await stage.ask("admin", "GET", f"/settlements/positions?period={PERIOD}")
    (position,) = answer.json()["positions"]
    assert (position["creditor"], position["debtor"]) == (stage.control.platform_id, HOME)
    assert (position["amount_nano"], position["is_final"]) == ("110", False)
    assert (await stage.ask("admin", "GET", "/settlements/positions?period=2026-11-19")).json() == {"positions": []}
    assert (await stage.ask("admin", "GET", "/settlements/positions?period=november")).status_code == 400


async def test_a_receipt_is_given_as_it_was_signed(stage: Stage) -> None:
    answer = await stage.ask("admin", "GET", f"/settlements/records/{stage.ids['record']}/receipt")
    receipt = parse_cross_receipt(answer.content)
    assert f'"record_id":"{stage.ids["record"]}"' in receipt.leaf
    # The other platform's key is not of its id here.
    with pytest.raises(Exception, match="key is not the platform's"):
        verify_cross_receipt(receipt)
    unknown = await stage.ask("admin", "GET", f"/settlements/records/{stage.ids['settlement']}/receipt")
    assert unknown.status_code == NOT_FOUND


@pytest.mark.parametrize("who", ["owner", "developer", "provider", "stranger"])
async def test_nobody_else_sees_any(stage: Stage, who: str) -> None:
    settlement_id = stage.ids["settlement"]
    assert (await stage.ask(who, "GET", "/settlements")).json()["items"] == []
    assert (await stage.ask(who, "GET", "/settlements/disputes")).json()["items"] == []
    assert (await stage.ask(who, "GET", f"/settlements/positions?period={PERIOD}")).json()["positions"] == []
    assert (await stage.ask(who, "GET", f"/settlements/{settlement_id}")).status_code == NOT_FOUND
    receipt = await stage.ask(who, "GET", f"/settlements/records/{stage.ids['record']}/receipt")
    assert receipt.status_code == NOT_FOUND
    for action in ("end", "compare"):
        assert (await stage.ask(who, "POST", f"/settlements/{settlement_id}/{action}")).status_code == FORBIDDEN


async def test_who_reads_ends_and_compares_nothing(stage: Stage) -> None:
    for action in ("end", "compare"):
        answer = await stage.ask("auditor", "POST", f"/settlements/{stage.ids['settlement']}/{action}")
        assert answer.status_code == FORBIDDEN
