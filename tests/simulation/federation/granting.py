"""Grants over links: a parent wants, its child issues, both reckon time by clocks of their own. The rules are the product's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec

from keisan.control.fence import tell_epoch
from keisan.domain.grant import (
    HOLDING_STATES,
    Grant,
    GrantScope,
    GrantState,
    OnExpiry,
    WantArrival,
    WantWord,
)
from keisan.domain.ids import DeviceId, GrantId, GrantWantId, PlatformId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.federation import rule_grant
from keisan.federation.grant_book import BookDevice, open_book
from keisan.federation.grant_desk import GrantDesk, build_answer, follow_want
from tests.simulation.federation.counter import State

if TYPE_CHECKING:
    from keisan.control.context import Control
    from keisan.storage.base import Transaction
    from tests.simulation.federation.disk import MemoryTransaction, Tables
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

DURATION_S = 6
# A bound that a schedule can reach; clocks that jump further are told by the offset that the link measures.
SKEW = timedelta(seconds=1)
ASKS, LOOKS = 6, 8
REGISTER = "grant"
DEVICES = tuple(BookDevice(DeviceId(UUID(int=each)), "chip", is_usable=True, is_busy=False) for each in range(1, 4))


class Answer(msgspec.Struct, frozen=True):
    """What a child says of a want."""

    want_id: UUID
    epoch: int
    number: int
    renewal: int
    state: GrantState


@dataclass(frozen=True, slots=True)
class Want:
    """As a parent keeps it: `sendings` tells when each word was sent, by its clock, and how far the child's was ahead then."""

    id: GrantWantId
    epoch: int
    renewal: int
    scope: GrantScope
    sendings: tuple[tuple[int, datetime, int | None], ...] = ()
    answer: Answer | None = None


_read_word = msgspec.json.Decoder(WantWord).decode
_read_answer = msgspec.json.Decoder(Answer).decode


class Granting:
    """The wants of one schedule: of some parents, of one child each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pairs: list[tuple[SimulatedPlatform, SimulatedPlatform]] = []
        self.problems: list[str] = []

    def open(self, end_ms: int) -> None:
        """Plan some wants, their renewals, and looks at whether work may begin."""
        chance, kernel = self.world.kernel.random, self.world.kernel
        for child, parent in chance.sample(self.world.tree.list_pairs(), min(2, self.world.tree.size - 1)):
            below, above = self.world.platforms[child], self.world.platforms[parent]
            if any(below in pair for pair in self.pairs):
                continue
            self.pairs.append((below, above))
            for _ in range(ASKS):
                kernel.call_in(chance.randint(500, end_ms), lambda pair=(below, above): self.ask(*pair))  # type: ignore[misc]  # bound now
            for _ in range(LOOKS):
                kernel.call_in(chance.randint(1_000, end_ms), lambda pair=(below, above): self._look(*pair))  # type: ignore[misc]  # bound now

    def ask_all(self) -> None:
        """Have every parent ask once more."""
        for below, above in self.pairs:
            self.ask(below, above)

    def ask(self, child: SimulatedPlatform, parent: SimulatedPlatform) -> None:
        """Ask, for the first time or anew."""
        if not parent.is_up or child.number not in parent.links:
            return

        async def write(transaction: MemoryTransaction) -> None:
            await self._write_want(transaction, child, parent)

        parent.transact(write)

    async def _write_want(
        self, transaction: MemoryTransaction, child: SimulatedPlatform, parent: SimulatedPlatform
    ) -> None:
        link = parent.links.get(child.number)
        if link is None:
            return
        want = find_want(transaction.tables, child.number) or self._draw_want()
        renewal, offset_ms = want.renewal + 1, link.offset_ms
        want = replace(want, renewal=renewal, sendings=(*want.sendings, (renewal, parent.clock.now(), offset_ms)))
        transaction.notes["want", child.number] = want
        number = want.answer.number if want.answer is not None and want.answer.epoch == want.epoch else 0
        word = WantWord(parent.id, want.id, want.epoch, number, renewal, is_ended=False, scope=want.scope, work=None)
        await parent.put(
            transaction, LetterKind.GRANT_WANT, f"{REGISTER} {child.number}", msgspec.json.encode(word), child.id
        )

    def _draw_want(self) -> Want:
        on_expiry = self.world.kernel.random.choice(list(OnExpiry))
        scope = GrantScope(None, 1, DURATION_S, on_expiry)
        return Want(GrantWantId(self.world.kernel.create_id()), 1, 0, scope)

    def _look(self, child: SimulatedPlatform, parent: SimulatedPlatform) -> None:
        """Have time pass at the child, and see whether the parent would begin work that the child does not let it."""
        self.expire(child)
        want = find_want(parent.disk.tables, child.number)
        if (
            child.number not in parent.links
            or want is None
            or want.answer is None
            or want.answer.state is not GrantState.ISSUED
        ):
            return
        sent = next(((at, offset) for number, at, offset in want.sendings if number == want.answer.renewal), None)
        has_forgotten = self.world.rolled_back & {child.number, parent.number}
        move = self.world.office.move
        if sent is None or has_forgotten or self.world.stepped & {child.number, parent.number}:
            return
        if move is not None and move.child is child:
            # It has ended its grants itself, and its parent may not have heard of that.
            return
        reckoning = rule_grant.Reckoning(sent[0], DURATION_S, sent[1], parent.links[child.number].offset_ms)
        grant = find_grant(child.disk.tables)
        is_believed = parent.clock.now() < rule_grant.find_end_for_parent(reckoning)
        if is_believed and (grant is None or not rule_grant.may_begin_work(grant, child.clock.now(), None)):
            self.problems.append(f"{parent.number} begins work on a grant of {child.number} whose time is over")

    def expire(self, child: SimulatedPlatform) -> None:
        """Have a child look at the time."""

        async def write(transaction: MemoryTransaction) -> None:
            grant = find_grant(transaction.tables)
            if grant is None:
                return
            after = rule_grant.expire_grant(grant, child.clock.now(), find_offset(child, grant))
            if after.state is grant.state:
                return
            self.world.tally.states[State.HOLD] += after.state is GrantState.HELD
            if grant.scope.on_expiry is OnExpiry.HOLD and after.state not in HOLDING_STATES:
                self.problems.append(f"{child.number} has taken back by silence what was to be held")
            transaction.notes["grant"] = after
            await tell(transaction, child, after)

        if child.is_up:
            child.transact(write)

    def list_problems(self) -> list[str]:
        """Return what is wrong with grants at the end: every want was asked for once more, so each is issued."""
        found = list(self.problems)
        for child, parent in self.pairs:
            is_revoked = {child.number, parent.number} & self.world.revoked
            if is_revoked or child.number not in parent.links:
                continue
            grant, want = find_grant(child.disk.tables), find_want(parent.disk.tables, child.number)
            told = None if grant is None else (grant.epoch, grant.number, grant.renewal, grant.state)
            answer = want and want.answer
            heard = answer and (answer.epoch, answer.number, answer.renewal, answer.state)
            if told is None or told != heard or grant is None or grant.state is not GrantState.ISSUED:
                found.append(f"the grant of {child.number} to {parent.number} is {told}, and was heard as {heard}")
        return found


def find_want(tables: Tables, child: int) -> Want | None:
    """Return what a parent wants of a child."""
    return cast("Want | None", tables.notes.get(("want", child)))


def find_grant(tables: Tables) -> Grant | None:
    """Return what a child has granted."""
    return cast("Grant | None", tables.notes.get("grant"))


def find_offset(child: SimulatedPlatform, grant: Grant) -> int | None:
    """Return how far the parent's clock is ahead of the child's, as the link has measured it."""
    return measure_offset(child, grant.parent_id)


def measure_offset(platform: SimulatedPlatform, neighbour_id: PlatformId) -> int | None:
    """Return how far a neighbour's clock is ahead, None where no link has measured it."""
    link = platform.links.get(platform.world.numbers[neighbour_id])
    return None if link is None else link.offset_ms


