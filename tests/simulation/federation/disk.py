"""A platform's disk: what is committed and nothing else. A transaction takes a while, is whole or not at all, and may be a process's last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, cast
from uuid import UUID

from keisan.control.key_book import BOOK_KINDS
from keisan.domain.access import Scope
from keisan.domain.errors import NotFound, StateConflict, StorageUnavailable, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.grant import GrantTerms
from keisan.domain.ids import InvitationId, LetterId, LinkId, PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Letter, LetterKind, RefusedLetter
from keisan.domain.link import Invitation, Link, LinkState
from keisan.domain.link_log import LinkLog
from keisan.domain.platform import Platform
from keisan.domain.register import RegisterKey
from keisan.kit.ids import create_id
from keisan.wire.name import read_revocation_body
from tests.simulation.federation.counter import State, Tally
from tests.simulation.federation.kernel import NodeClock
from tests.simulation.federation.memory_link import (
    KeptRegister,
    LinkTables,
    MemoryIncomingLogs,
    MemoryLinkTransaction,
    MemoryOutgoingLogs,
    MemoryRefusedLetters,
    MemoryRegisters,
    is_platform,
)
from tests.simulation.federation.newer import UNKNOWN_KIND
from tests.simulation.federation.site import MemoryPlacement
from tests.simulation.federation.task import Crash, Pause

if TYPE_CHECKING:
    from tests.simulation.federation.world import World

# A disk answers after less than so long, drawn anew for each transaction; what it wrote was committed somewhere within. What is
# read is in memory half of the time, and nobody waits.
WAIT_MS = 9
WAIT_CHANCE = 0.3
MARKS = count(1)


@dataclass(slots=True)
class Tables:
    """All that a disk holds. `notes` is what the simulated platform keeps beside what links need: what it has applied, its books."""

    platform: Platform
    links: LinkTables = field(default_factory=LinkTables)
    neighbours: dict[LinkId, Link] = field(default_factory=dict)
    notes: dict[Hashable, object] = field(default_factory=dict)
    grant_terms: GrantTerms | None = None
    # Changes with whatever a key book is made of, and is never the same for two contents.
    book_mark: int = 0

    def copy(self) -> Tables:
        """Return the same state, which goes its own way from here."""
        links, neighbours, notes = self.links.copy(), self.neighbours.copy(), self.notes.copy()
        return Tables(self.platform, links, neighbours, notes, self.grant_terms, self.book_mark)

    def list_letters(self) -> dict[LetterId, Letter]:
        """Return every letter of a log that this disk holds, whose ever it is."""
        logs = [log.kept for log in self.links.outgoing.values()]
        logs += [list(log.kept.values()) for log in self.links.incoming.values()]
        found = {each.letter.id: each.letter for kept in logs for each in kept}
        found.update((each.letter.id, each.letter) for each in self.links.refused.values())
        return found


class MemoryPlatforms:
    """The one platform of this disk."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self) -> Platform:
        return self._tables.platform


class MemoryNeighbours:
    """Links to neighbours, as storage/base_neighbour.py describes them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._links = tables.neighbours

    async def get(self, scope: Scope, link_id: LinkId) -> Link:
        if link_id not in self._links:
            raise NotFound("there is no such link")
        return self._links[link_id]

    async def insert(self, link: Link) -> None:
        self._links[link.id] = link
        self._tables.book_mark = next(MARKS)

    async def update(self, link: Link) -> None:
        if self._links[link.id].version != link.version - 1:
            raise VersionMismatch("the link was changed meanwhile")
        self._links[link.id] = link
        self._tables.book_mark = next(MARKS)

    async def list_states(self, scope: Scope, states: Iterable[LinkState]) -> Sequence[Link]:
        wanted = tuple(states)
        found = [link for link in self._links.values() if link.state in wanted]
        return sorted(found, key=_get_number) if len(found) > 1 else found

    async def list_neighbour(self, scope: Scope, neighbour_id: PlatformId) -> Sequence[Link]:
        found = [link for link in self._links.values() if link.neighbour_id == neighbour_id]
        return sorted(found, key=_get_number)

    async def note_heard(self, link_id: LinkId, heard_at: datetime, offset_ms: int | None) -> None:
        link = self._links[link_id]
        offset_ms = link.offset_ms if offset_ms is None else offset_ms
        self._links[link_id] = replace(link, heard_at=heard_at, offset_ms=offset_ms)


def _get_number(link: Link) -> int:
    """Return what ids are compared by."""
    return link.id.int


class MemoryGrantTerms:
    """The terms of this platform, which hold the epoch of its life, as storage/base_grant.py describes them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, scope: Scope, platform_id: PlatformId) -> GrantTerms | None:
        return self._tables.grant_terms

    async def lock(self, platform_id: PlatformId) -> GrantTerms | None:
        return self._tables.grant_terms

    async def insert(self, terms: GrantTerms) -> None:
        self._tables.grant_terms = terms

    async def update(self, terms: GrantTerms) -> None:
        before = self._tables.grant_terms
        if before is None or before.version != terms.version - 1:
            raise VersionMismatch("the terms were changed meanwhile")
        self._tables.grant_terms = terms


