"""A simulated platform: the product's control of links on a disk and a clock of its own. It may stop at any point and start again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from keisan.control.context import Control
from keisan.control.letter import build_draft, put_register, send_letters
from keisan.control.link_hub import LinkHub
from keisan.control.name import tell_names
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import LinkId, PlatformId, hash_public_key
from keisan.domain.key_chain import KeyChain
from keisan.domain.letter import Letter
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.link_log import LinkLog
from keisan.domain.platform import Platform, PlatformKind
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import EPOCH
from keisan.streams.sql import SqlStreams
from tests.simulation.federation.counter import State
from tests.simulation.federation.disk import Disk, MemoryTransaction, Tables
from tests.simulation.federation.kernel import NodeClock
from tests.simulation.federation.newer import NewerSigner, widen_message
from tests.simulation.federation.session import Session
from tests.simulation.federation.signer import get_signer, is_signed_by_test
from tests.simulation.federation.task import Task, run_at_once

if TYPE_CHECKING:
    from keisan.storage.base import Storage, Transaction
    from tests.simulation.federation.memory_link import KeptRegister
    from tests.simulation.federation.world import World

REDIAL_MS = (200, 1_500)
DOWN_MS = (50, 3_000)
REFUSED_MS = (20_000, 40_000)
# The hub looks a moment after a ring; what nobody rang for it sees within its second.
LOOK_MS = ((10, 60), (10, 60), (10, 60), (100, 1_000))
RELEASE = "0.5.0"

Act = Callable[[MemoryTransaction], Coroutine[object, None, None]]


class SimulatedPlatform:
    """One operator's platform."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.release = RELEASE
        signer = get_signer(number)
        self.chain = KeyChain(signer.public_key)
        self.id: PlatformId = hash_public_key(signer.public_key)
        self.clock = NodeClock(world.kernel)
        row = Platform(
            self.id,
            f"p{number}",
            PlatformKind.REGIONAL,
            None,
            signer.public_key,
            version=1,
            created_at=self.clock.now(),
        )
        self.disk = Disk(world, self.clock, Tables(row))
        self.disk.stop_before, self.disk.stop_after = self._stops_before_commit, self._stops_after_commit
        self.disk.when_committed = self._take_commit
        self.control = Control(
            cast("Storage", self.disk),
            self.clock,
            self.id,
            identity=LinkIdentity(self.chain, signer, signer.public_key),
            verify=is_signed_by_test,
            streams=SqlStreams(cast("Storage", self.disk)),
        )
        self.hub = LinkHub(self.control, RELEASE)
        self.sessions: list[Session] = []
        self.is_up = True
        self.is_newer = False
        self.stop_before: str | None = None
        self.stop_after: str | None = None
        self._tasks: list[Task] = []
        self._life = 0
        self._is_look_planned = False

    # Transactions.

    def write_now(self, act: Act) -> None:
        """Write what was there before anything began."""
        run_at_once(act(MemoryTransaction(self.disk.tables, self.clock, self.world)))

    def transact(self, act: Act) -> None:
        """Do something in one transaction of this platform's own."""

        async def write() -> None:
            async with self.disk.write() as transaction:
                await act(transaction)

        self.do(write())

    def do(self, work: Coroutine[object, None, None]) -> None:
        """Run something that ends with this process."""
        self._tasks = [each for each in self._tasks if each.is_running]
        self._tasks.append(Task(self.world.kernel, work))

    def _stops_before_commit(self) -> bool:
        return self._stops(self.stop_before)

    def _stops_after_commit(self) -> bool:
        return self._stops(self.stop_after)

    def _stops(self, fault: str | None) -> bool:
        """Stop here if that was planned: what is committed stays, and nobody hears of it."""
        if fault is None:
            return False
        self.stop_before = self.stop_after = None
        self.world.fire(fault)
        self.crash()
        return True

    def _take_commit(self) -> None:
        self.world.note_committed(self.disk.pending)
        self._plan_look()

    def _plan_look(self) -> None:
        if not self._is_look_planned and self.is_up:
            self._is_look_planned = True
            life, chance = self._life, self.world.kernel.random
            self.world.kernel.call_in(chance.randint(*chance.choice(LOOK_MS)), lambda: self._look(life))

    def _look(self, life: int) -> None:
        """Have the hub tell the connections what has changed on disk."""
        if life == self._life:
            self._is_look_planned = False
            self.do(self.hub._look())

    # Links.

    @property
    def links(self) -> dict[int, Link]:
        """Return the open links, by the number of the neighbour."""
        found = self.disk.tables.neighbours.values()
        return {self.world.numbers[link.neighbour_id]: link for link in found if link.is_open}

    def dial(self, link_id: LinkId) -> None:
        """Dial the parent, unless a connection is there or the way is cut; then again when it is not."""
        life, world = self._life, self.world
        link = self.disk.tables.neighbours.get(link_id)
        if not self.is_up or link is None or not self._is_dialled(link) or self._is_connected(link_id):
            return
        other = world.numbers[link.neighbour_id]
        if not world.network.can_reach(self.number, other):
            world.network.when_healed(self.number, other, lambda: self.redial(link_id))
            return

        def answer() -> None:
            if life == self._life and not self._is_connected(link_id):
                self._connect(link_id, other)

        world.kernel.call_in(3 * world.network.draw_latency_ms(), answer)

    def _is_dialled(self, link: Link) -> bool:
        """Tell whether a link is the one to the parent: while it moves, a platform dials the one that it leaves, as the product does."""
        found = [each for each in self.disk.tables.neighbours.values() if each.side is LinkSide.PARENT and each.is_open]
        return bool(found) and link.id == found[0].id

    def redial(self, link_id: LinkId, delays_ms: tuple[int, int] = REDIAL_MS) -> None:
        """Dial in a while."""
        life = self._life
        delay_ms = self.world.kernel.random.randint(*delays_ms)
        self.world.kernel.call_in(delay_ms, lambda: self.dial(link_id) if life == self._life else None)

    def _is_connected(self, link_id: LinkId) -> bool:
        return any(each.link.id == link_id for each in self.sessions)

    def _connect(self, link_id: LinkId, number: int) -> None:
        other = self.world.platforms[number]
        link, back = self.disk.tables.neighbours[link_id], other.links.get(self.number)
        if back is None:
            # It was revoked, and asks now and then whether that still holds.
            self.redial(link_id, REFUSED_MS)
            return
        is_reached = other.is_up and self.world.network.can_reach(self.number, number)
        if not is_reached or not self.world.office.is_expected(self, link, other, back):
            self.redial(link_id)
            return
        own_end, other_end = Session(self, link, number), Session(other, back, self.number)
        own_end.connection = other_end.connection = self.world.network.connect(
            (self.number, own_end), (number, other_end)
        )
        other.accept(other_end)
        self.accept(own_end)

    def accept(self, session: Session) -> None:
        """Begin a connection, in place of one that is there already: as LinkHub.serve does."""
        self.sessions.append(session)
        loops = self.hub._loops
        before = loops.get(session.link.id)
        loops[session.link.id] = session
        if before is not None:
            self.world.note_replaced()
            before.end("replaced", "another connection has taken its place")
        session.begin(self.hub)

    def lose(self, session: Session) -> None:
        """Take that a connection is gone; the child dials again."""
        self.sessions.remove(session)
        if self.hub._loops.get(session.link.id) is session:
            del self.hub._loops[session.link.id]
        if self.is_up and session.link.side is LinkSide.PARENT:
            self.redial(session.link.id)

    def raise_epoch(self, parent: int) -> None:
        """Begin another epoch of the link to the parent, as a restore or a move does; the connection begins anew in it."""
        link = self.links.get(parent)
        if link is None or not self.is_up:
            return

        async def write(transaction: MemoryTransaction) -> None:
            now = await transaction.links.get(PlatformScope(), link.id)
            await transaction.links.update(replace(now, epoch=now.epoch + 1, version=now.version + 1))
            for session in self.sessions:
                if session.link.id == link.id:
                    session.end("epoch", "the link begins another epoch")

        self.transact(write)

    def trim(self) -> None:
        """Drop what both sides have signed for, as far as this platform has heard of it."""
        if not self.is_up:
            return

        async def write(transaction: MemoryTransaction) -> None:
            settled = self.world.settled
            for link in await transaction.links.list_states(PlatformScope(), LinkState):
                await transaction.outgoing_logs.trim(link.id, settled, EPOCH)
                await transaction.incoming_logs.trim(link.id, settled, EPOCH)
            self.world.tally.states[State.TRIMMED] += any(
                log.trimmed for log in transaction.tables.links.outgoing.values()
            )

        self.transact(write)

    # Life.

    def start(self) -> None:
        """Begin, or begin again, with what is on disk."""
        self.is_up = True
        self._plan_look()
        for link in self.links.values():
            if link.side is LinkSide.PARENT:
                self.redial(link.id)
        self.world.office.resume(self)

    def crash(self) -> None:
        """Stop at once, as kill -9 does; connections end, and the other side may hear of it only by silence."""
        kernel = self.world.kernel
        self.is_up = self._is_look_planned = False
        self._life += 1
        for task in self._tasks:
            task.end()
        for session in self.sessions:
            session.stop()
            assert session.connection is not None
            session.connection.drop((session.other,) if kernel.random.random() < 0.7 else ())
        self.sessions.clear()
        self.hub = LinkHub(self.control, RELEASE)
        kernel.call_in(kernel.random.randint(*DOWN_MS), self.start)

    def roll_back(self, backup: Tables) -> None:
        """Have the disk restored from a backup; the platform stops for that."""
        self.crash()
        self.disk.tables = backup.copy()

    # What it says.

    def list_registers(self) -> Iterable[KeptRegister]:
        """Return the registers that it has, its own and those of others."""
        return self.disk.tables.links.registers.values()

    def upgrade(self) -> None:
        """Run a later release from now on."""
        self.is_newer = True
        identity = self.control.get_identity()
        self.control = replace(self.control, identity=replace(identity, signer=NewerSigner(identity.signer)))

    def say(self, data: bytes) -> list[bytes]:
        """Return what goes over the wire for a message: another release says it in its own way."""
        return widen_message(data, self.world.kernel.random) if self.is_newer else [data]

    def revoke(self, child: int) -> None:
        """Revoke a child, as of now by this platform's clock, and say so."""
        link = self.links.get(child)
        if link is None:
            return

        async def write(transaction: MemoryTransaction) -> None:
            now = await transaction.links.get(PlatformScope(), link.id)
            ended = replace(now, state=LinkState.REVOKED, ended_at=self.clock.now(), version=now.version + 1)
            await transaction.links.update(ended)
            await tell_names(cast("Transaction", transaction), self.control)

        self.transact(write)

    async def introduce(self, transaction: MemoryTransaction) -> None:
        """Say who this is, and who its children are."""
        await tell_names(cast("Transaction", transaction), self.control)

    async def put(
        self, transaction: MemoryTransaction, kind: str, name: str, body: bytes, audience: PlatformId | None = None
    ) -> None:
        """Write a register of this platform's own."""
        draft = replace(build_draft(self.control, kind, body, audience), name=name)
        await put_register(cast("Transaction", transaction), self.control, draft)

    async def send_one(
        self, transaction: MemoryTransaction, kind: str, audience: PlatformId, body: bytes
    ) -> Sequence[Letter]:
        """Send one letter of the ledger."""
        return await self.send(transaction, LinkLog.LEDGER, kind, audience, [body])

    async def send(
        self, transaction: MemoryTransaction, log: LinkLog, kind: str, audience: PlatformId, bodies: list[bytes]
    ) -> Sequence[Letter]:
        """Send letters; nothing where nobody has said yet where the audience is, as a person would be told."""
        period = self.world.name_period(self.id, audience) if log is LinkLog.LEDGER else ""
        drafts = [replace(build_draft(self.control, kind, body, audience), period=period) for body in bodies]
        try:
            letters = await send_letters(cast("Transaction", transaction), self.control, drafts, log)
        except NotFound:
            return ()
        self.world.expect(self, letters)
        return letters