async def tell(transaction: MemoryTransaction, child: SimulatedPlatform, grant: Grant) -> None:
    """Tell the parent what became of its want."""
    answer = Answer(grant.want_id, grant.epoch, grant.number, grant.renewal, grant.state)
    await child.put(transaction, LetterKind.GRANT, REGISTER, msgspec.json.encode(answer), grant.parent_id)


async def apply_want(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Follow a parent's want, as the rules say."""
    memory = cast("MemoryTransaction", transaction)
    word = _read_word(letter.body)
    child = memory.world.platforms[memory.world.numbers[control.platform_id]]
    terms = await transaction.grant_terms.lock(control.platform_id)
    assert terms is not None
    grant = find_grant(memory.tables)
    offset_ms = measure_offset(child, word.parent_id)
    holding = (grant,) if grant is not None and grant.state in HOLDING_STATES else ()
    desk = GrantDesk(child.id, terms, holding, open_book(DEVICES, holding), grant)
    outcome = follow_want(
        desk, word, WantArrival(arrival.arrived_at, offset_ms), GrantId(memory.world.kernel.create_id())
    )
    if outcome.terms != terms:
        await transaction.grant_terms.update(outcome.terms)
    if outcome.terms.epoch != terms.epoch:
        memory.world.tally.states[State.GRANT_EPOCH] += 1
        await tell_epoch(transaction, outcome.terms.epoch, "its parent has heard of a later one")
    if outcome.grant is not None and not outcome.refusal:
        memory.notes["grant"] = outcome.grant
        await tell(memory, child, outcome.grant)
        return
    told = build_answer(outcome, word, 0)
    answer = Answer(word.want_id, told.epoch, told.number, told.renewal, told.state)
    await child.put(memory, LetterKind.GRANT, REGISTER, msgspec.json.encode(answer), word.parent_id)


async def apply_grant(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Take what the child says; in a newer epoch the parent asks anew."""
    memory = cast("MemoryTransaction", transaction)
    world = memory.world
    child, parent = world.platforms[world.numbers[letter.author]], world.platforms[world.numbers[control.platform_id]]
    want = find_want(memory.tables, child.number)
    if want is None:
        return
    answer = _read_answer(letter.body)
    is_newer = rule_grant.is_of_newer_life(answer.epoch, want.epoch)
    memory.notes["want", child.number] = replace(want, answer=answer, epoch=max(want.epoch, answer.epoch))
    if is_newer:
        world.kernel.call_in(1, lambda: world.granting.ask(child, parent))


@contextmanager
def narrow_skew() -> Iterator[None]:
    """Let the bound of skew be one that a schedule can reach."""
    before, rule_grant.SKEW = rule_grant.SKEW, SKEW
    try:
        yield
    finally:
        rule_grant.SKEW = before
