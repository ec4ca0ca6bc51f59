"""Calls that cross platforms, in small: home leases credit, the other serves and tells, home judges. The rules are the product's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec

from keisan.domain.cross_record import CrossState, CrossUsage, LeafMark, RecordEnd, name_settlement
from keisan.domain.ids import ModelId, OrganizationId, PriceId, RecordId, TicketId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.limits import CROSS_LATENESS_S_MAX
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossCharge,
    CrossChargeCode,
    CrossChargeState,
    PinnedPrice,
    PlatformCreditTerms,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import TokenClass
from keisan.domain.usage import RECORD_ID_RANDOM_BITS, CallOutcome, UsageSource
from keisan.federation import rule_match, rule_settlement
from keisan.ledger import rule_platform_ticket
from tests.simulation.federation.counter import State

if TYPE_CHECKING:
    from keisan.control.context import Control
    from keisan.control.office import Office
    from keisan.storage.base import Transaction
    from tests.simulation.federation.disk import MemoryTransaction, Tables
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

CURRENCY = "CNY"
WALLET_NANO = 4_000
LEASE_NANO = 500
# A lease ends within a schedule; what home must wait beyond that does not.
TERMS = PlatformCreditTerms(lease_s=5, lateness_s=7_200, skew_s=60)
PRICES = {TokenClass.OUTPUT: 1_000_000}
MATCH_TERMS = rule_match.MatchTerms(PRICES, template_tokens_max=10, output_tokens_max=1_000)
PRICE_ID, MODEL_ID = PriceId(UUID(int=1)), ModelId(UUID(int=2))
CALLS_PER_PAIR = 8
LIAR_CHANCE, LATE_CHANCE, REGION_CHANCE = 0.08, 0.05, 0.2
FORGOTTEN_CODES = frozenset({CrossChargeCode.SPENT_TICKET, CrossChargeCode.UNKNOWN_TICKET})
FALSE_REGION = "JP-13"

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(CrossUsage).decode


@dataclass(frozen=True, slots=True)
class Judged:
    """What home holds of a record. `revoked_at_ms` is since when its author was revoked, as home knew when it judged."""

    usage: CrossUsage
    leaf_hash: bytes
    state: CrossState
    charge: CrossChargeState
    code: str
    revoked_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two platforms, one of which serves the other's organization under one ticket."""

    home: SimulatedPlatform
    serving: SimulatedPlatform
    ticket_id: TicketId
    organization_id: OrganizationId


