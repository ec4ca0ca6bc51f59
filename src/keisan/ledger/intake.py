"""Intake of usage: a batch of records is inserted and posted in one transaction, each record once whatever happens.

The record's id is the idempotency key. One bad record never blocks the others: it is quarantined and answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keisan.domain.access import MachineKind, PlatformScope
from keisan.domain.account import Posting
from keisan.domain.errors import InvalidInput, NotFound, StorageUnavailable
from keisan.domain.ids import MachineId, PostingBatchId, RecordId
from keisan.domain.usage import IntakeOutcome, UsageRecord
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.ledger.rule import (
    Facts,
    RefusalCode,
    SuspenseCode,
    Transfer,
    charge_tickets,
    compare_record,
    refuse_record,
    sum_transfers,
)
from keisan.storage.base import AccountKey, Storage, Transaction
from keisan.wire.usage import RecordAnswer, parse_usage_record


@dataclass(slots=True)
class _Sorting:
    """A batch while it is sorted: the answer of each position, and the records that are new."""

    lines: Sequence[bytes]
    parsed: dict[int, UsageRecord] = field(default_factory=dict)
    answers: dict[int, RecordAnswer] = field(default_factory=dict)
    new: dict[RecordId, int] = field(default_factory=dict)

    def answer(self, position: int, outcome: IntakeOutcome, code: str = "") -> None:
        record = self.parsed.get(position)
        record_id = record.id if record else None
        self.answers[position] = RecordAnswer(position=position, record_id=record_id, outcome=outcome, code=code)


async def accept_usage(
    storage: Storage, clock: Clock, gateway_id: MachineId, lines: Sequence[bytes]
) -> tuple[RecordAnswer, ...]:
    """Insert and post a batch and return one answer per record, in order, after the transaction has committed.

    Raises StorageUnavailable if nothing was committed; the same batch may be handed in again.
    """
    sorting = _Sorting(lines)
    _parse_records(sorting)
    async with storage.write() as transaction:
        facts = await _load_facts(transaction, gateway_id, sorting.parsed)
        stored = await transaction.usage.find_many({record.id for record in sorting.parsed.values()})
        _sort_records(sorting, facts, stored)
        await _insert_and_post(transaction, sorting, facts, clock)
        await _quarantine_bad(transaction, sorting, gateway_id, clock)
    return tuple(sorting.answers[position] for position in range(len(lines)))


def _parse_records(sorting: _Sorting) -> None:
    for position, line in enumerate(sorting.lines):
        try:
            sorting.parsed[position] = parse_usage_record(line)
        except InvalidInput:
            sorting.answer(position, IntakeOutcome.REFUSED, RefusalCode.MALFORMED)


async def _load_facts(transaction: Transaction, gateway_id: MachineId, parsed: Mapping[int, UsageRecord]) -> Facts:
    platform = await transaction.platform.get()
    scope = PlatformScope()
    keys = await transaction.keys.list_by_ids(scope, {record.key_id for record in parsed.values()})
    prices = await transaction.prices.list_by_ids(scope, {record.price_id for record in parsed.values()})
    replicas = await transaction.replicas.list_by_ids(scope, {record.replica_id for record in parsed.values()})
    return Facts(
        platform_id=platform.id,
        gateway_ids=await _list_gateways(transaction, gateway_id, parsed),
        keys={key.id: key for key in keys},
        prices={price.id: price for price in prices.values()},
        replicas={replica.id: replica for replica in replicas},
    )


async def _list_gateways(
    transaction: Transaction, gateway_id: MachineId, parsed: Mapping[int, UsageRecord]
) -> frozenset[MachineId]:
    """Return the gateways whose records this one may hand in.

    A machine that was revoked joins again as another one, and the spool beside it still holds what the first one wrote.
    """
    accepted = {gateway_id}
    for named_id in {record.gateway_id for record in parsed.values()} - accepted:
        try:
            named = await transaction.machines.get(PlatformScope(), named_id)
        except NotFound:
            continue
        if named.kind is MachineKind.GATEWAY and named.revoked_at is not None:
            accepted.add(named_id)
    return frozenset(accepted)


def _sort_records(sorting: _Sorting, facts: Facts, stored: Mapping[RecordId, tuple[UsageRecord, ...]]) -> None:
    for position, record in sorting.parsed.items():
        first = sorting.new.get(record.id)
        earlier = (sorting.parsed[first],) if first is not None else stored.get(record.id, ())
        outcome = compare_record(record, earlier)
        # What is posted is never quarantined as well: a repeat is no new claim, whoever hands it in.
        refusal = None if outcome is IntakeOutcome.EXISTS else refuse_record(record, facts)
        if refusal is not None:
            sorting.answer(position, IntakeOutcome.REFUSED, refusal)
        elif outcome is None:
            sorting.new[record.id] = position
        else:
            sorting.answer(position, outcome)


async def _insert_and_post(transaction: Transaction, sorting: _Sorting, facts: Facts, clock: Clock) -> None:
    records = [sorting.parsed[position] for position in sorting.new.values()]
    inserted = await transaction.usage.insert_many(records)
    await _settle_races(transaction, sorting, inserted)
    created = [record for record in records if record.id in inserted]
    suspended, now = await _charge(transaction, created, facts, clock), clock.now()
    for record in created:
        sorting.answer(sorting.new[record.id], IntakeOutcome.CREATED, suspended.get(record.id, ""))
    transfers = sum_transfers(created, facts.prices, suspended)
    accounts = await transaction.accounts.open(_list_accounts(transfers))
    batch_id = PostingBatchId(create_id())
    await transaction.accounts.post(
        [
            Posting(
                batch_id=batch_id,
                debit_account_id=accounts[transfer.debit],
                credit_account_id=accounts[transfer.credit],
                currency=transfer.debit.currency,
                amount_nano=transfer.amount_nano,
                record_count=transfer.record_count,
                created_at=now,
            )
            for transfer in transfers
        ]
    )


async def _charge(
    transaction: Transaction, records: Sequence[UsageRecord], facts: Facts, clock: Clock
) -> Mapping[RecordId, SuspenseCode]:
    """Post records against their tickets, and return those that no ticket pays for, which are noted."""
    ticket_ids = {record.ticket_id for record in records if record.ticket_id is not None}
    if not ticket_ids:
        return {}
    # All accounts before all tickets, as the credit exchange does, or the two could wait for each other. Suspense alone
    # comes later: whoever waits for it needs nothing else.
    accounts = await transaction.accounts.open(_list_accounts(sum_transfers(records, facts.prices)))
    await transaction.accounts.lock(accounts.values())
    tickets = await transaction.tickets.lock(ticket_ids)
    charges = charge_tickets(records, facts.prices, tickets)
    await transaction.tickets.update_many([each for each in charges.tickets.values() if each != tickets[each.id]])
    await transaction.usage.suspend_many(charges.suspended, records, clock.now())
    return charges.suspended


def _list_accounts(transfers: Iterable[Transfer]) -> set[AccountKey]:
    return {key for transfer in transfers for key in (transfer.debit, transfer.credit)}


async def _settle_races(transaction: Transaction, sorting: _Sorting, inserted: frozenset[RecordId]) -> None:
    """Answer the records that a concurrent batch inserted between our look and our insert."""
    lost = [record_id for record_id in sorting.new if record_id not in inserted]
    if not lost:
        return
    stored = await transaction.usage.find_many(lost)
    for record_id in lost:
        position = sorting.new[record_id]
        outcome = compare_record(sorting.parsed[position], stored.get(record_id, ()))
        if outcome is None:
            raise StorageUnavailable("a concurrent batch is not settled yet", f"record {record_id}")
        sorting.answer(position, outcome)


async def _quarantine_bad(transaction: Transaction, sorting: _Sorting, gateway_id: MachineId, clock: Clock) -> None:
    bad = {
        sorting.lines[position]: answer.code or answer.outcome
        for position, answer in sorting.answers.items()
        if answer.outcome in (IntakeOutcome.REFUSED, IntakeOutcome.DIFFERS)
    }
    await transaction.usage.quarantine_many(bad, gateway_id, clock.now())
