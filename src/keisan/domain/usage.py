"""A usage record: what one call consumed, written once, its id made by the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from keisan.domain.ids import (
    DeploymentId,
    EntryId,
    KeyId,
    MachineId,
    ModelId,
    OrganizationId,
    PlatformId,
    PriceId,
    ProjectId,
    ProviderId,
    RecordId,
    ReplicaId,
    SiteId,
    TicketId,
)
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Source: RFC 9562, sections 4 and 5.7: the first 48 of 128 bits are milliseconds since 1970, the next four the version, 7, and
# the two after twelve more the variant, 2.
RECORD_ID_RANDOM_BITS = 80
_VARIANT_BITS_AFTER = 62
_VERSION_AND_VARIANT, _OF_VERSION_7 = 0xF << 14 | 0b11, 7 << 14 | 0b10
DAY_MS = 86_400_000


class CallOutcome(StrEnum):
    """How a call ended."""

    COMPLETED = "completed"
    CLIENT_CLOSED = "client_closed"
    ENGINE_CUT = "engine_cut"
    ENGINE_REFUSED = "engine_refused"
    ENGINE_UNREACHABLE = "engine_unreachable"


class UsageSource(StrEnum):
    """Where the quantities came from (R6): the engine's final word, its running count, an estimate, or nothing."""

    ENGINE = "engine"
    ENGINE_RUNNING = "engine_running"
    ESTIMATED = "estimated"
    NONE = "none"


class IntakeOutcome(StrEnum):
    """The platform's answer for one record, given after commit (R8)."""

    CREATED = "created"
    EXISTS = "exists"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class UsageContext:
    """Whose call it was, of what, and where it ran: what many records share."""

    platform_id: PlatformId
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


class Crossing(NamedTuple):
    """Between which platforms a call crossed: whose customer it was, who served it, and the ticket that pays between them.

    Both ends write a record with the id that home made, each of what it saw itself.
    """

    home_platform_id: PlatformId
    serving_platform_id: PlatformId
    ticket_id: TicketId


class UsageRecord(NamedTuple):
    """`day` is the UTC day of admission and the partition (R12); durations in microseconds; sizes in bytes.

    `id` is a UUIDv7 of the moment of admission, so that its day follows from it.
    `ticket_id` is the ticket that pays, None for a post-paid organization's call.
    `crossing` is None unless the call crossed between platforms.
    `content_digest` is the SHA-256 of the record as the gateway wrote it: equal id and other digest is `differs`.
    """

    id: RecordId
    day: date
    context: UsageContext
    surface: Surface
    is_stream: bool
    admitted_at: datetime
    duration_us: int
    first_byte_us: int | None
    outcome: CallOutcome
    http_status: int
    usage_source: UsageSource
    quantities: Mapping[TokenClass, int]
    amount_nano: int
    request_bytes: int
    response_bytes: int
    event_count: int
    ticket_id: TicketId | None
    content_digest: bytes
    crossing: Crossing | None = None


class Charge(NamedTuple):
    """What the platform found about a record when it posted it.

    `entry_id` is the journal entry that it was posted in, None for what was posted before there was a journal. Of the
    record's amount `provider_nano` went to the provider and `tax_nano` to tax; the rest is the platform's revenue.
    """

    entry_id: EntryId | None
    currency: str
    chip: str
    provider_nano: int
    tax_nano: int


class PostedRecord(NamedTuple):
    """A record and its charge."""

    record: UsageRecord
    charge: Charge


def find_day(record_id: RecordId) -> date | None:
    """Return the UTC day of the moment that a record's id was made of; None if the id is no UUIDv7 of a known year."""
    # Not UUID's own properties, which cost as much as all else here.
    if record_id.int >> _VARIANT_BITS_AFTER & _VERSION_AND_VARIANT != _OF_VERSION_7:
        return None
    return _count_to_day((record_id.int >> RECORD_ID_RANDOM_BITS) // DAY_MS)


# Most records are of today or yesterday.
@lru_cache(maxsize=64)
def _count_to_day(days: int) -> date | None:
    try:
        return (EPOCH + timedelta(days)).date()
    except OverflowError:
        return None