class Market:
    """The pairs of one schedule, and what was truly done, by record."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pairs: list[Pair] = []
        self.truth: dict[RecordId, CrossUsage] = {}
        self.liars: set[RecordId] = set()
        self.late: set[RecordId] = set()

    def open(self, end_ms: int) -> None:
        """Plan some pairs, their leases and their calls."""
        chance, kernel = self.world.kernel.random, self.world.kernel
        for number in range(2):
            home, serving = chance.sample(self.world.platforms, 2)
            if not number:
                # One is a parent that may revoke its child.
                child, parent = chance.choice(self.world.tree.list_pairs())
                home, serving = self.world.platforms[parent], self.world.platforms[child]
            ids = kernel.create_id(), kernel.create_id()
            pair = Pair(home, serving, TicketId(ids[0]), OrganizationId(ids[1]))
            self.pairs.append(pair)
            for at_ms in (300, end_ms // 3, 2 * end_ms // 3):
                kernel.call_in(at_ms + chance.randint(0, 200), lambda pair=pair: self._lease(pair))  # type: ignore[misc]  # bound now
            for _ in range(CALLS_PER_PAIR):
                kernel.call_in(chance.randint(1_000, end_ms), lambda pair=pair: self.serve(pair))  # type: ignore[misc]  # bound now
            for _ in range(3):
                kernel.call_in(chance.randint(1_000, end_ms), lambda pair=pair: self._close(pair))  # type: ignore[misc]  # bound now
            kernel.call_in(chance.randint(1_000, end_ms), lambda pair=pair: self._tell_total(pair))  # type: ignore[misc]  # bound now

    # At home.

    def _lease(self, pair: Pair) -> None:
        """Lease more, as far as the wallet goes, and tell the serving platform in the same transaction."""
        if not pair.home.is_up:
            return

        async def write(transaction: MemoryTransaction) -> None:
            now = pair.home.clock.now()
            ticket = find_ticket(transaction.tables, pair.ticket_id) or build_ticket(pair, CreditSide.HOME)
            if ticket.state is PlatformTicketState.CLOSED or sum_money(transaction.tables, pair).free_nano < LEASE_NANO:
                return
            ends_at = now + timedelta(seconds=TERMS.lease_s)
            ticket = replace(
                ticket, ceiling_nano=ticket.ceiling_nano + LEASE_NANO, expires_at=ends_at, number=ticket.number + 1
            )
            transaction.notes["ticket", pair.ticket_id] = ticket
            body = _encode({"ticket_id": pair.ticket_id, "ceiling_nano": ticket.ceiling_nano, "number": ticket.number})
            await pair.home.put(transaction, LetterKind.CREDIT, str(pair.ticket_id), body, pair.serving.id)

        pair.home.transact(write)

    def _close(self, pair: Pair) -> None:
        """Close the ticket if its time is over for home: what is not returned or told by then is free again."""

        async def write(transaction: MemoryTransaction) -> None:
            ticket = find_ticket(transaction.tables, pair.ticket_id)
            if ticket is not None and rule_platform_ticket.is_ended_by_time(ticket, pair.home.clock.now(), TERMS):
                closed = rule_platform_ticket.close_platform_ticket(ticket, pair.home.clock.now())
                transaction.notes["ticket", pair.ticket_id] = closed

        if pair.home.is_up:
            pair.home.transact(write)

    # Where it is served.

    def serve(self, pair: Pair) -> None:
        """Serve a call if the lease has room for it, and tell home."""
        if not pair.serving.is_up:
            return
        usage = self._draw_usage(pair)
        self.truth[usage.record_id] = usage
        if self.world.kernel.random.random() < LIAR_CHANCE:
            self.liars.add(usage.record_id)
            tokens = usage.response_bytes + 1
            usage = replace(usage, quantities={TokenClass.OUTPUT: tokens}, amount_nano=tokens)

        async def write(transaction: MemoryTransaction) -> None:
            ticket = find_ticket(transaction.tables, pair.ticket_id)
            now = pair.serving.clock.now()
            if ticket is None or rule_platform_ticket.count_leasable_nano(ticket, now) < usage.amount_nano:
                self.world.tally.states[State.LEASE_USED_UP] += ticket is not None
                return
            transaction.notes["ticket", pair.ticket_id] = replace(
                ticket, spent_nano=ticket.spent_nano + usage.amount_nano
            )
            body = _encode(usage)
            transaction.notes["made", usage.record_id] = LeafMark(usage.record_id, sha256(body).digest())
            await pair.serving.send_one(transaction, LetterKind.USAGE, pair.home.id, body)

        pair.serving.transact(write)

    def _draw_usage(self, pair: Pair) -> CrossUsage:
        chance = self.world.kernel.random
        now_ms = pair.serving.clock.now_ms
        is_late = chance.random() < LATE_CHANCE
        admitted_at_ms = now_ms - (CROSS_LATENESS_S_MAX + 60) * 1000 if is_late else now_ms
        record_id = RecordId(UUID(int=(admitted_at_ms << RECORD_ID_RANDOM_BITS) | chance.getrandbits(62)))
        if is_late:
            self.late.add(record_id)
        tokens = chance.randint(20, 200)
        return CrossUsage(
            end=RecordEnd.SERVING,
            record_id=record_id,
            home_id=pair.home.id,
            serving_id=pair.serving.id,
            organization_id=pair.organization_id,
            ticket_id=pair.ticket_id,
            model="m",
            model_digest="d",
            price_id=PRICE_ID,
            currency=CURRENCY,
            region="",
            chip="",
            admitted_at_ms=admitted_at_ms,
            outcome=CallOutcome.COMPLETED,
            http_status=200,
            usage_source=UsageSource.ENGINE,
            quantities={TokenClass.OUTPUT: tokens},
            amount_nano=tokens,
            request_bytes=50,
            response_bytes=tokens * 4,
            event_count=tokens,
            max_tokens=1_000,
        )

    def _tell_total(self, pair: Pair) -> None:
        """Tell a total of the own region, or falsely of another."""
        chance = self.world.kernel.random
        region = self.world.name_region(pair.serving.number)
        told = FALSE_REGION if region and chance.random() < REGION_CHANCE else region

        async def write(transaction: MemoryTransaction) -> None:
            await pair.serving.send_one(transaction, LetterKind.TOTALS, pair.home.id, _encode({"region": told}))

        if pair.serving.is_up:
            pair.serving.transact(write)

    # What must hold at the end.

    def list_problems(self) -> list[str]:
        """Return what is wrong with the books of a pair."""
        return [problem for pair in self.pairs for problem in self._check_pair(pair)]

    def _check_pair(self, pair: Pair) -> list[str]:
        name = f"{pair.home.number} and {pair.serving.number}"
        home, serving = pair.home.disk.tables, pair.serving.disk.tables
        judged = {each.usage.record_id: each for each in list_judged(home, pair)}
        made = self._list_made(serving, pair)
        problems = [problem for each in judged.values() for problem in self._check_record(each)]
        if judged.keys() == made.keys():
            marks = [LeafMark(each.usage.record_id, each.leaf_hash) for each in judged.values()]
            # As a disk gives them that nobody asked for an order: by nothing that the other end goes by.
            own = sorted(made.values(), key=lambda mark: mark.leaf_hash)
            if rule_settlement.compute_leaves_root(marks) != rule_settlement.compute_leaves_root(own):
                problems.append(f"{name} have the same records, and not the same root")
        money = sum_money(home, pair)
        if money.total_nano != WALLET_NANO or min(money.free_nano, money.leased_nano, money.suspense_nano) < 0:
            problems.append(f"credit of {name} is not conserved: {money}")
        for key, value in home.notes.items():
            if isinstance(key, tuple) and key[0] == "total":
                region, vouched = cast("tuple[str, str | None]", value)
                if vouched is not None and region != vouched:
                    problems.append(f"{name}: a total of {region} is kept from a platform of {vouched}")
        return problems

    def _list_made(self, tables: Tables, pair: Pair) -> dict[RecordId, LeafMark]:
        """Return the leaves of what was served under a pair's ticket, in the order in which it was."""
        notes = tables.notes.items()
        found = [cast("LeafMark", each) for key, each in notes if isinstance(key, tuple) and key[0] == "made"]
        ids = {RecordId(mark.leaf_id): mark for mark in found}
        return {each: mark for each, mark in ids.items() if self.truth[each].ticket_id == pair.ticket_id}

    def _check_record(self, judged: Judged) -> list[str]:
        usage = judged.usage
        is_late = usage.record_id in self.late
        is_revoked = judged.revoked_at_ms is not None and usage.admitted_at_ms >= judged.revoked_at_ms
        expected = CrossState.SETTLED
        if is_late or is_revoked:
            expected = CrossState.SUSPENDED
        elif usage.record_id in self.liars:
            expected = CrossState.DISPUTED
        if judged.state is not expected:
            return [f"record {usage.record_id} is {judged.state} ({judged.code}), and must be {expected}"]
        # A disk that was restored has forgotten for a while what it had leased, or what it had served.
        is_forgotten = judged.code in FORGOTTEN_CODES and self.world.rolled_back & self._list_numbers(usage)
        if expected is CrossState.SETTLED and judged.charge is not CrossChargeState.POSTED and not is_forgotten:
            return [f"record {usage.record_id} was served under its ticket, and is {judged.charge} ({judged.code})"]
        return []

    def _list_numbers(self, usage: CrossUsage) -> set[int]:
        return {self.world.numbers[usage.home_id], self.world.numbers[usage.serving_id]}


