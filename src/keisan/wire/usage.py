"""Usage records on the wire: what the relay wrote into its spool, the platform's answer per record, and views.

The relay's serde twin stands in crates/relay; tests/golden/usage_record.json keeps the two equal.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import (
    DeploymentId,
    KeyId,
    MachineId,
    ModelId,
    OrganizationId,
    PriceId,
    ProjectId,
    ProviderId,
    RecordId,
    ReplicaId,
    SiteId,
    TicketId,
    parse_platform_id,
)
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, IntakeOutcome, PostedRecord, UsageContext, UsageRecord, UsageSource
from keisan.kit.clock import from_milliseconds
from keisan.wire.base import Count, ForeignText, NanoText, WireInput, WireView
from keisan.wire.page import ListQuery

# An upload is lines: of records, and before them of what they share.
USAGE_BATCH_TYPE = "application/vnd.keisan.usage"
USAGE_RECORD_BYTES_MAX = 4096
USAGE_RECORD_PARTS_MAX = 4
_LINES_MAX = USAGE_BATCH_RECORDS_MAX * (1 + USAGE_RECORD_PARTS_MAX)
# A number of more digits names no part.
_DIGITS_MAX = len(str(_LINES_MAX))
# What the relay's encoder begins a record's own members with.
_OWN_BEGINS = b',"record_id":'
# Bounds of what the platform can store: the end of the year 9999, and 36 of NUMERIC(38,0)'s digits.
INSTANT_MS_MAX = 253_402_300_799_999
RECORD_NANO_MAX = 10**36


class UsageContextBody(WireView):
    """What a record shares with others, as the relay wrote it (schema version 1)."""

    schema_version: Literal[1]
    platform_id: str
    gateway_id: UUID
    organization_id: UUID
    project_id: UUID
    key_id: UUID
    model_id: UUID
    price_id: UUID
    deployment_id: UUID
    replica_id: UUID
    provider_id: UUID
    site_id: UUID
    model_digest: ForeignText


class UsageOwnBody(WireView):
    """What is a record's own."""

    record_id: UUID
    surface: Surface
    is_stream: bool
    admitted_at_ms: Annotated[int, Field(ge=0, le=INSTANT_MS_MAX)]
    day: date
    duration_us: Count
    first_byte_us: Count | None
    outcome: CallOutcome
    http_status: Annotated[int, Field(ge=0, le=999)]
    usage_source: UsageSource
    quantities: dict[TokenClass, Count]
    amount_nano: Annotated[NanoText, Field(ge=0, le=RECORD_NANO_MAX)]
    request_bytes: Count
    response_bytes: Count
    events: Count
    # Records that older relays left in a spool do not have it.
    ticket_id: UUID | None = None


class UsageRecordBody(UsageOwnBody, UsageContextBody):
    """One record as the relay wrote it; unknown fields of later relays are ignored."""


class _SharedBody(UsageContextBody):
    """The parts of a record and nothing else, so that they mean the same with any record after them."""

    model_config = ConfigDict(extra="forbid")


class _OwnBody(UsageOwnBody):
    """A record without its parts and nothing else."""

    model_config = ConfigDict(extra="forbid")


class RecordAnswer(WireView):
    """The platform's word on one record, given after commit; `position` is its place in the batch."""

    position: int
    record_id: UUID | None
    outcome: IntakeOutcome
    code: str = ""


class UsageAnswer(WireView):
    """The platform's word on a whole batch: how many records were created, and one answer for each other one."""

    created_count: int = 0
    answers: tuple[RecordAnswer, ...]


