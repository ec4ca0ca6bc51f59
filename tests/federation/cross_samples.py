"""Records of one call across platforms, as both ends write them; keywords make the case a test needs."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keisan.domain.cross_record import CrossUsage, LeafMark, RecordEnd, find_admission_ms
from keisan.domain.ids import PlatformId, RecordId, SettlementId, TicketId
from keisan.domain.merkle import hash_leaf
from keisan.domain.price import TokenClass, compute_amount_nano
from keisan.domain.settlement import PeriodStatement, Settlement, SettlementState
from keisan.domain.usage import CallOutcome, UsageSource
from keisan.federation.rule_settlement import compute_leaves_root
from tests.domain.samples import NOW, ORGANIZATION_ID, PRICE_ID, create_record_id, name_id, name_record_id

HOME = PlatformId("aa" * 32)
SERVING = PlatformId("bb" * 32)
PRICES = {TokenClass.INPUT: 1_000_000, TokenClass.OUTPUT: 3_000_001}
QUANTITIES = {TokenClass.INPUT: 20, TokenClass.OUTPUT: 30}
DAY = timedelta(days=1)
PERIOD = NOW.date().isoformat()


def create_usage(end: RecordEnd = RecordEnd.SERVING, at: datetime = NOW, **changes: Any) -> CrossUsage:
    record_id: RecordId = changes.get("record_id", create_record_id(at))
    usage = CrossUsage(
        end=end,
        record_id=record_id,
        home_id=HOME,
        serving_id=SERVING,
        organization_id=ORGANIZATION_ID,
        ticket_id=TicketId(name_id(60)),
        model="smol",
        model_digest="c" * 64,
        price_id=PRICE_ID,
        currency="CNY",
        region="CN-SX",
        chip="metax-c600",
        admitted_at_ms=find_admission_ms(record_id),
        outcome=CallOutcome.COMPLETED,
        http_status=200,
        usage_source=UsageSource.ENGINE,
        quantities=QUANTITIES,
        amount_nano=compute_amount_nano(PRICES, QUANTITIES),
        request_bytes=100,
        response_bytes=400,
        event_count=31,
        max_tokens=64,
    )
    return replace(usage, **changes)


def mark(number: int, content: int = 0) -> LeafMark:
    """Return a leaf by two numbers: which record, and what is in it."""
    record_id = name_record_id(number)
    return LeafMark(record_id, hash_leaf(f"{number}/{content}".encode()))


def create_statement(marks: list[LeafMark], **changes: Any) -> PeriodStatement:
    statement = PeriodStatement(
        author=SERVING,
        audience=HOME,
        period=PERIOD,
        revision=1,
        record_count=len(marks),
        total_count=0,
        leaves_root=compute_leaves_root(marks),
        receivable_nano={"CNY": 110},
        payable_nano={},
        ended_at_ms=find_admission_ms(create_record_id(NOW + DAY)),
    )
    return replace(statement, **changes)


def create_settlement(**changes: Any) -> Settlement:
    settlement = Settlement(
        id=SettlementId(name_id(61)),
        platform_id=HOME,
        author=SERVING,
        audience=HOME,
        period=PERIOD,
        state=SettlementState.OPEN,
        revision=0,
        statement=None,
        countersignature=None,
        version=1,
        created_at=NOW,
        ended_at=None,
        countersigned_at=None,
    )
    return replace(settlement, **changes)
