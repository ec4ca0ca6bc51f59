"""Receipts: the leaves of an entry's Merkle tree, and the receipt of one of its records."""

from collections.abc import Iterable, Sequence

from keisan.domain.entry import Entry
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import RecordId
from keisan.domain.merkle import build_path, hash_leaf
from keisan.domain.receipt import Receipt, write_context, write_own
from keisan.domain.usage import PostedRecord, UsageContext
from keisan.kit.clock import to_milliseconds


class LeafWriter:
    """Writes leaves; what many records share is written once."""

    def __init__(self) -> None:
        self._shared: dict[tuple[UsageContext, str, str], str] = {}

    def write(self, posted: PostedRecord) -> bytes:
        """Return the leaf of a record: the same bytes whenever and by whomever it is written."""
        record, charge = posted.record, posted.charge
        key = (record.context, charge.currency, charge.chip)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = write_context(record.context, charge)
        return (shared + write_own(record, to_milliseconds(record.admitted_at))).encode()


def order_records(posted: Iterable[PostedRecord]) -> list[PostedRecord]:
    """Return the records of an entry in the order of its leaves: by record id."""
    return sorted(posted, key=lambda each: each.record.id.int)


def hash_leaves(ordered: Iterable[PostedRecord]) -> list[bytes]:
    """Return the hashes of the leaves of records that are in order."""
    writer = LeafWriter()
    return [hash_leaf(writer.write(each)) for each in ordered]


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