class UsageRecordView(WireView):
    """A usage record as the API shows it."""

    id: UUID
    day: date
    platform_id: str
    gateway_id: UUID
    organization_id: UUID
    project_id: UUID
    key_id: UUID
    model_id: UUID
    price_id: UUID
    deployment_id: UUID
    replica_id: UUID
    provider_id: UUID
    site_id: UUID
    model_digest: str
    surface: Surface
    is_stream: bool
    admitted_at: datetime
    duration_us: int
    first_byte_us: int | None
    outcome: CallOutcome
    http_status: int
    usage_source: UsageSource
    quantities: dict[TokenClass, int]
    amount_nano: NanoText
    request_bytes: int
    response_bytes: int
    event_count: int
    ticket_id: UUID | None
    entry_id: UUID | None


_OWN_FIELDS = tuple(field.name for field in fields(UsageRecord) if field.name not in {"context", "content_digest"})


def show_record(posted: PostedRecord) -> UsageRecordView:
    """Return a record as the API shows it."""
    record = posted.record
    own = {name: getattr(record, name) for name in _OWN_FIELDS}
    return UsageRecordView(**asdict(record.context), **own, entry_id=posted.charge.entry_id)


class UsageQuery(WireInput):
    """Which records: days `since` to `until`, both included (the last 30 days), of one project, key or model."""

    since: date | None = None
    until: date | None = None
    project_id: UUID | None = None
    key_id: UUID | None = None
    model_id: UUID | None = None


class RecordQuery(UsageQuery, ListQuery):
    """A page of the records that a UsageQuery names."""


class UsageLine(WireView):
    """A sum over records of one model, currency and usage source."""

    model_id: UUID
    model_name: str
    currency: str
    usage_source: UsageSource
    call_count: int
    quantities: dict[TokenClass, int]
    amount_nano: NanoText


class UsageSummary(WireView):
    """Sums within a scope for the days `since` to `until`, both included."""

    since: date
    until: date
    lines: tuple[UsageLine, ...]


def split_usage_batch(body: bytes) -> Sequence[bytes]:
    """Return the records of an upload, each exactly as it was spooled; some may be no records.

    A line `+BYTES` is a part; parts are numbered from 0. A line `0,2:BYTES` is a record: the bytes of these parts, then its
    own. Any other line is a record as it stands, and so is one that names a part which no line before it is, or that would
    be longer than a record is.
    Raises InvalidInput unless there are 1 to USAGE_BATCH_RECORDS_MAX records, and no more parts than they can have.
    """
    # One line too many is enough to know: a body has room for millions of empty ones.
    lines = body.split(b"\n", _LINES_MAX)
    if not lines[-1]:
        lines.pop()
    count = sum(not line.startswith(b"+") for line in lines)
    if not 0 < count <= USAGE_BATCH_RECORDS_MAX or len(lines) > _LINES_MAX:
        raise InvalidInput(f"expected 1 to {USAGE_BATCH_RECORDS_MAX} usage records, one a line")
    shared = _SharedParts()
    return [shared.join(line) for line in lines if not shared.take(line)]


@dataclass(slots=True)
class _SharedParts:
    """The parts of an upload so far, and what was joined of them, by the numbers that records name."""

    parts: list[bytes] = field(default_factory=list)
    joined: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, line: bytes) -> bool:
        """Tell whether a line is a part, which is kept."""
        if not line.startswith(b"+"):
            return False
        self.parts.append(line[1:])
        return True

    def join(self, line: bytes) -> bytes:
        """Return the whole record of a line; the line itself if it names no part, or too much for a record."""
        numbers, colon, own = line.partition(b":")
        # A record that stands whole begins with a brace.
        if not colon or not numbers[:1].isdigit():
            return line
        shared = self.joined.get(numbers)
        if shared is None:
            shared = self._find(numbers.split(b",", USAGE_RECORD_PARTS_MAX))
            if shared is None:
                return line
            self.joined[numbers] = shared
        return shared + own if len(shared) + len(own) <= USAGE_RECORD_BYTES_MAX else line

    def _find(self, numbers: Sequence[bytes]) -> bytes | None:
        """Return the bytes of some parts; none if one is missing, or if they are more than a record may have."""
        if len(numbers) > USAGE_RECORD_PARTS_MAX or not all(map(_is_number, numbers)):
            return None
        places = [int(number) for number in numbers]
        if max(places) >= len(self.parts):
            return None
        parts = [self.parts[place] for place in places]
        return b"".join(parts) if sum(map(len, parts)) <= USAGE_RECORD_BYTES_MAX else None


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _DIGITS_MAX


