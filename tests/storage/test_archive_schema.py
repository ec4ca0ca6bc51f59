"""Records become columns and come back as they were, whatever they hold."""

from random import Random

import pyarrow as pa
import pytest

from keisan.domain.archive import ArchivedRecord
from keisan.domain.ids import EntryId, TicketId
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.storage.archive_schema import NAMES, SCHEMA, build_table, read_table, sort_table
from keisan.storage.usage_table import CONTEXT_FIELDS, RECORD_COLUMNS
from tests.domain.samples import build_posted, build_record, change_record
from tests.storage.archive_world import create_posted


def test_records_come_back_as_they_were() -> None:
    random = Random(1)
    records = [ArchivedRecord(each % 3 or None, create_posted(random, EntryId(create_id()))) for each in range(60)]
    table = build_table(records)
    assert table.schema == SCHEMA
    assert list(read_table(table)) == records
    assert len(list(read_table(sort_table(table)))) == 60
    assert build_table([]).num_rows == 0


@pytest.mark.parametrize("amount_nano", [0, 2**63, 10**36, 10**38 - 1])
def test_largest_values_are_kept(amount_nano: int) -> None:
    quantities = dict.fromkeys(TokenClass, 2**63 - 1)
    record = build_record(quantities={})._replace(
        amount_nano=amount_nano,
        quantities=quantities,
        ticket_id=TicketId(create_id()),
        first_byte_us=None,
    )
    record = change_record(record, model_digest="\N{REPLACEMENT CHARACTER}\U0001f600")
    archived = ArchivedRecord(2**62, build_posted(record, tax_nano=amount_nano, entry_id=None))
    assert list(read_table(build_table([archived]))) == [archived]


def test_every_column_of_a_record_and_its_context_is_there() -> None:
    stored = {*RECORD_COLUMNS, *CONTEXT_FIELDS, "currency", "chip"} - {"context_id"}
    assert set(NAMES) == stored | {"entry_sequence"}
    assert len(NAMES) == len(set(NAMES))


def test_numbers_are_never_doubles() -> None:
    assert not [field.name for field in SCHEMA if pa.types.is_floating(field.type)]


def test_amount_beyond_its_column_is_refused() -> None:
    posted = build_posted()
    posted = posted._replace(record=posted.record._replace(amount_nano=10**38))
    with pytest.raises(pa.ArrowInvalid):
        build_table([ArchivedRecord(1, posted)])
