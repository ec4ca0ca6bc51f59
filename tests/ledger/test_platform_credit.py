"""What may be leased to another platform is what no ticket of any kind holds, within the wallet and the budgets."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.organization import Billing
from keisan.ledger.platform_credit import compute_lease_forecast, lock_credit
from tests.domain.credit_samples import OTHER_ID, create_cross_charge
from tests.factories import NOW, create_budget
from tests.ledger.credit_pair import plant_ticket
from tests.ledger.credit_world import OUTPUT_NANO, Gateway, top_up
from tests.ledger.intake_world import IntakeWorld

LEASE_S = 96 * 3600


async def count_free(ledger: IntakeWorld, currency: str = "CNY") -> int | None:
    async with ledger.storage.write() as transaction:
        owner = ledger.world.left.organization
        return (await lock_credit(transaction, owner.id, currency, NOW)).free_nano


async def test_free_is_what_neither_gateways_nor_platforms_hold(ledger: IntakeWorld, gateway: Gateway) -> None:
    side = ledger.world.left
    assert await count_free(ledger) == 0
    assert await count_free(ledger, "JPY") == 0, "there is no such wallet"
    await top_up(ledger.storage, side.organization.id, 100 * OUTPUT_NANO)
    assert await count_free(ledger) == 100 * OUTPUT_NANO
    await plant_ticket(ledger, side, 20 * OUTPUT_NANO)
    assert await count_free(ledger) == 70 * OUTPUT_NANO
    await gateway.exchange((side, 60 * OUTPUT_NANO))
    assert await count_free(ledger) == 10 * OUTPUT_NANO
    budget = create_budget(side.key, project_id=None, key_id=None, amount_nano=95 * OUTPUT_NANO)
    async with ledger.storage.write() as transaction:
        await transaction.budgets.insert(budget)
    assert await count_free(ledger) == 5 * OUTPUT_NANO
    async with ledger.storage.write() as transaction:
        await transaction.budgets.update(replace(budget, amount_nano=OUTPUT_NANO, version=2))
    assert await count_free(ledger) == 0, "a bound that was lowered leaves nothing"


async def test_nothing_bounds_who_pays_afterwards_without_budgets(ledger: IntakeWorld) -> None:
    owner = ledger.world.left.organization
    async with ledger.storage.write() as transaction:
        await transaction.organizations.update(replace(owner, billing=Billing.POSTPAID, version=2))
    assert await count_free(ledger) is None


async def test_forecast_is_of_what_was_spent_at_that_platform(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    ticket = await plant_ticket(ledger, side, 10**9)
    async with ledger.storage.read() as view:
        assert await compute_lease_forecast(view, side.organization.id, OTHER_ID, LEASE_S, NOW) is None
    charges = [
        create_cross_charge(ticket, wholesale_nano=1_000, admitted_at=NOW - timedelta(days=day)) for day in range(1, 29)
    ]
    async with ledger.storage.write() as transaction:
        await transaction.cross_charges.insert_many(charges)
    async with ledger.storage.read() as view:
        found = await compute_lease_forecast(view, side.organization.id, OTHER_ID, LEASE_S, NOW)
        assert found is not None
        # The rest of today, and four days.
        assert 4_000 <= found <= 5_000
        assert await compute_lease_forecast(view, side.organization.id, ledger.world.platform.id, LEASE_S, NOW) is None
