"""Commands and readings of settlement: a period ended or compared at a person's word, net positions, the receipt of one record."""

from collections.abc import Sequence
from dataclasses import dataclass

from keisan.control.context import Control, name_actor
from keisan.control.settlement_batch import list_marks, take_pair
from keisan.control.settlement_period import ask_root, end_period, name_key
from keisan.control.settlement_sign import is_reached
from keisan.domain.access import PlatformScope, Principal, Right, Scope
from keisan.domain.cross_record import CrossReceipt, CrossRecord, CrossState, RecordEnd
from keisan.domain.errors import InvalidInput, NotFound, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import PlatformId, RecordId, SettlementId
from keisan.domain.merkle import build_path
from keisan.domain.settlement import CrossSum, NetPosition, Settlement, SettlementState, is_settled
from keisan.federation.rule_settlement import compute_net, is_period_over
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Transaction
from keisan.wire.settlement_text import read_countersignature

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class SettlementDetail:
    """A settlement with what its records come to here, by end, state and currency."""

    settlement: Settlement
    sums: Sequence[CrossSum]


async def end_settlement(control: Control, principal: Principal, settlement_id: SettlementId) -> Settlement:
    """End one of the platform's own settlements whose period is over.

    Raises PermissionDenied, NotFound, InvalidInput for another author's, StateConflict while its period runs, while records wait
    for their batch, or after both have signed.
    """
    principal.require(Right.WRITE_STATEMENTS)
    async with control.storage.write() as transaction:
        found = await transaction.settlements.get(principal.scope, settlement_id)
        key = name_key(found)
        if key.author != control.platform_id:
            raise InvalidInput("a period is ended by its author: compare it instead", "author")
        if not is_period_over(key.period, to_milliseconds(control.clock.now())):
            raise StateConflict("this period is not over yet")
        await take_pair(transaction, control, key)
        if await transaction.cross_records.list_waiting(EVERYTHING, key.author, key.audience, 1):
            raise StateConflict("records wait to be told: in a second they will have been")
        ended = await end_period(transaction, control, key)
        detail = {"audience": key.audience, "period": key.period}
        await transaction.events.append(EventDraft(name_actor(principal), "settlement.ended", ended.id, detail))
    return ended


async def compare_settlement(control: Control, principal: Principal, settlement_id: SettlementId) -> Settlement:
    """Ask the other side for its tree: by letters both go down to what differs, and tell each other what one lacks.

    Raises PermissionDenied, NotFound, also where no link leads to the other side, and StateConflict after both have signed.
    """
    principal.require(Right.WRITE_STATEMENTS)
    async with control.storage.write() as transaction:
        found = await transaction.settlements.get(principal.scope, settlement_id)
        if found.state is SettlementState.COUNTERSIGNED:
            raise StateConflict("both sides have signed for the same")
        other = found.audience if found.author == control.platform_id else found.author
        if not await is_reached(transaction, other):
            raise NotFound("there is no link towards this platform", f"audience={other}")
        await ask_root(transaction, control, name_key(found))
        detail = {"author": found.author, "audience": found.audience, "period": found.period}
        await transaction.events.append(EventDraft(name_actor(principal), "settlement.compared", found.id, detail))
    return found


async def read_settlement(view: Transaction, scope: Scope, settlement_id: SettlementId) -> SettlementDetail:
    """Return a settlement with its sums; raises NotFound outside the scope."""
    found = await view.settlements.get(scope, settlement_id)
    return SettlementDetail(found, await view.cross_records.sum(scope, name_key(found)))


async def list_positions(view: Transaction, control: Control, scope: Scope, period: str) -> list[NetPosition]:
    """Return who owes whom for a period: what both have signed for is final, until then by what is here."""
    settlements = await view.settlements.list_period(scope, period)
    own = control.platform_id
    positions: list[NetPosition] = []
    for other in sorted({each.author for each in settlements} | {each.audience for each in settlements}):
        pair = {each.author: each for each in settlements if {each.author, each.audience} == {own, other}}
        if other == own or not pair:
            continue
        settled = {author: await _sum_settled(view, scope, each) for author, each in pair.items()}
        is_final = {own, other} == {each.author for each in pair.values() if is_settled(each)}
        positions += compute_net(own, other, period, settled, is_final=is_final)
    return positions


async def _sum_settled(view: Transaction, scope: Scope, settlement: Settlement) -> dict[str, int]:
    """Return what a settlement's author is owed by its audience: what that has signed for, else what is settled here."""
    if settlement.countersignature is not None:
        return dict(read_countersignature(settlement.countersignature.content).settled_nano)
    found: dict[str, int] = {}
    for each in await view.cross_records.sum(scope, name_key(settlement)):
        if each.end is RecordEnd.SERVING and each.state is CrossState.SETTLED:
            found[each.currency] = found.get(each.currency, 0) + each.amount_nano
    return found


async def find_cross_receipt(
    view: Transaction, scope: Scope, record_id: RecordId, author: PlatformId | None = None
) -> CrossReceipt:
    """Return the receipt of a record of a call across platforms: the serving platform's word, or that of a named author.

    Raises NotFound without such a record in scope, and while it waits for its batch.
    """
    ends = [each for each in await view.cross_records.list_ends(scope, [record_id]) if each.batch_id is not None]
    wanted = [each for each in ends if (each.usage.author == author if author else _is_serving(each))]
    if not wanted:
        raise NotFound(f"no batch tells a record {record_id} of a call across platforms")
    (record,) = wanted
    assert record.batch_id is not None
    batch = await view.cross_batches.find(scope, record.batch_id)
    assert batch is not None
    marks = list_marks(await view.cross_records.list_batch(scope, record.batch_id))
    index = [each.leaf_id for each in marks].index(record_id)
    path = build_path([each.leaf_hash for each in marks], index)
    return CrossReceipt(record.leaf, index, path, batch)


def _is_serving(record: CrossRecord) -> bool:
    return record.usage.end is RecordEnd.SERVING
