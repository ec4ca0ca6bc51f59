"""A settlement with another platform in the small platform that is asked, with one record that both ends have signed for."""

from datetime import datetime
from uuid import UUID

from keisan.domain.cross_record import BatchHeader, CrossBatch, CrossRecord, CrossState, LeafMark
from keisan.domain.ids import PlatformId, RecordId
from keisan.domain.merkle import hash_leaf
from keisan.domain.settlement import SettlementKey
from keisan.federation.rule_settlement import compute_leaves_root
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.cross_leaf import write_cross_leaf
from keisan.wire.settlement_text import write_batch
from tests.factories import SIGNER
from tests.federation.cross_samples import create_usage

HOME = PlatformId("cc" * 32)
PERIOD = "2026-11-20"


async def add_cross_settlement(storage: Database, own_id: PlatformId, record_id: RecordId, now: datetime) -> UUID:
    """Give a platform a settlement of its own with another, of a day that is over, with the record of a call; return its id."""
    usage = create_usage(record_id=record_id, home_id=HOME, serving_id=own_id)
    leaf = write_cross_leaf(usage)
    leaf_hash = hash_leaf(leaf)
    root = compute_leaves_root([LeafMark(usage.record_id, leaf_hash)])
    header = BatchHeader(create_id(), own_id, HOME, PERIOD, 1, root, 5)
    content = write_batch(header)
    batch = CrossBatch(
        header, content, SIGNER.sign(content), SIGNER.public_key, SIGNER.sign(content), SIGNER.public_key
    )
    record = CrossRecord(usage, leaf, leaf_hash, PERIOD, header.id, CrossState.SETTLED, "", now)
    async with storage.write() as transaction:
        settlement = await transaction.settlements.take(SettlementKey(own_id, HOME, PERIOD), now)
        await transaction.cross_batches.insert(batch)
        await transaction.cross_records.insert(record)
    return settlement.id
