"""Settlements as the API shows them: what is not ended yet says nothing of calls, and amounts are texts."""

import json

from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.ids import PlatformId
from keisan.domain.settlement import (
    CountersignedPeriod,
    CrossSum,
    NetPosition,
    PlatformDispute,
    SettlementState,
    SignedText,
)
from keisan.wire.settlement_text import write_countersignature, write_period_end
from keisan.wire.settlement_view import show_detail, show_platform_dispute, show_position, show_settlement
from tests.domain.samples import NOW, name_record_id
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_settlement, create_statement, mark


def sign(content: bytes) -> SignedText:
    return SignedText(content, bytes(64), bytes(32))


def test_an_open_settlement_says_nothing_yet() -> None:
    told = show_settlement(create_settlement())
    assert (told.state, told.record_count, told.leaves_root) == (SettlementState.OPEN, None, None)
    assert told.receivable_nano == told.settled_nano == {}
    assert show_detail(create_settlement(), ()).statement is None


def test_a_closed_settlement_says_what_both_have_signed() -> None:
    statement = sign(write_period_end(create_statement([mark(1)])))
    signed = sign(write_countersignature(CountersignedPeriod(HOME, SERVING, PERIOD, "ab" * 32, {"CNY": 10**30}, {}, 5)))
    closed = create_settlement(state=SettlementState.COUNTERSIGNED, statement=statement, countersignature=signed)
    sums = [CrossSum(RecordEnd.SERVING, CrossState.SETTLED, "CNY", 1, 10**30)]
    told = json.loads(show_detail(closed, sums).model_dump_json())
    assert (told["record_count"], told["total_count"], told["settled_nano"]) == (1, 0, {"CNY": str(10**30)})
    assert told["sums"][0]["amount_nano"] == str(10**30)
    assert told["statement"] == statement.content.decode()
    assert told["countersignature"] == signed.content.decode()


def test_positions_and_disputes_are_shown_by_their_fields() -> None:
    position = show_position(NetPosition(PERIOD, HOME, SERVING, "CNY", 5, is_final=True))
    assert (position.creditor, position.amount_nano, position.is_final) == (HOME, 5, True)
    dispute = PlatformDispute(
        name_record_id(), PlatformId(HOME), HOME, SERVING, PERIOD, ("output_above_bytes",), "CNY", 7, NOW
    )
    assert show_platform_dispute(dispute).codes == ("output_above_bytes",)
