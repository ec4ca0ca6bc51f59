"""One usage record as the relay wrote it into its spool, read strictly.

The relay's serde twin stands in crates/relay; tests/golden/usage_record.json keeps the two equal. msgspec reads them, not
pydantic as elsewhere: a platform reads tens of thousands a second, and it needs a third of the time.
"""

import hashlib
from datetime import date
from typing import Annotated, Literal

import msgspec

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
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, Crossing, UsageContext, UsageRecord, UsageSource
from keisan.kit.clock import from_milliseconds
from keisan.wire.base import INTEGER_MAX, replace_nul

USAGE_RECORD_BYTES_MAX = 4096
# Bounds of what the platform can store: the end of the year 9999, and 36 of NUMERIC(38,0)'s digits.
INSTANT_MS_MAX = 253_402_300_799_999
RECORD_NANO_DIGITS_MAX = 36
# What the relay's encoder begins a record's own members with.
_OWN_BEGINS = b',"record_id":'
_OWN_OPENS = b"{" + _OWN_BEGINS[1:]
_Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
_AMOUNT = rf"^(0|[1-9][0-9]{{0,{RECORD_NANO_DIGITS_MAX - 1}}})$"


class _ContextBody(msgspec.Struct, frozen=True, gc=False):
    """What a record shares with others, as the relay wrote it (schema version 1)."""

    schema_version: Literal[1]
    platform_id: str
    gateway_id: MachineId
    organization_id: OrganizationId
    project_id: ProjectId
    key_id: KeyId
    model_id: ModelId
    price_id: PriceId
    deployment_id: DeploymentId
    replica_id: ReplicaId
    provider_id: ProviderId
    site_id: SiteId
    model_digest: str


class _CrossingBody(msgspec.Struct, frozen=True, gc=False):
    """Between which platforms a call crossed, and the ticket that pays between them."""

    home_platform_id: str
    serving_platform_id: str
    ticket_id: TicketId


class _OwnBody(msgspec.Struct, frozen=True, gc=False):
    """What is a record's own."""

    record_id: RecordId
    surface: Surface
    is_stream: bool
    admitted_at_ms: Annotated[int, msgspec.Meta(ge=0, le=INSTANT_MS_MAX)]
    day: date
    duration_us: _Count
    first_byte_us: _Count | None
    outcome: CallOutcome
    http_status: Annotated[int, msgspec.Meta(ge=0, le=999)]
    usage_source: UsageSource
    quantities: dict[TokenClass, _Count]
    # Amounts cross JSON as decimal strings (R3).
    amount_nano: Annotated[str, msgspec.Meta(pattern=_AMOUNT)]
    request_bytes: _Count
    response_bytes: _Count
    events: _Count
    # Records that older relays left in a spool do not have it.
    ticket_id: TicketId | None = None
    # Only of calls that crossed between platforms.
    crossing: _CrossingBody | None = None


class _SharedPart(_ContextBody, frozen=True, gc=False, forbid_unknown_fields=True):
    """The parts of a record and nothing else, so that they mean the same with any record after them."""


class _OwnPart(_OwnBody, frozen=True, gc=False, forbid_unknown_fields=True):
    """A record without its parts and nothing else."""


_read_context = msgspec.json.Decoder(_ContextBody).decode
_read_own = msgspec.json.Decoder(_OwnBody).decode
_read_shared_part = msgspec.json.Decoder(_SharedPart).decode
_read_own_part = msgspec.json.Decoder(_OwnPart).decode
# What no record of schema version 1 is; too deep a value for the reader is none either.
_NO_RECORD = (msgspec.MsgspecError, UnicodeError, RecursionError)


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
        return self._parse_parts(line, digest) or _parse_whole(line, digest)

    def _parse_parts(self, line: bytes, digest: bytes) -> UsageRecord | None:
        shared, found, own = line.partition(_OWN_BEGINS)
        if not found:
            return None
        if shared not in self._contexts:
            self._contexts[shared] = _parse_context(shared)
        context = self._contexts[shared]
        if context is None:
            return None
        try:
            return _to_record(_read_own_part(_OWN_OPENS + own), context, digest)
        except _NO_RECORD:
            return None


def parse_usage_record(line: bytes) -> UsageRecord:
    """Return the domain record of spooled bytes; raises InvalidInput as RecordParser does."""
    return RecordParser().parse(line)


def _parse_context(shared: bytes) -> UsageContext | None:
    try:
        return _to_context(_read_shared_part(shared + b"}"))
    except (*_NO_RECORD, InvalidInput):
        return None


def _parse_whole(line: bytes, digest: bytes) -> UsageRecord:
    try:
        # What is skipped is not looked at otherwise.
        line.decode()
        return _to_record(_read_own(line), _to_context(_read_context(line)), digest)
    except _NO_RECORD as fault:
        raise InvalidInput("not a usage record of schema version 1", "records", str(fault)) from fault


def _to_context(body: _ContextBody) -> UsageContext:
    return UsageContext(
        platform_id=parse_platform_id(body.platform_id),
        gateway_id=body.gateway_id,
        organization_id=body.organization_id,
        project_id=body.project_id,
        key_id=body.key_id,
        model_id=body.model_id,
        price_id=body.price_id,
        deployment_id=body.deployment_id,
        replica_id=body.replica_id,
        provider_id=body.provider_id,
        site_id=body.site_id,
        model_digest=replace_nul(body.model_digest),
    )


def _to_record(body: _OwnBody, context: UsageContext, digest: bytes) -> UsageRecord:
    # By position, in the order of UsageRecord: names would cost as much again.
    return UsageRecord(
        body.record_id,
        body.day,
        context,
        body.surface,
        body.is_stream,
        from_milliseconds(body.admitted_at_ms),
        body.duration_us,
        body.first_byte_us,
        body.outcome,
        body.http_status,
        body.usage_source,
        body.quantities,
        int(body.amount_nano),
        body.request_bytes,
        body.response_bytes,
        body.events,
        body.ticket_id,
        digest,
        None if body.crossing is None else _to_crossing(body.crossing),
    )


def _to_crossing(body: _CrossingBody) -> Crossing:
    return Crossing(
        home_platform_id=parse_platform_id(body.home_platform_id),
        serving_platform_id=parse_platform_id(body.serving_platform_id),
        ticket_id=body.ticket_id,
    )
