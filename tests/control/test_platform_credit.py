"""Credit between two platforms on two real SQLite files: leased, spent, owed, returned, and never freed by silence."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.admission import admit_organization, end_admission
from keisan.control.platform_credit import TERMS
from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.admission import Admission
from keisan.domain.entry import EntryKind
from keisan.domain.errors import InvalidInput, Refused
from keisan.domain.ids import PlatformId
from keisan.domain.letter import LetterKind
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import CreditSide, CrossChargeState, PlatformTicketState
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.ledger.audit import audit_ledger
from keisan.ledger.cross_usage import post_cross_calls
from keisan.ledger.journal import EntryDraft
from keisan.ledger.rule_platform_ticket import CrossCall, compute_free_at, count_aside_nano, find_broken
from keisan.wire.admission import AdmissionCreate
from tests.control.credit_pair import EVERYTHING, End, Pair, open_pair
from tests.factories import create_price
from tests.ledger.credit_world import Gateway, list_balances
from tests.ledger.intake_world import IntakeWorld

FILLED_NANO = 10**9
OPEN, RETURNING, CLOSED = PlatformTicketState
CALL_NANO = 15_000


@pytest.fixture
async def pair(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """Two platforms; the organization of one has money, and is admitted at the other."""
    async with open_pair(tmp_path, migrated_file, monkeypatch) as opened:
        await fill(opened, FILLED_NANO)
        body = AdmissionCreate(
            organization_id=opened.owner.id, platform_id=opened.world.platform.id, currency="CNY", policy=""
        )
        await admit_organization(opened.home.control, opened.admin, body)
        await opened.deliver()
        yield opened


async def fill(pair: Pair, amount_nano: int) -> None:
    outside = AccountKey(AccountKind.OUTSIDE, None, None, "CNY")
    wallet = AccountKey(AccountKind.WALLET, pair.owner.id, None, "CNY")
    draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, amount_nano)], pair.owner.id)
    async with pair.home.storage.write() as transaction:
        await pair.home.control.journal.write_entry(transaction, draft)


async def serve(pair: Pair, calls: int) -> list[str]:
    """Let a gateway of the serving platform answer calls of the guest, and hand in what it wrote."""
    gateway = Gateway(pair.world.gateway.id, IntakeWorld(pair.serving.storage, pair.clock, pair.world), skew_s=1)
    await gateway.exchange((pair.guest, calls * CALL_NANO))
    admitted = [gateway.begin_call(pair.guest, CALL_NANO) for _ in range(calls)]
    for _ in range(sum(admitted)):
        gateway.end_call(100)
    answers = await gateway.upload()
    await gateway.exchange(is_last=True)
    return answers


async def hand_over(pair: Pair) -> set[CrossChargeState]:
    """Tell home of all that was served, as settlement does, and return what became of it."""
    (ticket,) = await pair.serving.list_tickets()
    async with pair.serving.storage.read() as view:
        charges = (await view.cross_charges.list_ticket(EVERYTHING, ticket.id, PageRequest(limit=500))).items
        records = [await view.usage.get(EVERYTHING, each.record_id) for each in charges]
    calls = [
        CrossCall(
            record_id=charge.record_id,
            ticket_id=charge.ticket_id,
            organization_id=charge.organization_id,
            currency=charge.currency,
            price_id=ticket.prices[0].price_id,
            quantities=posted.record.quantities,
            amount_nano=charge.wholesale_nano,
            admitted_at=charge.admitted_at,
        )
        for charge, posted in zip(charges, records, strict=True)
    ]
    async with pair.home.storage.write() as transaction:
        found = await post_cross_calls(transaction, pair.home.control.journal, pair.world.platform.id, calls)
    return {each.state for each in found.values()}


async def check_books(pair: Pair) -> None:
    for end in (pair.home, pair.serving):
        async with end.storage.read() as view:
            assert (await audit_ledger(view, lambda _: None)).difference is None
        assert [find_broken(each) for each in await end.list_tickets()] == [""] * len(await end.list_tickets())


async def list_states(end: End) -> list[PlatformTicketState]:
    return [each.state for each in await end.list_tickets()]


async def test_admitted_organization_is_leased_credit_that_both_ends_keep(pair: Pair) -> None:
    (home,), (held,) = await pair.home.list_tickets(), await pair.serving.list_tickets()
    assert (home.id, home.side, held.side) == (held.id, CreditSide.HOME, CreditSide.SERVING)
    assert home.rate_ppm == 2_000_000
    assert home.ceiling_nano == held.ceiling_nano == FILLED_NANO // 2 // 8
    assert count_aside_nano(home) == FILLED_NANO // 8
    assert held.expires_at <= home.expires_at == pair.clock.now() + timedelta(hours=96)
    assert held.prices[0].price_id == pair.world.price.id
    assert held.prices[0].home_nano_per_million is None
    await check_books(pair)


async def test_what_a_guest_spends_is_owed_at_the_wholesale_price_and_paid_at_homes(pair: Pair) -> None:
    assert await serve(pair, 3) == ["created"] * 3
    assert (await list_balances(pair.serving.storage))[AccountKind.PLATFORM_RECEIVABLE] == -3 * CALL_NANO
    assert await hand_over(pair) == await hand_over(pair) == {CrossChargeState.POSTED}
    balances = await list_balances(pair.home.storage)
    assert balances[AccountKind.PLATFORM_PAYABLE] == 3 * CALL_NANO
    assert balances[AccountKind.WALLET] == FILLED_NANO - 6 * CALL_NANO
    assert balances[AccountKind.PLATFORM_REVENUE] + balances[AccountKind.TAX] == 3 * CALL_NANO
    (home,), (held,) = await pair.home.list_tickets(), await pair.serving.list_tickets()
    assert home.spent_nano == held.spent_nano == 3 * CALL_NANO
    await check_books(pair)


async def test_word_renews_the_lease_and_fills_it_up(pair: Pair) -> None:
    await serve(pair, 3)
    await hand_over(pair)
    before = (await pair.home.list_tickets())[0]
    pair.clock.instant += timedelta(seconds=TERMS.word_s)
    assert await pair.serving.work() == 1
    await pair.deliver()
    (home,), (held,) = await pair.home.list_tickets(), await pair.serving.list_tickets()
    assert home.ceiling_nano == held.ceiling_nano > before.ceiling_nano
    assert held.expires_at == home.expires_at == pair.clock.now() + timedelta(hours=96)
    assert held.heard_at == pair.clock.now()


async def test_cut_platform_serves_on_within_its_credit_and_nothing_is_freed_by_silence(pair: Pair) -> None:
    aside_nano = count_aside_nano((await pair.home.list_tickets())[0])
    for hours in (72, 20):
        pair.clock.instant += timedelta(hours=hours)
        assert await serve(pair, 2) == ["created"] * 2
        await pair.serving.work()
        await pair.home.work()
        assert count_aside_nano((await pair.home.list_tickets())[0]) == aside_nano
    pair.clock.instant += timedelta(hours=5)
    assert await serve(pair, 1) == [], "its lease is over"
    await pair.serving.work()
    assert await list_states(pair.serving) == [CLOSED]
    await pair.home.work()
    assert count_aside_nano((await pair.home.list_tickets())[0]) == aside_nano, "the return has not come"
    assert await hand_over(pair) == {CrossChargeState.POSTED}
    await pair.deliver()
    first = (await pair.home.list_tickets())[0]
    assert (first.state, first.spent_nano, first.left_nano) == (CLOSED, 4 * CALL_NANO, 0)
    assert await list_states(pair.serving) == [CLOSED, OPEN], "it is leased anew once the link is up"
    await check_books(pair)


async def test_records_that_come_before_the_window_is_over_are_paid_and_later_ones_are_not(pair: Pair) -> None:
    await serve(pair, 1)
    ticket = (await pair.home.list_tickets())[0]
    pair.clock.instant = compute_free_at(ticket, TERMS) - timedelta(seconds=1)
    await pair.home.work()
    assert await list_states(pair.home) == [OPEN]
    pair.clock.instant += timedelta(seconds=1)
    for _ in range(2):
        await pair.home.work()
        pair.clock.instant += timedelta(days=1)
    assert await list_states(pair.home) == [CLOSED]
    assert await hand_over(pair) == {CrossChargeState.SUSPENDED}
    assert (await list_balances(pair.home.storage))[AccountKind.WALLET] == FILLED_NANO
    assert (await list_balances(pair.home.storage))[AccountKind.PLATFORM_PAYABLE] == 0
    await check_books(pair)


async def test_return_that_comes_before_its_records_leaves_them_set_aside(pair: Pair) -> None:
    await serve(pair, 2)
    (admission,) = await list_admissions(pair)
    await end_admission(pair.home.control, pair.admin, admission.id, admission.version)
    await pair.deliver()
    assert await list_states(pair.serving) == [RETURNING]
    pair.clock.instant += timedelta(seconds=TERMS.hurry_s)
    await pair.serving.work()
    assert await list_states(pair.serving) == [CLOSED]
    await pair.deliver()
    await pair.deliver()
    (home,) = await pair.home.list_tickets()
    assert (home.state, home.left_nano) == (RETURNING, 2 * CALL_NANO)
    assert await hand_over(pair) == {CrossChargeState.POSTED}
    pair.clock.instant += timedelta(days=1)
    await pair.home.work()
    assert await list_states(pair.home) == [CLOSED]
    assert (await list_balances(pair.home.storage))[AccountKind.WALLET] == FILLED_NANO - 4 * CALL_NANO
    await check_books(pair)


async def list_admissions(pair: Pair) -> list[Admission]:
    async with pair.home.storage.read() as view:
        return list(await view.admissions.list_in_force(EVERYTHING, pair.owner.id))


async def test_other_price_of_the_serving_platform_comes_with_another_ticket(pair: Pair) -> None:
    dearer = {TokenClass.INPUT: 2_000 * 10**6, TokenClass.OUTPUT: 2_000 * 10**6}
    async with pair.serving.storage.write() as transaction:
        price = create_price(pair.world.model, version=2)
        await transaction.prices.insert(replace(price, nano_per_million=dearer))
    for _ in range(2):
        pair.clock.instant += timedelta(seconds=TERMS.hurry_s)
        await pair.serving.work()
    await pair.deliver()
    assert await list_states(pair.home) == await list_states(pair.serving) == [CLOSED, OPEN]
    assert (await pair.serving.list_tickets())[1].prices[0].nano_per_million == dearer
    assert (await pair.home.list_tickets())[1].rate_ppm == 1_500_000


async def test_letters_that_cannot_be_are_refused_and_change_nothing(pair: Pair) -> None:
    lease = next(each for each in await pair.home.list_registers() if each.kind == LetterKind.CREDIT)
    word = next(each for each in await pair.serving.list_registers() if each.kind == LetterKind.CREDIT)
    before = await pair.home.list_tickets(), await pair.serving.list_tickets()
    stranger = replace(word, body=word.body.replace(str(pair.owner.id).encode(), str(create_id()).encode()), version=90)
    with pytest.raises(Refused):
        await pair.home.take(stranger)
    for letter, end in [
        (replace(word, audience=None, version=91), pair.home),
        (replace(lease, author=PlatformId("cd" * 32), version=92), pair.serving),
        (replace(lease, body=b"{}", version=93), pair.serving),
    ]:
        with pytest.raises(InvalidInput):
            await end.take(letter)
    with pytest.raises(Refused):
        await pair.home.take(replace(word, author=PlatformId("cd" * 32), version=94))
    await pair.serving.take(replace(lease, is_deleted=True, version=95))
    assert (await pair.home.list_tickets(), await pair.serving.list_tickets()) == before
