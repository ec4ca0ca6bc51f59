"""Usage on the wire: how an upload is split into records, the platform's answer per record, and views."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, IntakeOutcome, PostedRecord, UsageRecord, UsageSource
from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.page import ListQuery
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX

# An upload is lines: of records, and before them of what they share.
USAGE_BATCH_TYPE = "application/vnd.keisan.usage"
USAGE_RECORD_PARTS_MAX = 4
_LINES_MAX = USAGE_BATCH_RECORDS_MAX * (1 + USAGE_RECORD_PARTS_MAX)
# A number of more digits names no part.
_DIGITS_MAX = len(str(_LINES_MAX))


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


_OWN_FIELDS = tuple(name for name in UsageRecord._fields if name not in {"context", "content_digest"})


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
