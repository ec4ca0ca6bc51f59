"""Money over real links: what one town serves another's customer is posted at both ends once, whatever the link and disks did."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.letter_handler import deliver_items
from keisan.domain.account import AccountKind
from keisan.domain.cross_record import CrossState
from keisan.domain.letter import Arrival
from keisan.domain.limits import PLATFORM_LATENESS_S, PLATFORM_LEASE_S, PLATFORM_SKEW_S
from keisan.domain.link import LinkState
from keisan.domain.link_log import LinkLog
from keisan.domain.platform_ticket import CrossChargeState, PlatformTicketState
from keisan.kit.ids import create_id
from keisan.storage.sqlite import open_sqlite
from keisan.wire.letter import decode_letter
from tests.control.money_world import (
    EVERYTHING,
    FILLED_NANO,
    MovedClock,
    Trade,
    open_shop,
    open_trade,
    price_call,
)
from tests.control.town import Country


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file, MovedClock())
    yield made
    await made.end()


@pytest.fixture
async def trade(country: Country) -> Trade:
    """A nation with a customer, and its province that serves."""
    nation, province = [await country.found(name) for name in ("cn", "sx")]
    await country.join(province, nation)
    home, serving = await open_shop(nation, 2), await open_shop(province)
    country.connect(province)
    return await open_trade(country, home, serving)


async def test_a_call_is_paid_once_at_both_ends(trade: Trade) -> None:
    for _ in range(3):
        trade.write_call()
    await trade.hand_in()
    # Both gateways lose the answer, and hand in all of it again.
    await trade.hand_in()
    await trade.settle(posted=3)
    await trade.check_equal()
    balances = await trade.home.sum_balances()
    assert balances[AccountKind.PLATFORM_PAYABLE] == 3 * price_call(trade.serving)
    assert balances[AccountKind.WALLET] == FILLED_NANO - 3 * price_call(trade.home)


async def test_a_cut_of_72_hours_loses_nothing_and_the_customer_is_served_on(trade: Trade) -> None:
    trade.country.cut(trade.serving.town)
    for _ in range(4):
        trade.write_call()
        await trade.hand_in()
        for shop in (trade.home, trade.serving):
            await shop.settle()
            await shop.look_after_tickets()
        trade.clock.ahead += timedelta(hours=18)
        # Home's word alone moves nothing; what waits is told apart.
        await trade.check_conserved()
    assert {each.state for each in (await trade.home.list_charges()).values()} == {CrossChargeState.WAITING}
    (ticket,) = await trade.home.list_tickets()
    assert ticket.waiting_nano == 4 * price_call(trade.serving)
    assert (await trade.home.sum_balances())[AccountKind.WALLET] == FILLED_NANO
    trade.country.connect(trade.serving.town)
    await trade.settle(posted=4)
    await trade.check_equal()
    assert (await trade.home.list_tickets())[0].waiting_nano == 0


async def test_home_s_word_alone_is_voided_when_the_window_closes(trade: Trade) -> None:
    record_id = trade.write_call()
    assert await trade.home.hand_in(trade.lines[record_id][0]) == ["created"]
    trade.country.cut(trade.serving.town)
    await trade.home.settle()
    trade.clock.ahead += timedelta(seconds=PLATFORM_LEASE_S + PLATFORM_LATENESS_S)
    await trade.home.look_after_tickets()
    assert (await trade.home.list_charges())[record_id].state is CrossChargeState.WAITING
    trade.clock.ahead += timedelta(seconds=PLATFORM_SKEW_S + 60)
    await trade.home.look_after_tickets()
    (voided,) = (await trade.home.list_charges()).values()
    assert (voided.state, voided.charged_nano) == (CrossChargeState.VOIDED, 0)
    (ticket,) = await trade.home.list_tickets()
    assert (ticket.state, ticket.waiting_nano) == (PlatformTicketState.CLOSED, 0)
    # What the serving platform says now is its own risk.
    assert await trade.serving.hand_in(trade.lines[record_id][1]) == ["created late"]
    await trade.check_conserved()
    assert (await trade.home.sum_balances())[AccountKind.WALLET] == FILLED_NANO


async def test_what_comes_after_the_ticket_s_end_is_suspended_and_nobody_pays(trade: Trade) -> None:
    record_id = trade.write_call()
    assert await trade.serving.hand_in(trade.lines[record_id][1]) == ["created"]
    trade.country.cut(trade.serving.town)
    await trade.serving.settle()
    trade.clock.ahead += timedelta(seconds=PLATFORM_LEASE_S + PLATFORM_LATENESS_S + PLATFORM_SKEW_S + 60)
    await trade.home.look_after_tickets()
    trade.country.connect(trade.serving.town)
    await trade.wait_told()
    charges = await trade.home.list_charges()
    assert (charges[record_id].state, charges[record_id].code) == (CrossChargeState.SUSPENDED, "closed_ticket")
    async with trade.home.town.storage.read() as view:
        (kept,) = await view.cross_records.list_ends(EVERYTHING, [record_id])
    assert (kept.state, kept.code) == (CrossState.SUSPENDED, "closed_ticket")
    await trade.check_conserved()
    assert (await trade.home.sum_balances())[AccountKind.WALLET] == FILLED_NANO


async def test_a_revoked_platform_is_paid_for_what_it_served_before_and_not_after(trade: Trade) -> None:
    before = trade.write_call()
    trade.clock.ahead += timedelta(hours=1)
    after = trade.write_call()
    await trade.hand_in()
    serving = trade.serving.town
    trade.country.cut(serving)
    await trade.serving.settle()
    async with serving.storage.read() as view:
        (link,) = await view.links.list_states(EVERYTHING, LinkState)
        sent = await view.outgoing_logs.read(EVERYTHING, link.id, LinkLog.LEDGER, 0, 10**6)
    async with trade.home.town.storage.write() as transaction:
        (link,) = await transaction.links.list_states(EVERYTHING, LinkState)
        ended_at = trade.country.clock.now() - timedelta(minutes=30)
        await transaction.links.update(
            replace(link, state=LinkState.REVOKED, ended_at=ended_at, version=link.version + 1)
        )
        # Its letters come by another way, as those of whoever is cut off do.
        letters = [decode_letter(each.letter) for each in sent]
        arrival = Arrival(link.id, serving.id, ended_at)
        await deliver_items(transaction, trade.home.town.control, arrival, LinkLog.LEDGER, letters)
    charges = await trade.home.list_charges()
    assert [charges[each].state for each in (before, after)] == [CrossChargeState.POSTED, CrossChargeState.SUSPENDED]
    assert charges[after].code == "revoked_platform"
    await trade.check_conserved()


async def test_what_home_saw_otherwise_is_disputed_and_moves_nothing(trade: Trade) -> None:
    record_id = trade.write_call()
    ours, theirs = [json.loads(line) for line in trade.lines[record_id]]
    trade.lines[record_id] = json.dumps(ours | {"response_bytes": 3}).encode(), json.dumps(theirs).encode()
    other = trade.write_call()
    await trade.hand_in()
    await trade.settle(posted=1)
    charges = await trade.home.list_charges()
    assert (charges[record_id].state, charges[record_id].code) == (CrossChargeState.SUSPENDED, "disputed")
    assert charges[other].state is CrossChargeState.POSTED
    await trade.check_conserved()


async def test_a_guest_that_shows_its_key_elsewhere_pays_home_as_well(trade: Trade) -> None:
    record_id = trade.write_call()
    line = json.loads(trade.lines[record_id][1])
    key = trade.home.key
    shown = {"project_id": str(key.project_id), "key_id": str(key.id), "crossing": None}
    assert await trade.serving.hand_in(json.dumps(line | shown).encode()) == ["created"]
    await trade.settle(posted=1)
    await trade.check_equal()


async def test_who_is_no_guest_or_comes_from_elsewhere_is_refused(trade: Trade) -> None:
    line = json.loads(trade.lines[trade.write_call()][1])
    crossing = line["crossing"]
    wrong = [
        ({"organization_id": str(create_id())}, "unknown_key"),
        ({"organization_id": str(trade.serving.customer.id)}, "unknown_key"),
        ({"crossing": None}, "unknown_key"),
        ({"crossing": crossing | {"home_platform_id": "cd" * 32}}, "wrong_crossing"),
        ({"crossing": crossing | {"serving_platform_id": "cd" * 32}}, "wrong_crossing"),
        ({"project_id": str(trade.home.key.project_id)}, "unknown_key"),
    ]
    for changes, code in wrong:
        assert await trade.serving.hand_in(json.dumps(line | changes).encode()) == [f"refused {code}"], changes
    other = json.dumps(line | {"crossing": crossing | {"ticket_id": str(create_id())}}).encode()
    # It was served: this platform has the cost, and no ticket pays.
    assert await trade.serving.hand_in(other) == ["created unfunded"]
    assert not await trade.serving.list_charges()
    await trade.check_conserved()


async def test_a_home_whose_disk_was_set_back_is_told_again_and_pays_once(trade: Trade, tmp_path: Path) -> None:
    trade.write_call()
    await trade.hand_in()
    await trade.settle(posted=1)
    home, old = trade.home.town, tmp_path / "old.db"
    async with home.storage.write():
        for ending in ("", "-wal"):
            shutil.copyfile(tmp_path / f"cn.db{ending}", f"{old}{ending}")
    later = [trade.write_call() for _ in range(2)]
    await trade.hand_in()
    await trade.settle(posted=3)
    trade.country.cut(trade.serving.town)
    await trade.country.shut(home)
    trade.country.replace_storage(home, open_sqlite(old, home.control.clock))
    assert len(await trade.home.list_charges()) == 1
    trade.country.connect(trade.serving.town)
    await trade.settle(posted=3)
    assert set(later) <= set(await trade.home.list_charges())
    await trade.check_equal()
