"""Bodies of the letters of settlement: batches of records, hourly totals, the end of a period, signatures for both, comparisons.

What is signed within a body is a text whose bytes are kept. Fields that are not known are passed over.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

import msgspec

from keisan.domain.cross_record import TreeNode
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId, parse_platform_id
from keisan.domain.limits import (
    COMPARISON_LEAVES_MAX,
    COMPARISON_NODES_MAX,
    CROSS_BATCH_RECORDS_MAX,
    TOTAL_LINES_MAX,
)
from keisan.domain.price import TokenClass
from keisan.domain.settlement import HourlyTotal, SignedText, TotalLine
from keisan.wire.base import INTEGER_MAX
from keisan.wire.settlement_text import check_period

TOTALS_SCHEMA = "keisan.totals.1"
HASH_BYTES = 32


class CountersignatureOf(StrEnum):
    """What was signed for: a batch's header, byte for byte, or a period, as a text of its own."""

    BATCH = "batch"
    PERIOD = "period"


class _SignedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A text as it was signed, with signature and key in hex."""

    content: str
    signature: str
    public_key: str


class _UsageBody(_SignedBody, frozen=True, kw_only=True):
    leaves: list[str]


class _CountersignatureBody(_SignedBody, frozen=True, kw_only=True):
    of: CountersignatureOf


class _TotalLineBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    chip: str
    record_count: int
    quantities: dict[TokenClass, int]


class _TotalsBody(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    total_id: UUID
    platform_id: str
    hour: str
    region: str
    organization_count: int
    record_count: int
    records_root: str
    lines: list[_TotalLineBody]


class _NodeBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    prefix: str
    count: int
    digest: str
    leaves: dict[UUID, str] | None = None
    branches: dict[str, tuple[int, str]] | None = None


class _ComparisonBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    author: str
    audience: str
    period: str
    asked: list[str] = []
    told: list[_NodeBody] = []
    wanted: list[UUID] = []


@dataclass(frozen=True, slots=True)
class UsageBody:
    """A signed batch's header with its leaves, byte for byte."""

    signed: SignedText
    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CountersignatureBody:
    """A signature of the other side, and what of."""

    of: CountersignatureOf
    signed: SignedText


@dataclass(frozen=True, slots=True)
class ComparisonBody:
    """A step down the trees of one settlement: subtrees that are asked for, those that are told, leaves that are wanted."""

    author: PlatformId
    audience: PlatformId
    period: str
    asked: tuple[str, ...] = ()
    told: tuple[TreeNode, ...] = ()
    wanted: tuple[UUID, ...] = ()


Body = TypeVar("Body", _SignedBody, _UsageBody, _CountersignatureBody, _TotalsBody, _ComparisonBody)
_encode = msgspec.json.Encoder().encode


def write_usage(body: UsageBody) -> bytes:
    """Return the body of a USAGE letter."""
    return _encode(_UsageBody(leaves=[leaf.decode() for leaf in body.leaves], **_show_signed(body.signed)))


def read_usage(body: bytes) -> UsageBody:
    """Return what a USAGE letter holds; raises InvalidInput."""
    found = _read(body, _UsageBody)
    if not 0 < len(found.leaves) <= CROSS_BATCH_RECORDS_MAX:
        raise InvalidInput(f"a batch has 1 to {CROSS_BATCH_RECORDS_MAX} records", "leaves")
    return UsageBody(_read_signed(found), tuple(leaf.encode() for leaf in found.leaves))


def write_signed(signed: SignedText) -> bytes:
    """Return the body of a PERIOD_END letter."""
    return _encode(_SignedBody(**_show_signed(signed)))


def read_signed(body: bytes) -> SignedText:
    """Return what a PERIOD_END letter holds; raises InvalidInput."""
    return _read_signed(_read(body, _SignedBody))


def write_countersigned(body: CountersignatureBody) -> bytes:
    """Return the body of a COUNTERSIGNATURE letter."""
    return _encode(_CountersignatureBody(of=body.of, **_show_signed(body.signed)))


def read_countersigned(body: bytes) -> CountersignatureBody:
    """Return what a COUNTERSIGNATURE letter holds; raises InvalidInput."""
    found = _read(body, _CountersignatureBody)
    return CountersignatureBody(found.of, _read_signed(found))