def find_ticket(tables: Tables, ticket_id: TicketId) -> PlatformTicket | None:
    """Return a ticket as a platform has it."""
    return cast("PlatformTicket | None", tables.notes.get(("ticket", ticket_id)))


def list_judged(tables: Tables, pair: Pair) -> list[Judged]:
    """Return what home holds of the records of one pair, in the order in which they came."""
    found = [value for key, value in tables.notes.items() if isinstance(key, tuple) and key[0] == "judged"]
    return [each for each in cast("list[Judged]", found) if each.usage.ticket_id == pair.ticket_id]


def sum_money(tables: Tables, pair: Pair) -> rule_platform_ticket.CreditSum:
    """Return where the wallet's money is."""
    ticket = find_ticket(tables, pair.ticket_id)
    spent_nano = ticket.charged_nano if ticket else 0
    return rule_platform_ticket.sum_credit(WALLET_NANO - spent_nano, 0, [ticket] if ticket else [], spent_nano)


def build_ticket(pair: Pair, side: CreditSide) -> PlatformTicket:
    """Return a ticket under which nothing is leased yet."""
    own, other = (pair.home, pair.serving) if side is CreditSide.HOME else (pair.serving, pair.home)
    now = own.clock.now()
    return PlatformTicket(
        id=pair.ticket_id,
        platform_id=own.id,
        counterparty_id=other.id,
        side=side,
        organization_id=pair.organization_id,
        currency=CURRENCY,
        state=PlatformTicketState.OPEN,
        policy="",
        prices=(PinnedPrice(MODEL_ID, "m", PRICE_ID, PRICES, PRICES),),
        rate_ppm=1_000_000,
        epoch=1,
        number=0,
        ceiling_nano=0,
        returned_nano=0,
        spent_nano=0,
        waiting_nano=0,
        charged_nano=0,
        lease_s=TERMS.lease_s,
        expires_at=now,
        heard_at=now,
        created_at=now,
    )