class MemoryInvitations:
    """Invitations, as storage/base_neighbour.py describes them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, scope: Scope, invitation_id: InvitationId) -> Invitation | None:
        return cast("Invitation | None", self._tables.notes.get(("invitation", invitation_id)))

    async def insert(self, invitation: Invitation) -> None:
        self._tables.notes["invitation", invitation.id] = invitation

    async def use(self, invitation_id: InvitationId, platform_id: PlatformId) -> None:
        found = cast("Invitation", self._tables.notes["invitation", invitation_id])
        if found.used_by not in (None, platform_id):
            raise StateConflict("another platform has used this invitation")
        self._tables.notes["invitation", invitation_id] = replace(found, used_by=platform_id)


class MemoryOutbox:
    """Work that is due: the simulation looks by itself."""

    async def put(self, noun: WorkNoun, noun_id: UUID, due_at: datetime) -> None:
        return


class MemoryEvents:
    """The audit log, of which nobody asks anything here."""

    async def append(self, draft: EventDraft) -> None:
        return


class CountedIncomingLogs(MemoryIncomingLogs):
    """Logs from neighbours, which count what came again."""

    def __init__(self, tables: LinkTables, clock: NodeClock, tally: Tally) -> None:
        super().__init__(tables, clock)
        self._tally = tally

    async def keep(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> Sequence[LetterId]:
        new = await super().keep(link_id, log, letters)
        self._tally.states[State.REPEATED_LETTER] += len(letters) - len(new)
        return new


class CountedRefusedLetters(MemoryRefusedLetters):
    """Letters that were refused, which count those that wait for more to be known."""

    def __init__(self, tables: LinkTables, tally: Tally) -> None:
        super().__init__(tables)
        self._tally = tally

    async def insert(self, refused: RefusedLetter) -> None:
        await super().insert(refused)
        is_unknown = refused.letter.kind == UNKNOWN_KIND
        self._tally.states[State.UNKNOWN_KIND if is_unknown else State.NO_WAY_YET] += 1


def _revokes(letter: Letter) -> bool:
    """Tell whether a word on who is who says something: a list of revocations on which nobody is changes no key book."""
    return letter.kind != LetterKind.REVOCATION or bool(read_revocation_body(letter).revoked)


class MarkedRegisters(MemoryRegisters):
    """Registers of all platforms, which note what a key book is made of; in no order where nobody asks for one."""

    def __init__(self, tables: Tables, world: World) -> None:
        super().__init__(tables.links)
        self._all = tables
        self._world = world

    async def put(self, letter: Letter, source: LinkId | None) -> bool:
        key = RegisterKey(letter.author, letter.kind, letter.name)
        before = self._tables.registers.get(key)
        is_newer = await super().put(letter, source)
        if is_newer and before is not None and letter.version < before.mark.version:
            self._world.watch.problems.append(f"version {letter.version} of {key} is kept over {before.mark.version}")
        if is_newer and letter.kind in BOOK_KINDS and (_revokes(letter) or (before and _revokes(before.letter))):
            self._all.book_mark = next(MARKS)
        return is_newer

    async def forget_source(self, source: LinkId) -> None:
        await super().forget_source(source)
        self._all.book_mark = next(MARKS)

    async def list_kind(self, scope: Scope, kind: str) -> Sequence[Letter]:
        return sorted(await super().list_kind(scope, kind), key=lambda letter: (letter.author, letter.name))

    def _list(self, scope: Scope) -> list[tuple[RegisterKey, KeptRegister]]:
        return list(self._tables.registers.items()) if is_platform(scope) else []


class MemoryTransaction(MemoryLinkTransaction):
    """Everything that the commands of links need, over one state of a disk."""

    events, outbox = MemoryEvents(), MemoryOutbox()

    def __init__(self, tables: Tables, clock: NodeClock, world: World) -> None:
        # Most transactions use few of these, so those that are rarely asked for are made when they are.
        self.world = world
        self.clock = clock
        self.tables = tables
        self.notes = tables.notes
        self.outgoing_logs = MemoryOutgoingLogs(tables.links, clock, create_id)
        self.registers = MarkedRegisters(tables, world)
        self.incoming_logs = CountedIncomingLogs(tables.links, clock, world.tally)
        self.links = MemoryNeighbours(tables)

    def call_after_commit(self, act: Callable[[], None]) -> None:
        """Pass it over: the disk says itself when something was committed."""

    @property
    def refused_letters(self) -> CountedRefusedLetters:  # type: ignore[override]  # made when asked for
        return CountedRefusedLetters(self.tables.links, self.world.tally)

    @property
    def platform(self) -> MemoryPlatforms:
        return MemoryPlatforms(self.tables)

    @property
    def grant_terms(self) -> MemoryGrantTerms:
        return MemoryGrantTerms(self.tables)

    @property
    def deployments(self) -> MemoryPlacement:
        return MemoryPlacement(self.tables)

    replicas = deployments

    @property
    def invitations(self) -> MemoryInvitations:
        return MemoryInvitations(self.tables)


class Disk:
    """Commits whole transactions, one at a time, as Storage does. Nothing of a platform survives a restart but what is here."""

    def __init__(self, world: World, clock: NodeClock, tables: Tables) -> None:
        self.tables = tables
        self.commits = 0
        self.is_full = False
        self.stop_before: Callable[[], bool] = lambda: False
        self.stop_after: Callable[[], bool] = lambda: False
        self.when_committed: Callable[[], None] = lambda: None
        # Letters that the transaction under way has signed.
        self.pending: list[Letter] = []
        self._world = world
        self._kernel = world.kernel
        self._clock = clock
        self._view: MemoryTransaction | None = None

    def read(self) -> _View:
        """Open a view of what is committed."""
        return _View(self)

    def write(self) -> _Writing:
        """Open a transaction; the process may end before its commit, or behind it before anybody hears of it."""
        return _Writing(self)

    def view(self) -> MemoryTransaction:
        """Return what reads the tables as they are: the same for everybody until something is committed."""
        if self._view is None or self._view.tables is not self.tables:
            self._view = MemoryTransaction(self.tables, self._clock, self._world)
        return self._view

    def begin(self) -> MemoryTransaction:
        """Return what writes to a copy of the tables; raises StorageUnavailable on a disk that is full."""
        if self.is_full:
            raise StorageUnavailable("the disk is full")
        self.pending = []
        return MemoryTransaction(self.tables.copy(), self._clock, self._world)

    def commit(self, transaction: MemoryTransaction) -> None:
        """Let what a transaction wrote be what the disk holds; raises Crash where the process ends before or after that."""
        if self.stop_before():
            raise Crash
        self.tables = transaction.tables
        self.commits += 1
        self.when_committed()
        if self.stop_after():
            raise Crash

    def draw_wait(self) -> Pause | None:
        """Return how long a transaction waits before it begins, None if it does not."""
        drawn = self._kernel.random.random()
        return Pause(int(drawn / WAIT_CHANCE * WAIT_MS)) if drawn < WAIT_CHANCE else None

    def draw_answer(self) -> Pause:
        """Return how long it takes after a commit until its process hears of it."""
        return Pause(int(self._kernel.random.random() * WAIT_MS))


class _View:
    """A view of a disk, as `async with` opens it."""

    __slots__ = ("_disk",)

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def __aenter__(self) -> MemoryTransaction:
        pause = self._disk.draw_wait()
        if pause is not None:
            await pause
        return self._disk.view()

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class _Writing:
    """A transaction of a disk, as `async with` opens it: committed unless something was raised."""

    __slots__ = ("_disk", "_transaction")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._transaction: MemoryTransaction | None = None

    async def __aenter__(self) -> MemoryTransaction:
        pause = self._disk.draw_wait()
        if pause is not None:
            await pause
        self._transaction = self._disk.begin()
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        assert self._transaction is not None
        self._disk.commit(self._transaction)
        await self._disk.draw_answer()