def write_total(total: HourlyTotal) -> bytes:
    """Return the body of a TOTALS letter."""
    lines = [
        _TotalLineBody(
            model=line.model, chip=line.chip, record_count=line.record_count, quantities=dict(line.quantities)
        )
        for line in total.lines
    ]
    return _encode(
        _TotalsBody(
            schema=TOTALS_SCHEMA,
            total_id=total.id,
            platform_id=total.author,
            hour=total.hour,
            region=total.region,
            organization_count=total.organization_count,
            record_count=total.record_count,
            records_root=total.records_root,
            lines=lines,
        )
    )


def read_total(body: bytes) -> HourlyTotal:
    """Return what a TOTALS letter says; raises InvalidInput."""
    found = _read(body, _TotalsBody)
    day, _, hour = found.hour.partition("T")
    check_period(day)
    counts = [found.organization_count, found.record_count]
    counts += [count for line in found.lines for count in (line.record_count, *line.quantities.values())]
    is_hour = len(hour) == len("13") and hour.isdigit() and hour < "24"
    if found.schema != TOTALS_SCHEMA or not is_hour or not all(0 <= count <= INTEGER_MAX for count in counts):
        raise InvalidInput("not an hourly total", "body")
    _read_hash(found.records_root)
    if len(found.lines) > TOTAL_LINES_MAX or sum(line.record_count for line in found.lines) != found.record_count:
        raise InvalidInput(f"an hourly total has at most {TOTAL_LINES_MAX} lines, which add up to it", "lines")
    lines = tuple(TotalLine(line.model, line.chip, line.record_count, line.quantities) for line in found.lines)
    return HourlyTotal(
        id=found.total_id,
        author=parse_platform_id(found.platform_id),
        hour=found.hour,
        region=found.region,
        organization_count=found.organization_count,
        record_count=found.record_count,
        records_root=found.records_root,
        lines=lines,
    )


def write_comparison(body: ComparisonBody) -> bytes:
    """Return the body of a COMPARISON letter."""
    return _encode(
        _ComparisonBody(
            author=body.author,
            audience=body.audience,
            period=body.period,
            asked=list(body.asked),
            told=[_show_node(node) for node in body.told],
            wanted=list(body.wanted),
        )
    )


def read_comparison(body: bytes) -> ComparisonBody:
    """Return what a COMPARISON letter asks and tells; raises InvalidInput."""
    found = _read(body, _ComparisonBody)
    if max(len(found.asked), len(found.told), len(found.wanted)) > COMPARISON_NODES_MAX:
        raise InvalidInput(f"a comparison names at most {COMPARISON_NODES_MAX} things of a kind", "body")
    return ComparisonBody(
        author=parse_platform_id(found.author),
        audience=parse_platform_id(found.audience),
        period=check_period(found.period),
        asked=tuple(found.asked),
        told=tuple(_read_node(node) for node in found.told),
        wanted=tuple(found.wanted),
    )


def _read(body: bytes, body_type: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=body_type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not the body of such a letter", "body", str(fault)) from fault


def _show_signed(signed: SignedText) -> dict[str, str]:
    return {
        "content": signed.content.decode(),
        "signature": signed.signature.hex(),
        "public_key": signed.public_key.hex(),
    }


def _read_signed(found: _SignedBody) -> SignedText:
    try:
        return SignedText(found.content.encode(), bytes.fromhex(found.signature), bytes.fromhex(found.public_key))
    except ValueError as fault:
        raise InvalidInput("a signature and its key are hex", "signature") from fault


def _show_node(node: TreeNode) -> _NodeBody:
    leaves = None if node.leaves is None else {leaf_id: told.hex() for leaf_id, told in node.leaves.items()}
    branches = None
    if node.branches is not None:
        branches = {digit: (count, digest.hex()) for digit, (count, digest) in node.branches.items()}
    return _NodeBody(prefix=node.prefix, count=node.count, digest=node.digest.hex(), leaves=leaves, branches=branches)


def _read_node(node: _NodeBody) -> TreeNode:
    leaves = None if node.leaves is None else {leaf_id: _read_hash(told) for leaf_id, told in node.leaves.items()}
    if leaves is not None and len(leaves) > COMPARISON_LEAVES_MAX:
        raise InvalidInput(f"a subtree tells at most {COMPARISON_LEAVES_MAX} leaves", "told")
    branches = None
    if node.branches is not None:
        branches = {digit: (count, _read_hash(digest)) for digit, (count, digest) in node.branches.items()}
    return TreeNode(node.prefix, node.count, _read_hash(node.digest), leaves, branches)


def _read_hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as fault:
        raise InvalidInput("a hash is 64 hex digits", "body") from fault
    if len(found) != HASH_BYTES:
        raise InvalidInput("a hash is 64 hex digits", "body")
    return found