async def apply_usage(transaction: Transaction, office: Office, arrival: Arrival, letter: Letter) -> None:
    """Judge a record of the serving platform and charge it, once."""
    memory = cast("MemoryTransaction", transaction)
    try:
        usage = _decode(letter.body)
    except msgspec.MsgspecError:
        return
    if ("judged", usage.record_id) in memory.notes:
        return
    revoked_at_ms = office.book.find_revocation(letter)
    facts = rule_settlement.BatchFacts(
        period=name_settlement(usage.admitted_at_ms),
        made_at_ms=letter.made_at_ms,
        is_countersigned=False,
        standing=rule_settlement.Standing(None, revoked_at_ms),
    )
    truth = memory.world.market.truth[usage.record_id]
    differences = rule_match.match_ends(replace(truth, end=RecordEnd.HOME), usage, MATCH_TERMS)
    state, code = rule_settlement.decide_state(rule_settlement.judge_record(usage, facts), differences)
    charge = _charge(memory, usage, letter, state)
    memory.world.tally.states[State.DISPUTE] += state is CrossState.DISPUTED
    memory.world.tally.states[State.SUSPENSE] += CrossChargeState.SUSPENDED is charge.state
    memory.world.tally.states[State.LATE_RECORD] += code == rule_settlement.HoldCode.LATE
    leaf_hash = sha256(letter.body).digest()
    code = code or charge.code
    memory.notes["judged", usage.record_id] = Judged(usage, leaf_hash, state, charge.state, code, revoked_at_ms)


