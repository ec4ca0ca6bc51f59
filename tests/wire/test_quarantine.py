"""Quarantine on the wire: any bytes are shown, and read where they are a usage record."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.quarantine import QuarantinedRecord, name_quarantined
from keisan.wire.quarantine import QuarantinedRecordView, show_quarantined
from keisan.wire.usage_record import parse_usage_record
from tests.domain.samples import GATEWAY_ID
from tests.factories import NOW
from tests.wire.records import build_line


def show(text: bytes) -> QuarantinedRecordView:
    digest = hashlib.sha256(text).hexdigest()
    found = QuarantinedRecord(name_quarantined(digest), digest, text, "malformed", GATEWAY_ID, NOW)
    return show_quarantined(found)


@given(st.binary(max_size=5000))
def test_any_bytes_cross_the_wire(text: bytes) -> None:
    shown = show(text)
    assert QuarantinedRecordView.model_validate_json(shown.model_dump_json()) == shown
    assert shown.content is None


def test_usage_record_is_read() -> None:
    line = build_line()
    record, shown = parse_usage_record(line), show(line)
    assert shown.text == line.decode()
    assert shown.content is not None
    assert (shown.content.record_id, shown.content.amount_nano) == (record.id, record.amount_nano)
    assert (shown.content.key_id, shown.content.gateway_id) == (record.context.key_id, record.context.gateway_id)
