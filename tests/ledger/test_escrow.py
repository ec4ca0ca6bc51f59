"""Escrow in the exchange: holders are found by their ids, and wallets locked, on a real SQLite file."""

from dataclasses import replace

from keisan.domain.holder import Holder
from keisan.domain.organization import Billing
from keisan.kit.ids import create_id
from keisan.ledger.escrow import find_holders, load_facts, lock_wallets
from tests.factories import NOW
from tests.ledger.intake_world import IntakeWorld


async def test_holders_are_found_with_their_path(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    path = (side.organization.id, side.project.id, side.key.id)
    holders = (Holder(path[0]), Holder(*path[:2]), Holder(*path))
    async with ledger.storage.read() as view:
        found = await find_holders(view, [*path, create_id(), ledger.world.model.id])
        assert found == dict(zip(path, holders, strict=True))
        assert await find_holders(view, []) == {}
        facts = await load_facts(view, found.values(), NOW)
    assert [set(each) for each in (facts.organizations, facts.keys, facts.budgets)] == [{path[0]}, {path[2]}, {path[2]}]


async def test_wallets_are_locked_and_those_of_postpaid_organizations_opened(ledger: IntakeWorld) -> None:
    left, right = ledger.world.left, ledger.world.right
    async with ledger.storage.write() as transaction:
        postpaid = replace(right.organization, billing=Billing.POSTPAID, version=2)
        await transaction.organizations.update(postpaid)
        holders = [Holder(side.organization.id) for side in (left, right)]
        facts = await load_facts(transaction, holders, NOW)
        escrows = [(holder, currency) for holder in holders for currency in ("CNY", "USD")]
        wallets = await lock_wallets(transaction, escrows, facts)
        found = {(left.organization.id, "CNY"), (right.organization.id, "CNY"), (right.organization.id, "USD")}
        assert set(wallets) == found, "a prepaid organization without a wallet has nothing"
        assert wallets[left.organization.id, "CNY"].id == left.wallet_id
        assert wallets[right.organization.id, "USD"].balance_nano == 0
        assert await lock_wallets(transaction, [], facts) == {}
