"""Statements as they are drawn and sealed; whole months are closed in tests/contracts/control/test_statement.py."""

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.merkle import EMPTY_ROOT, compute_root, hash_leaf
from keisan.domain.statement import Balances, HolderKind, RecordsSeal, StatementHolder, StatementSpan, find_period
from keisan.ledger.statement import check_seal, draw_statement, name_leaves, seal_records
from keisan.storage.database import Database
from keisan.wire.leaf import LeafWriter
from tests.domain.samples import build_posted, build_statement_content
from tests.factories import NOW, plant_world

EVERYTHING = PlatformScope()
NOVEMBER = find_period(NOW.date())


async def test_statement_is_drawn_with_names_and_sealed(storage: Database) -> None:
    world = await plant_world(storage)
    side = world.left
    holder = StatementHolder(HolderKind.CUSTOMER, side.organization.id, "CNY")
    async with storage.read() as view:
        # As its holder would see it before it is closed.
        scope = OrganizationScope(side.organization.id)
        content = await draw_statement(view, scope, holder, NOVEMBER)
        assert content == await draw_statement(view, EVERYTHING, holder, NOVEMBER)
        seal = await seal_records(view, EVERYTHING, StatementSpan(holder, NOVEMBER, None, content.entry_sequence))
        posted = await view.usage.get(EVERYTHING, side.record.id)
    check_seal(content, seal)
    assert (content.id, content.closed_at, content.records_root, content.balances) == (None, None, None, Balances(0, 0))
    assert content.holder_name == side.organization.name
    [line] = content.lines
    assert (line.project_name, line.key_name, line.model_name) == (
        side.project.name,
        side.key.name,
        world.model.facts.name,
    )
    leaf = LeafWriter().write(posted)
    assert seal == RecordsSeal(1, side.record.amount_nano, hash_leaf(leaf).hex())


async def test_statement_of_another_is_not_drawn(storage: Database) -> None:
    world = await plant_world(storage)
    holder = StatementHolder(HolderKind.CUSTOMER, world.left.organization.id, "CNY")
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await draw_statement(view, OrganizationScope(world.right.organization.id), holder, NOVEMBER)


async def test_nothing_has_the_root_of_nothing(storage: Database) -> None:
    world = await plant_world(storage)
    holder = StatementHolder(HolderKind.PROVIDER, world.left.provider.id, "USD")
    async with storage.read() as view:
        content = await draw_statement(view, EVERYTHING, holder, NOVEMBER)
        seal = await seal_records(view, EVERYTHING, StatementSpan(holder, NOVEMBER, None, content.entry_sequence))
    assert (content.lines, seal) == ([], RecordsSeal(0, 0, EMPTY_ROOT.hex()))


@pytest.mark.parametrize("seal", [RecordsSeal(1, 61_000, ""), RecordsSeal(2, 60_999, "")])
def test_sums_that_differ_from_the_records_are_never_sealed(seal: RecordsSeal) -> None:
    with pytest.raises(InvariantBroken):
        check_seal(build_statement_content(), seal)
    check_seal(build_statement_content(), RecordsSeal(2, 61_000, ""))


def test_leaves_are_the_receipts() -> None:
    posted = build_posted()
    assert name_leaves([posted]) == [(posted.record.id, LeafWriter().write(posted).decode())]
    assert compute_root([hash_leaf(name_leaves([posted])[0][1].encode())]) == hash_leaf(LeafWriter().write(posted))
