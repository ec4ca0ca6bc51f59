"""Quarantine on the wire: records that intake refused, and what a person judges of them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.quarantine import QuarantinedRecord, QuarantineOutcome, QuarantineState, QuarantineVerdict
from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.page import ListQuery
from keisan.wire.top_up import Note
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX, parse_usage_record

# A record is no longer; of what is, its beginning tells enough.
QUARANTINED_TEXT_BYTES_MAX: Final = USAGE_RECORD_BYTES_MAX


class QuarantineQuery(ListQuery):
    """Which page of quarantined records, of one state if it is named."""

    state: QuarantineState | None = None


class QuarantineJudge(WireInput):
    """Hand the record in again, or discard it; `note` is for people."""

    verdict: QuarantineVerdict
    note: Note = ""


class QuarantinedContentView(WireView):
    """What quarantined bytes say, if they can be read as a usage record: claims, of which one at least is refused."""

    record_id: UUID
    gateway_id: UUID
    organization_id: UUID
    key_id: UUID
    model_id: UUID
    provider_id: UUID
    admitted_at: datetime
    amount_nano: NanoText


class QuarantinedRecordView(WireView):
    """A quarantined record; `code` says why it was refused when `gateway_id` handed it in first.

    `text` shows its bytes, 4,096 at most, what is not UTF-8 escaped; `digest` is the SHA-256 of all of them. `content` is
    null where they are no usage record.
    """

    id: UUID
    digest: str
    code: str
    gateway_id: UUID
    created_at: datetime
    state: QuarantineState
    note: str
    judged_by: UUID | None
    judged_at: datetime | None
    text: str
    content: QuarantinedContentView | None


class QuarantineAnswer(WireView):
    """What came of a judgement, and the record after it.

    `code` says why it was refused, once more if it was handed in again; of an accepted one why suspense paid, if it did.
    """

    outcome: QuarantineOutcome
    code: str
    quarantined: QuarantinedRecordView


def show_quarantined(quarantined: QuarantinedRecord) -> QuarantinedRecordView:
    """Return a quarantined record as the API shows it."""
    own = {name: getattr(quarantined, name) for name in QuarantinedRecordView.model_fields.keys() - {"text", "content"}}
    text = quarantined.text[:QUARANTINED_TEXT_BYTES_MAX].decode(errors="backslashreplace")
    return QuarantinedRecordView(text=text, content=_read_content(quarantined.text), **own)


def _read_content(text: bytes) -> QuarantinedContentView | None:
    try:
        record = parse_usage_record(text)
    except InvalidInput:
        return None
    context = record.context
    return QuarantinedContentView(
        record_id=record.id,
        gateway_id=context.gateway_id,
        organization_id=context.organization_id,
        key_id=context.key_id,
        model_id=context.model_id,
        provider_id=context.provider_id,
        admitted_at=record.admitted_at,
        amount_nano=record.amount_nano,
    )
