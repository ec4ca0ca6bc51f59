"""Records of calls that crossed platforms: what either end says of one call, and the signed batches in which platforms tell each other.

The home of a call is where its customer is billed, the serving platform where its model ran. The call's record id is home's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import OrganizationId, PlatformId, PriceId, RecordId, TicketId
from keisan.domain.price import TokenClass
from keisan.domain.usage import EPOCH, RECORD_ID_RANDOM_BITS, CallOutcome, UsageSource


class RecordEnd(StrEnum):
    """Whose word it is: home tells what it passed on to its customer, the serving platform what it did and wants for it."""

    HOME = "home"
    SERVING = "serving"


class CrossState(StrEnum):
    """What the platform that keeps a record holds of it.

    `settled` counts in net positions, `suspended` waits for a person because a rule forbids it, `disputed` because both
    ends do not agree.
    """

    SETTLED = "settled"
    SUSPENDED = "suspended"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossUsage:
    """What one end says of one call across platforms; `amount_nano` is wholesale, of the price that the ticket pins.

    Bytes, events and outcome are what this end itself saw: of the call's body, and of the answer as it passed it on.
    `max_tokens` is what was asked of the engine, None if nothing was.
    """

    end: RecordEnd
    record_id: RecordId
    home_id: PlatformId
    serving_id: PlatformId
    organization_id: OrganizationId
    ticket_id: TicketId
    model: str
    model_digest: str
    price_id: PriceId
    currency: str
    region: str
    chip: str
    admitted_at_ms: int
    outcome: CallOutcome
    http_status: int
    usage_source: UsageSource
    quantities: Mapping[TokenClass, int]
    amount_nano: int
    request_bytes: int
    response_bytes: int
    event_count: int
    max_tokens: int | None

    @property
    def author(self) -> PlatformId:
        """Return whose word it is."""
        return self.home_id if self.end is RecordEnd.HOME else self.serving_id

    @property
    def audience(self) -> PlatformId:
        """Return whom it is told."""
        return self.serving_id if self.end is RecordEnd.HOME else self.home_id


@dataclass(frozen=True, slots=True)
class CrossRecord:
    """A record as it is kept: `leaf` are the bytes that its author wrote, and `usage` what they say.

    `period` is the settlement that it is in; `batch_id` the batch that tells it, None while an own one waits for its turn.
    `code` says why it is not settled, and is empty otherwise.
    """

    usage: CrossUsage
    leaf: bytes
    leaf_hash: bytes
    period: str
    batch_id: UUID | None
    state: CrossState
    code: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LeafMark:
    """A leaf by the id of its record, or of its hourly total, and its hash (32 bytes): all that trees are made of."""

    leaf_id: UUID
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A subtree: how many leaves it has and one digest of them all; `leaves` where they are few, `branches` else by their digit."""

    prefix: str
    count: int
    digest: bytes
    leaves: Mapping[UUID, bytes] | None = None
    branches: Mapping[str, tuple[int, bytes]] | None = None


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What a batch's signed bytes say: so many leaves with one root, of one author for one audience in one settlement."""

    id: UUID
    author: PlatformId
    audience: PlatformId
    period: str
    record_count: int
    records_root: str
    made_at_ms: int


@dataclass(frozen=True, slots=True)
class CrossBatch:
    """A batch: `content` are the header's bytes, signed by its author and, once it has them, by its audience as well."""

    header: BatchHeader
    content: bytes
    signature: bytes
    public_key: bytes
    countersignature: bytes | None = None
    counter_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class CrossReceipt:
    """The proof of one record to both sides: its leaf, the way to its batch's root, and the batch with both signatures."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    batch: CrossBatch


def find_admission_ms(record_id: RecordId) -> int:
    """Return the moment of admission that home wrote into a record's id, in milliseconds since 1970."""
    return record_id.int >> RECORD_ID_RANDOM_BITS


def name_settlement(admitted_at_ms: int) -> str:
    """Return the settlement period that a moment is in: its day, in UTC."""
    return (EPOCH + timedelta(milliseconds=admitted_at_ms)).date().isoformat()


def find_period_end_ms(period: str) -> int:
    """Return the first millisecond after a settlement period; raises ValueError for what names none."""
    ends_at = datetime.strptime(period, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    return int((ends_at - EPOCH) / timedelta(milliseconds=1))