def _charge(transaction: MemoryTransaction, usage: CrossUsage, letter: Letter, state: CrossState) -> CrossCharge:
    """Return what a record moves at home; one that is not settled moves nothing."""
    call = rule_platform_ticket.CrossCall(
        usage.record_id,
        usage.ticket_id,
        usage.organization_id,
        usage.currency,
        usage.price_id,
        usage.quantities,
        usage.amount_nano,
        transaction.clock.now(),
    )
    ticket = find_ticket(transaction.tables, usage.ticket_id)
    draft = CrossCharge(
        usage.record_id,
        usage.ticket_id,
        usage.home_id,
        usage.serving_id,
        usage.organization_id,
        usage.currency,
        CrossChargeState.WAITING,
        CrossChargeCode.NONE,
        0,
        0,
        0,
        call.admitted_at,
        call.admitted_at,
    )
    code = rule_platform_ticket.refuse_call(ticket, call, letter.author)
    if ticket is None or code is not CrossChargeCode.NONE or state is not CrossState.SETTLED:
        return rule_platform_ticket.suspend_charge(draft, code)
    charge = rule_platform_ticket.charge_call(ticket, call, 0, draft)
    transaction.notes["ticket", ticket.id] = rule_platform_ticket.apply_charge(ticket, charge, None)
    return charge


async def regain_usage(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Take that this platform served a call that it had forgotten: its part of the ticket is spent."""
    memory = cast("MemoryTransaction", transaction)
    try:
        usage = _decode(letter.body)
    except msgspec.MsgspecError:
        return
    ticket = find_ticket(memory.tables, usage.ticket_id)
    if ("made", usage.record_id) not in memory.notes and ticket is not None:
        memory.notes["ticket", ticket.id] = replace(ticket, spent_nano=ticket.spent_nano + usage.amount_nano)
    memory.notes["made", usage.record_id] = LeafMark(usage.record_id, sha256(letter.body).digest())


class _Credit(msgspec.Struct, frozen=True):
    ticket_id: UUID
    ceiling_nano: int
    number: int


_decode_credit = msgspec.json.Decoder(_Credit).decode


async def apply_credit(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Take what home has leased: a ceiling only grows, and a lease is reckoned from its arrival."""
    memory = cast("MemoryTransaction", transaction)
    pair, credit = _find_pair(memory, letter)
    if pair is None or credit is None:
        return
    is_home = pair.home.id == control.platform_id
    side = CreditSide.HOME if is_home else CreditSide.SERVING
    ticket = find_ticket(memory.tables, pair.ticket_id) or build_ticket(pair, side)
    ends_at = memory.clock.now() + timedelta(seconds=TERMS.lease_s)
    memory.notes["ticket", pair.ticket_id] = replace(
        ticket,
        ceiling_nano=max(ticket.ceiling_nano, credit.ceiling_nano),
        number=max(ticket.number, credit.number),
        expires_at=max(ticket.expires_at, ends_at),
    )


def _find_pair(transaction: MemoryTransaction, letter: Letter) -> tuple[Pair | None, _Credit | None]:
    try:
        credit = _decode_credit(letter.body)
    except msgspec.MsgspecError:
        # A register of the plain load.
        return None, None
    pairs = transaction.world.market.pairs
    return next((each for each in pairs if each.ticket_id == credit.ticket_id), None), credit


async def apply_total(transaction: Transaction, office: Office, arrival: Arrival, letter: Letter) -> None:
    """Keep a total under the region that is vouched for, whatever it says."""
    memory = cast("MemoryTransaction", transaction)
    told = msgspec.json.decode(letter.body)["region"]
    known = office.book.find(letter.author)
    vouched = known.region if known is not None and known.region else None
    region = rule_settlement.choose_region(vouched, told)
    memory.world.tally.states[State.FALSE_REGION] += told == FALSE_REGION
    memory.notes["total", letter.id] = (region, vouched)
