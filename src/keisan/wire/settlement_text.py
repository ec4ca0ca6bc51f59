"""What platforms sign of settlements: the header of a batch, the end of a period, and the signature of the other side for it.

Each is one line of JSON. It is stored, forwarded and verified as the bytes that were signed, never written anew.
"""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

import msgspec

from keisan.domain.cross_record import BatchHeader, find_period_end_ms
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import parse_platform_id
from keisan.domain.settlement import CountersignedPeriod, PeriodStatement
from keisan.wire.base import INTEGER_MAX

BATCH_SCHEMA = "keisan.batch.1"
PERIOD_END_SCHEMA = "keisan.period_end.1"
COUNTERSIGNATURE_SCHEMA = "keisan.countersignature.1"
CURRENCIES_MAX = 32
CURRENCY_CHARACTERS_MAX = 3
AMOUNT_DIGITS_MAX = 38
HASH_DIGITS = 64


class _Batch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    schema: str
    batch_id: UUID
    platform_id: str
    audience_id: str
    period: str
    record_count: int
    records_root: str
    made_at_ms: int


class _PeriodEnd(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    platform_id: str
    audience_id: str
    period: str
    revision: int
    record_count: int
    total_count: int
    leaves_root: str
    receivable_nano: dict[str, str]
    payable_nano: dict[str, str]
    ended_at_ms: int


class _Countersignature(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    platform_id: str
    author_id: str
    period: str
    statement_sha256: str
    settled_nano: dict[str, str]
    held_nano: dict[str, str]
    signed_at_ms: int


Text = TypeVar("Text", _Batch, _PeriodEnd, _Countersignature)
_encode = msgspec.json.Encoder().encode


def write_batch(header: BatchHeader) -> bytes:
    """Return the bytes of a batch's header."""
    return _encode(
        _Batch(
            schema=BATCH_SCHEMA,
            batch_id=header.id,
            platform_id=header.author,
            audience_id=header.audience,
            period=header.period,
            record_count=header.record_count,
            records_root=header.records_root,
            made_at_ms=header.made_at_ms,
        )
    )


def read_batch(content: bytes) -> BatchHeader:
    """Return what a batch's header says; raises InvalidInput for what is none."""
    found = _read(content, _Batch, BATCH_SCHEMA)
    _check(found.period, (found.record_count, found.made_at_ms), (found.records_root,))
    return BatchHeader(
        id=found.batch_id,
        author=parse_platform_id(found.platform_id),
        audience=parse_platform_id(found.audience_id),
        period=found.period,
        record_count=found.record_count,
        records_root=found.records_root,
        made_at_ms=found.made_at_ms,
    )


def write_period_end(statement: PeriodStatement) -> bytes:
    """Return the bytes of an author's word on the end of a period."""
    return _encode(
        _PeriodEnd(
            schema=PERIOD_END_SCHEMA,
            platform_id=statement.author,
            audience_id=statement.audience,
            period=statement.period,
            revision=statement.revision,
            record_count=statement.record_count,
            total_count=statement.total_count,
            leaves_root=statement.leaves_root,
            receivable_nano=_write_amounts(statement.receivable_nano),
            payable_nano=_write_amounts(statement.payable_nano),
            ended_at_ms=statement.ended_at_ms,
        )
    )


def read_period_end(content: bytes) -> PeriodStatement:
    """Return what an author says of the end of a period; raises InvalidInput for what is no such word."""
    found = _read(content, _PeriodEnd, PERIOD_END_SCHEMA)
    counts = (found.record_count, found.total_count, found.ended_at_ms, found.revision - 1)
    _check(found.period, counts, (found.leaves_root,))
    return PeriodStatement(
        author=parse_platform_id(found.platform_id),
        audience=parse_platform_id(found.audience_id),
        period=found.period,
        revision=found.revision,
        record_count=found.record_count,
        total_count=found.total_count,
        leaves_root=found.leaves_root,
        receivable_nano=_read_amounts(found.receivable_nano),
        payable_nano=_read_amounts(found.payable_nano),
        ended_at_ms=found.ended_at_ms,
    )


def write_countersignature(countersigned: CountersignedPeriod) -> bytes:
    """Return the bytes of what an audience signs for."""
    return _encode(
        _Countersignature(
            schema=COUNTERSIGNATURE_SCHEMA,
            platform_id=countersigned.signer,
            author_id=countersigned.author,
            period=countersigned.period,
            statement_sha256=countersigned.statement_sha256,
            settled_nano=_write_amounts(countersigned.settled_nano),
            held_nano=_write_amounts(countersigned.held_nano),
            signed_at_ms=countersigned.signed_at_ms,
        )
    )


def read_countersignature(content: bytes) -> CountersignedPeriod:
    """Return what an audience signed for; raises InvalidInput for what is no such word."""
    found = _read(content, _Countersignature, COUNTERSIGNATURE_SCHEMA)
    _check(found.period, (found.signed_at_ms,), (found.statement_sha256,))
    return CountersignedPeriod(
        signer=parse_platform_id(found.platform_id),
        author=parse_platform_id(found.author_id),
        period=found.period,
        statement_sha256=found.statement_sha256,
        settled_nano=_read_amounts(found.settled_nano),
        held_nano=_read_amounts(found.held_nano),
        signed_at_ms=found.signed_at_ms,
    )


def _read(content: bytes, text_type: type[Text], schema: str) -> Text:
    try:
        found = msgspec.json.decode(content, type=text_type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not a text of a settlement", "content", str(fault)) from fault
    if found.schema != schema:
        raise InvalidInput(f"expected the schema {schema}", "content")
    return found


def _check(period: str, counts: tuple[int, ...], hashes: tuple[str, ...]) -> None:
    check_period(period)
    if not all(0 <= count <= INTEGER_MAX for count in counts):
        raise InvalidInput("a count is out of bounds", "content")
    for each in hashes:
        if len(each) != HASH_DIGITS or not set(each) <= set("0123456789abcdef"):
            raise InvalidInput("a hash is 64 hex digits", "content")


def check_period(period: str) -> str:
    """Return the name of a settlement period; raises InvalidInput unless it is a day that reads like 2026-11-27."""
    try:
        find_period_end_ms(period)
    except (ValueError, OverflowError) as fault:
        raise InvalidInput("a settlement period is a day, like 2026-11-27", "period") from fault
    if len(period) != len("2026-11-27"):
        raise InvalidInput("a settlement period is a day, like 2026-11-27", "period")
    return period


def _write_amounts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {currency: str(amount_nano) for currency, amount_nano in sorted(amounts.items())}


def _read_amounts(told: dict[str, str]) -> dict[str, int]:
    if len(told) > CURRENCIES_MAX:
        raise InvalidInput(f"at most {CURRENCIES_MAX} currencies", "content")
    for currency, amount in told.items():
        is_amount = amount.isascii() and amount.isdigit() and len(amount) <= AMOUNT_DIGITS_MAX
        if not (is_amount and len(currency) <= CURRENCY_CHARACTERS_MAX):
            raise InvalidInput("an amount is a decimal text by currency", "content")
    return {currency: int(amount) for currency, amount in told.items()}