class RecordParser:
    """Reads the records of one batch: what many of them begin with is read once.

    A record that the relay wrote is its shared members, then its own from `record_id` on. Each part is read for itself
    and must then hold nothing else, or a member could mean one thing there and another in the whole; any other record
    is read whole.
    """

    def __init__(self) -> None:
        self._contexts: dict[bytes, UsageContext | None] = {}

    def parse(self, line: bytes) -> UsageRecord:
        """Return the domain record of spooled bytes; its `content_digest` is their SHA-256.

        Raises InvalidInput if they are over 4 KiB, or not a record of schema version 1 in UTF-8.
        """
        if len(line) > USAGE_RECORD_BYTES_MAX:
            raise InvalidInput(f"a usage record has at most {USAGE_RECORD_BYTES_MAX} bytes, got {len(line)}", "records")
        digest = hashlib.sha256(line).digest()
        return self._parse_own(line, digest) or _parse_whole(line, digest)

    def _parse_own(self, line: bytes, digest: bytes) -> UsageRecord | None:
        shared, found, own = line.partition(_OWN_BEGINS)
        if not found:
            return None
        if shared not in self._contexts:
            self._contexts[shared] = _parse_context(shared)
        context = self._contexts[shared]
        if context is None:
            return None
        try:
            body = _OwnBody.model_validate_json(b"{" + _OWN_BEGINS[1:] + own)
        except ValueError:
            return None
        return _to_record(body, context, digest)


def parse_usage_record(line: bytes) -> UsageRecord:
    """Return the domain record of spooled bytes; raises InvalidInput as RecordParser does."""
    return RecordParser().parse(line)


def _parse_context(shared: bytes) -> UsageContext | None:
    try:
        return _to_context(_SharedBody.model_validate_json(shared + b"}"))
    except (ValueError, InvalidInput):
        return None


def _parse_whole(line: bytes, digest: bytes) -> UsageRecord:
    try:
        body = UsageRecordBody.model_validate_json(line)
    except ValueError as fault:
        raise InvalidInput("not a usage record of schema version 1", "records", str(fault)) from fault
    return _to_record(body, _to_context(body), digest)


def _to_context(body: UsageContextBody) -> UsageContext:
    return UsageContext(
        platform_id=parse_platform_id(body.platform_id),
        gateway_id=MachineId(body.gateway_id),
        organization_id=OrganizationId(body.organization_id),
        project_id=ProjectId(body.project_id),
        key_id=KeyId(body.key_id),
        model_id=ModelId(body.model_id),
        price_id=PriceId(body.price_id),
        deployment_id=DeploymentId(body.deployment_id),
        replica_id=ReplicaId(body.replica_id),
        provider_id=ProviderId(body.provider_id),
        site_id=SiteId(body.site_id),
        model_digest=body.model_digest,
    )


def _to_record(body: UsageOwnBody, context: UsageContext, digest: bytes) -> UsageRecord:
    return UsageRecord(
        id=RecordId(body.record_id),
        day=body.day,
        context=context,
        surface=body.surface,
        is_stream=body.is_stream,
        admitted_at=from_milliseconds(body.admitted_at_ms),
        duration_us=body.duration_us,
        first_byte_us=body.first_byte_us,
        outcome=body.outcome,
        http_status=body.http_status,
        usage_source=body.usage_source,
        quantities=body.quantities,
        amount_nano=body.amount_nano,
        request_bytes=body.request_bytes,
        response_bytes=body.response_bytes,
        event_count=body.events,
        ticket_id=None if body.ticket_id is None else TicketId(body.ticket_id),
        content_digest=digest,
    )
