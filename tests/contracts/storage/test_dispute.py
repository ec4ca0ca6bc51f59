"""Disputes on both databases: changed under their version, each seen by its holder, adjustments between two entries."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.domain.ids import EntryId, OrganizationId, ProviderId
from keisan.domain.page import PageRequest
from keisan.domain.statement import HolderKind, Statement, StatementHolder, StatementSpan
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.samples import name_record_id
from tests.factories import NOW, create_dispute, create_statement
from tests.settlement import EVERYTHING

SHARED_ID = create_id()
CUSTOMER = StatementHolder(HolderKind.CUSTOMER, SHARED_ID, "CNY")
# The same id on the other side, as nothing forbids.
PROVIDER = StatementHolder(HolderKind.PROVIDER, SHARED_ID, "CNY")


async def plant(storage: Database, holder: StatementHolder = CUSTOMER) -> tuple[Statement, Dispute]:
    statement = create_statement(holder)
    dispute = replace(create_dispute(statement), record_ids=(name_record_id(1), name_record_id(2)))
    async with storage.write() as transaction:
        await transaction.statements.insert(statement)
        await transaction.disputes.insert(dispute)
    return statement, dispute


def uphold(dispute: Dispute, entry_sequence: int) -> Dispute:
    return replace(
        dispute,
        state=DisputeState.UPHELD,
        resolution="so it was",
        amount_nano=10**37,
        entry_id=EntryId(create_id()),
        entry_sequence=entry_sequence,
        resolved_at=NOW,
        version=dispute.version + 1,
    )


async def test_dispute_comes_back_as_it_went_in_and_as_it_was_changed(storage: Database) -> None:
    statement, dispute = await plant(storage)
    async with storage.read() as view:
        assert await view.disputes.get(EVERYTHING, dispute.id) == dispute
        assert await view.disputes.list_statement(EVERYTHING, statement.id) == (dispute,)
    changed = uphold(dispute, 5)
    async with storage.write() as transaction:
        await transaction.disputes.update(changed)
    async with storage.read() as view:
        assert await view.disputes.get(EVERYTHING, dispute.id) == changed
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.disputes.update(changed)


@pytest.mark.parametrize(
    ("after", "until", "is_on"), [(None, 5, True), (4, 5, True), (5, 9, False), (None, 4, False), (0, 9, True)]
)
async def test_adjustment_is_on_the_statement_whose_entries_it_is_between(
    storage: Database, after: int | None, until: int, is_on: bool
) -> None:
    statement, dispute = await plant(storage)
    _, rejected = await plant(storage, replace(CUSTOMER, currency="USD"))
    async with storage.write() as transaction:
        await transaction.disputes.update(uphold(dispute, 5))
    async with storage.read() as view:
        for holder in (CUSTOMER, PROVIDER, rejected.holder):
            span = StatementSpan(holder, statement.period, after, until)
            found = await view.disputes.list_adjustments(EVERYTHING, span)
            expected = [dispute.id] if is_on and holder == CUSTOMER else []
            assert [adjustment.dispute_id for adjustment in found] == expected


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (OrganizationScope(OrganizationId(SHARED_ID)), CUSTOMER),
        (ProviderScope(ProviderId(SHARED_ID)), PROVIDER),
        (OrganizationScope(OrganizationId(create_id())), None),
        (ProviderScope(ProviderId(create_id())), None),
    ],
)
async def test_scope_bounds_every_read(storage: Database, scope: Scope, seen: StatementHolder | None) -> None:
    planted = [await plant(storage, holder) for holder in (CUSTOMER, PROVIDER)]
    async with storage.write() as transaction:
        for _, dispute in planted:
            await transaction.disputes.update(uphold(dispute, 5))
    async with storage.read() as view:
        page = await view.disputes.list(scope, PageRequest())
        assert [each.holder for each in page.items] == ([seen] if seen else [])
        for statement, dispute in planted:
            is_seen = dispute.holder == seen
            assert bool(await view.disputes.list_statement(scope, statement.id)) is is_seen
            span = StatementSpan(dispute.holder, statement.period, None, 9)
            assert bool(await view.disputes.list_adjustments(scope, span)) is is_seen
            if not is_seen:
                with pytest.raises(NotFound):
                    await view.disputes.get(scope, dispute.id)
