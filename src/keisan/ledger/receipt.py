"""Receipts: the hashes of an entry's leaves, and the receipt of one of its records."""

from collections.abc import Iterable, Sequence

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.entry import Entry
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import RecordId
from keisan.domain.merkle import build_path
from keisan.domain.receipt import Receipt
from keisan.domain.usage import PostedRecord
from keisan.ledger.record_source import RecordSource
from keisan.wire.leaf import LeafWriter


def order_records(posted: Iterable[PostedRecord]) -> list[PostedRecord]:
    """Return the records of an entry in the order of its leaves: by record id."""
    return sorted(posted, key=lambda each: each.record.id.int)


def hash_leaves(ordered: Iterable[PostedRecord]) -> list[bytes]:
    """Return the hashes of the leaves of records that are in order."""
    writer = LeafWriter()
    return [writer.hash(each) for each in ordered]


async def find_receipt(source: RecordSource, scope: Scope, record_id: RecordId) -> Receipt:
    """Return the receipt of a record in scope.

    Raises NotFound without such a record in scope, and for one that was posted before there was a journal;
    StorageUnavailable if it is in the archive and that cannot be read now.
    """
    posted = await source.get(scope, record_id)
    if posted.charge.entry_id is None:
        raise NotFound(f"the usage record {record_id} was posted before there were receipts")
    # The proof is made of hashes of all records of the entry, whosever they are; only hashes leave.
    entry = await source.view.entries.get(PlatformScope(), posted.charge.entry_id)
    records = await source.list_entries([entry])
    platform = await source.view.platform.get()
    return build_receipt(entry, records, record_id, platform.public_key)


def build_receipt(entry: Entry, records: Sequence[PostedRecord], record_id: RecordId, public_key: bytes) -> Receipt:
    """Return the receipt of one of an entry's records, of which `records` are all.

    Raises InvariantBroken if the record is not among them.
    """
    ordered = order_records(records)
    places = [place for place, each in enumerate(ordered) if each.record.id == record_id]
    if len(places) != 1:
        raise InvariantBroken("an entry holds each of its records once", f"record {record_id}, entry {entry.id}")
    (index,) = places
    return Receipt(
        leaf=LeafWriter().write(ordered[index]),
        index=index,
        path=build_path(hash_leaves(ordered), index),
        header=entry.header,
        signature=entry.signature,
        public_key=public_key,
    )
