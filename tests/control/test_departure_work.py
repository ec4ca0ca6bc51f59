"""Departures over real links: periods are closed, credit is returned both ways, grants end, and nothing is lost where nobody answers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.departure_work import list_departure_works
from keisan.control.link_ask import answer_question
from keisan.control.link_join import leave_parent
from keisan.control.reconcilers.link import LinkReconciler
from keisan.domain.departure import StepName, StepState
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.limits import DEPARTURE_WAIT_S
from keisan.domain.link import Link, LinkState
from keisan.domain.link_log import LinkLog
from keisan.domain.platform_ticket import CrossChargeState, PlatformTicketState
from tests.control.money_world import EVERYTHING, TRIES, MovedClock, Shop, Trade, open_shop, open_trade
from tests.control.town import Country
from tests.deadline import let_time_pass_async

DONE, SUSPENSE = StepState.DONE, StepState.SUSPENSE


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file, MovedClock())
    yield made
    await made.end()


async def open_both(country: Country, *, is_child_home: bool) -> tuple[Trade, Shop]:
    """Return a trade between a nation and its province, and the province, which will leave."""
    nation, province = [await country.found(name) for name in ("cn", "sx")]
    await country.join(province, nation)
    parent, child = await open_shop(nation, 2), await open_shop(province, 2 if is_child_home else 1)
    country.connect(province)
    return await open_trade(country, *((child, parent) if is_child_home else (parent, child))), child


async def read_link(shop: Shop) -> Link:
    async with shop.town.storage.read() as view:
        (link,) = await view.links.list_states(EVERYTHING, LinkState)
    return link


async def work(child: Shop, *, is_cut: bool = False) -> Link:
    """Look after the link to the parent, once, as the lease loop would."""
    control, parent = child.town.control, child.town.parent
    assert parent is not None

    async def ask(_: str, letter: bytes) -> bytes:
        if is_cut:
            raise PlatformUnreachable("it does not answer")
        return await answer_question(parent.control, letter)

    reconciler, link = LinkReconciler(control, ask, list_departure_works()), await read_link(child)
    async with control.storage.read() as view:
        state = await reconciler.load(view, link.id)
    assert state is not None
    change = await reconciler.perform(reconciler.decide(state, control.clock.now()))
    async with control.storage.write() as transaction:
        await reconciler.apply(transaction, change, control.clock.now())
    return await read_link(child)


async def leave(trade: Trade, child: Shop) -> Link:
    """Leave the parent, with all work done that is due at both, until the child has left."""
    link = await leave_parent(child.town.control, child.admin.to_principal(), (await read_link(child)).id)
    for _ in range(TRIES):
        link = await work(child)
        if link.state is LinkState.LEFT:
            return link
        for shop in (trade.home, trade.serving):
            await shop.settle()
            await shop.look_after_tickets()
        await let_time_pass_async(0.02)
    raise AssertionError(f"{link.departure} {await trade.home.list_tickets()}")


def list_steps(link: Link) -> dict[StepName, StepState]:
    return {step.name: step.state for step in link.departure}


@pytest.mark.parametrize("is_child_home", [True, False])
async def test_a_child_leaves_with_all_paid_and_all_credit_back(country: Country, *, is_child_home: bool) -> None:
    trade, child = await open_both(country, is_child_home=is_child_home)
    paid, waiting = trade.write_call(), trade.write_call()
    await trade.hand_in(paid)
    await trade.settle(posted=1)
    await trade.hand_in(waiting)
    link = await leave(trade, child)
    assert set(list_steps(link).values()) == {DONE}
    assert {each.state for each in (await trade.home.list_charges()).values()} == {CrossChargeState.POSTED}
    for shop in (trade.home, trade.serving):
        (ticket,) = await shop.list_tickets()
        assert (ticket.state, ticket.left_nano) == (PlatformTicketState.CLOSED, 0)
        async with shop.town.storage.read() as view:
            assert not await view.settlements.list_unsigned(EVERYTHING, shop.town.id) or shop is not child
    await trade.check_equal()


async def test_where_the_parent_is_silent_its_part_stays_in_suspense(country: Country) -> None:
    trade, child = await open_both(country, is_child_home=True)
    record_id = trade.write_call()
    await trade.hand_in()
    country.cut(child.town)
    await leave_parent(child.town.control, child.admin.to_principal(), (await read_link(child)).id)
    link = await work(child, is_cut=True)
    assert list_steps(link)[StepName.CLOSE_PERIOD] is StepState.PENDING
    trade.clock.ahead += timedelta(seconds=DEPARTURE_WAIT_S + 1)
    link = await work(child, is_cut=True)
    steps = list_steps(link)
    assert [steps[name] for name in (StepName.CLOSE_PERIOD, StepName.RETURN_LEASES, StepName.END_GRANTS)] == [
        SUSPENSE,
        SUSPENSE,
        DONE,
    ]
    assert "1 periods are not signed for" in link.departure[0].detail
    assert "1 are asked back" in link.departure[1].detail
    # Nothing is given back by silence: what the parent may still spend is kept aside, and what it served waits.
    (ticket,) = await child.list_tickets()
    assert (ticket.state, ticket.returned_nano) == (PlatformTicketState.OPEN, 0)
    assert (await child.list_charges())[record_id].state is CrossChargeState.WAITING
    await trade.check_conserved()


async def return_credit(child: Shop) -> None:
    """Have a child that leaves return what it was lent, over a link that is cut, though the parent answers."""
    await leave_parent(child.town.control, child.admin.to_principal(), (await read_link(child)).id)
    await work(child)
    await child.look_after_tickets()
    (ticket,) = await child.list_tickets()
    assert ticket.state is PlatformTicketState.CLOSED


async def test_the_goodbye_is_not_said_before_home_has_what_was_returned(country: Country) -> None:
    trade, child = await open_both(country, is_child_home=False)
    country.cut(child.town)
    await return_credit(child)
    link = await work(child)
    assert (link.state, list_steps(link)[StepName.RETURN_LEASES]) == (LinkState.LEAVING, StepState.PENDING)
    country.connect(child.town)
    await leave(trade, child)
    (given,) = await trade.home.list_tickets()
    # It is asked for nothing more by the way that is being left.
    assert (given.state, given.returned_nano) == (PlatformTicketState.CLOSED, given.ceiling_nano)
    await trade.check_equal()


async def test_a_return_that_was_acknowledged_before_a_restart_is_not_waited_for(country: Country) -> None:
    _, child = await open_both(country, is_child_home=False)
    country.cut(child.town)
    await return_credit(child)
    link = await work(child)
    async with child.town.storage.write() as transaction:
        end = await transaction.outgoing_logs.get_end(EVERYTHING, link.id, LinkLog.LEDGER)
        assert end is not None
        await transaction.outgoing_logs.acknowledge(link.id, LinkLog.LEDGER, end.incarnation, end.sequence)
    assert list_steps(await work(child))[StepName.RETURN_LEASES] is DONE


async def test_a_return_that_a_silent_parent_never_acknowledges_stays_in_suspense(country: Country) -> None:
    trade, child = await open_both(country, is_child_home=False)
    country.cut(child.town)
    await return_credit(child)
    trade.clock.ahead += timedelta(seconds=DEPARTURE_WAIT_S + 1)
    link = await work(child, is_cut=True)
    assert list_steps(link)[StepName.RETURN_LEASES] is SUSPENSE
    assert "1 letters that it has not acknowledged" in link.departure[1].detail
