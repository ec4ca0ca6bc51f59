"""Suspense on the wire: records that it paid for, and what a person judges of them."""

from datetime import date, datetime
from uuid import UUID

from keisan.domain.suspense import SuspenseOutcome, SuspenseState, SuspenseVerdict
from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.page import ListQuery
from keisan.wire.top_up import Note


class SuspenseQuery(ListQuery):
    """Which page of suspended records, of one state if it is named."""

    state: SuspenseState | None = None


class SuspenseJudge(WireInput):
    """Charge the record to its organization, which reads the note too, or write it off."""

    verdict: SuspenseVerdict
    note: Note = ""


class SuspendedRecordView(WireView):
    """A record that suspense paid for, and why; once judged, its amount was paid back in entry `entry_id`."""

    record_id: UUID
    day: date
    platform_id: str
    organization_id: UUID
    ticket_id: UUID | None
    currency: str
    amount_nano: NanoText
    code: str
    created_at: datetime
    state: SuspenseState
    note: str
    judged_by: UUID | None
    judged_at: datetime | None
    entry_id: UUID | None


class SuspenseAnswer(WireView):
    """What came of a judgement, and the record after it."""

    outcome: SuspenseOutcome
    suspended: SuspendedRecordView
