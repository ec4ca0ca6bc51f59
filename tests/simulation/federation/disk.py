"""A platform's disk: what is committed and nothing else. A transaction takes a while, is whole or not at all, and may be a process's last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

from keisan.control.key_book import BOOK_KINDS
from keisan.domain.access import Scope
from keisan.domain.errors import NotFound, StorageUnavailable, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.grant import GrantTerms
from keisan.domain.ids import LetterId, LinkId, PlatformId
from keisan.domain.letter import Letter, RefusedLetter
from keisan.domain.link import Link, LinkState
from keisan.domain.link_log import LinkLog
from keisan.domain.platform import Platform
from keisan.domain.register import RegisterKey
from tests.simulation.federation.counter import State, Tally
from tests.simulation.federation.kernel import NodeClock
from tests.simulation.federation.memory_link import (
    KeptRegister,
    LinkTables,
    MemoryIncomingLogs,
    MemoryLinkTransaction,
    MemoryRefusedLetters,
    MemoryRegisters,
    is_platform,
)
from tests.simulation.federation.newer import UNKNOWN_KIND
from tests.simulation.federation.task import Crash, Pause

if TYPE_CHECKING:
    from tests.simulation.federation.world import World

# A disk answers after so long, drawn anew for each transaction; what it wrote was committed somewhere within.
WAIT_MS = (0, 8)
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
        return replace(self, links=self.links.copy(), neighbours=dict(self.neighbours), notes=dict(self.notes))

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
        wanted = frozenset(states)
        return sorted((link for link in self._links.values() if link.state in wanted), key=lambda link: link.id)

    async def list_neighbour(self, scope: Scope, neighbour_id: PlatformId) -> Sequence[Link]:
        found = [link for link in self._links.values() if link.neighbour_id == neighbour_id]
        return sorted(found, key=lambda link: link.id)

    async def note_heard(self, link_id: LinkId, heard_at: datetime, offset_ms: int | None) -> None:
        link = self._links[link_id]
        offset_ms = link.offset_ms if offset_ms is None else offset_ms
        self._links[link_id] = replace(link, heard_at=heard_at, offset_ms=offset_ms)


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
        if is_newer and letter.kind in BOOK_KINDS:
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

    def __init__(self, tables: Tables, clock: NodeClock, world: World) -> None:
        super().__init__(tables.links, clock)
        self.world = world
        self.clock = clock
        self.tables = tables
        self.registers = MarkedRegisters(tables, world)
        self.incoming_logs = CountedIncomingLogs(tables.links, clock, world.tally)
        self.refused_letters = CountedRefusedLetters(tables.links, world.tally)
        self.platform = MemoryPlatforms(tables)
        self.links = MemoryNeighbours(tables)
        self.grant_terms = MemoryGrantTerms(tables)
        self.events = MemoryEvents()
        self.notes = tables.notes


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

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryTransaction]:
        """Open a view of what is committed."""
        await self._wait()
        yield MemoryTransaction(self.tables, self._clock, self._world)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MemoryTransaction]:
        """Open a transaction; the process may end before its commit, or behind it before anybody hears of it."""
        await self._wait()
        if self.is_full:
            raise StorageUnavailable("the disk is full")
        changed = self.tables.copy()
        self.pending = []
        yield MemoryTransaction(changed, self._clock, self._world)
        if self.stop_before():
            raise Crash
        self.tables = changed
        self.commits += 1
        self.when_committed()
        if self.stop_after():
            raise Crash
        await self._wait()

    async def _wait(self) -> None:
        await Pause(self._kernel.random.randint(*WAIT_MS))
