"""What crosses links, kept in memory as storage keeps it: for simulations that restart, and restore, platforms by the thousand.

A copy shares every log with its original until either writes to it, so a disk's state at a moment costs what changed since.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from uuid import UUID

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.errors import InvariantBroken, StateConflict
from keisan.domain.ids import LetterId, LinkId, PlatformId
from keisan.domain.letter import Letter, LetterKind, RefusedLetter
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogCursor, LogEnd, LogItem, SettledPeriod, extend_hash
from keisan.domain.register import RegisterKey, RegisterLine, RegisterMark, RegisterPlace, RegisterSource, mark_register
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.storage.base_link import (
    IncomingLogRepository,
    OutgoingLogRepository,
    RefusedLetterRepository,
    RegisterRepository,
)
from keisan.wire.letter import encode_letter

LogKey = tuple[LinkId, LinkLog]
LetterKey = tuple[PlatformId, LetterId]


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A letter of a log, as bytes, and what decides for how long it is kept."""

    letter: Letter
    encoded: bytes
    hash: bytes
    kept_at: datetime

    @property
    def key(self) -> LetterKey:
        """Return what makes it one."""
        return self.letter.author, self.letter.id

    def may_go(self, settled: frozenset[SettledPeriod], kept_after: datetime) -> bool:
        """Tell whether it need not be kept."""
        letter = self.letter
        if not letter.period:
            return self.kept_at <= kept_after
        return letter.audience is not None and SettledPeriod(letter.author, letter.audience, letter.period) in settled


@dataclass(slots=True)
class OutgoingLog:
    """A log to a neighbour: `kept` has the letters from sequence `trimmed` + 1 on."""

    incarnation: UUID
    kept: list[KeptLetter] = field(default_factory=list)
    keys: set[LetterKey] = field(default_factory=set)
    trimmed: int = 0
    trimmed_hash: bytes = FIRST_HASH
    acknowledged: int = 0

    def copy(self) -> "OutgoingLog":
        """Return one that may be written to."""
        return OutgoingLog(
            self.incarnation, self.kept.copy(), self.keys.copy(), self.trimmed, self.trimmed_hash, self.acknowledged
        )

    def tell_end(self) -> LogEnd:
        """Return where it is."""
        last_hash = self.kept[-1].hash if self.kept else self.trimmed_hash
        sequence = self.trimmed + len(self.kept)
        return LogEnd(self.incarnation, sequence, last_hash, self.trimmed, self.trimmed_hash, self.acknowledged)


@dataclass(slots=True)
class IncomingLog:
    """A log from a neighbour: the letters by what makes each one, in the order in which they came."""

    cursor: LogCursor | None = None
    kept: dict[LetterKey, KeptLetter] = field(default_factory=dict)

    def copy(self) -> "IncomingLog":
        """Return one that may be written to."""
        return IncomingLog(self.cursor, self.kept.copy())


@dataclass(frozen=True, slots=True)
class KeptRegister:
    """A register and how it came; `number` tells which was put later."""

    letter: Letter
    mark: RegisterMark
    source: LinkId | None
    number: int


@dataclass(slots=True)
class LinkTables:
    """Everything that is kept. What is not in `owned` may be another copy's too, and is copied before it is written to."""

    outgoing: dict[LogKey, OutgoingLog] = field(default_factory=dict)
    incoming: dict[LogKey, IncomingLog] = field(default_factory=dict)
    registers: dict[RegisterKey, KeptRegister] = field(default_factory=dict)
    refused: dict[tuple[LetterId, bytes], RefusedLetter] = field(default_factory=dict)
    puts: int = 0
    owned: set[object] = field(default_factory=set)

    def copy(self) -> "LinkTables":
        """Return the same state, which goes its own way from here."""
        self.owned = set()
        return LinkTables(self.outgoing.copy(), self.incoming.copy(), self.registers, self.refused, self.puts)

    def own_outgoing(self, key: LogKey) -> OutgoingLog | None:
        """Return a log to write to."""
        if key in self.outgoing and ("outgoing", key) not in self.owned:
            self.outgoing[key] = self.outgoing[key].copy()
            self.owned.add(("outgoing", key))
        return self.outgoing.get(key)

    def own_incoming(self, key: LogKey) -> IncomingLog:
        """Return a log to write to, made if there is none."""
        if ("incoming", key) not in self.owned:
            self.incoming[key] = self.incoming[key].copy() if key in self.incoming else IncomingLog()
            self.owned.add(("incoming", key))
        return self.incoming[key]

    def own_registers(self) -> dict[RegisterKey, KeptRegister]:
        """Return the registers to write to."""
        if "registers" not in self.owned:
            self.registers = dict(self.registers)
            self.owned.add("registers")
        return self.registers

    def own_refused(self) -> dict[tuple[LetterId, bytes], RefusedLetter]:
        """Return the refused letters to write to."""
        if "refused" not in self.owned:
            self.refused = dict(self.refused)
            self.owned.add("refused")
        return self.refused


class MemoryOutgoingLogs:
    """Logs to neighbours."""

    def __init__(self, tables: LinkTables, clock: Clock, create_incarnation: Callable[[], UUID]) -> None:
        self._tables = tables
        self._clock = clock
        self._create_incarnation = create_incarnation

    async def append(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> LogEnd:
        found = self._tables.own_outgoing((link_id, log)) or self._begin((link_id, log), self._create_incarnation())
        last_hash = found.tell_end().hash
        for letter in letters:
            if (letter.author, letter.id) not in found.keys:
                encoded = encode_letter(letter)
                last_hash = extend_hash(last_hash, encoded)
                found.kept.append(KeptLetter(letter, encoded, last_hash, self._clock.now()))
                found.keys.add((letter.author, letter.id))
        return found.tell_end()

    async def has_letter(self, link_id: LinkId, log: LinkLog, letter: Letter) -> bool:
        found = self._tables.outgoing.get((link_id, log))
        return found is not None and (letter.author, letter.id) in found.keys

    async def list_ends(self, scope: Scope) -> Mapping[tuple[LinkId, LinkLog], LogEnd]:
        return {key: each.tell_end() for key, each in self._tables.outgoing.items()} if is_platform(scope) else {}

    async def get_end(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogEnd | None:
        found = self._find(scope, link_id, log)
        return None if found is None else found.tell_end()

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        found = self._find(scope, link_id, log)
        if found is None:
            return ()
        start = max(after_sequence - found.trimmed, 0)
        items = cut_bytes(islice(found.kept, start, None), bytes_max)
        first = found.trimmed + start + 1
        return [LogItem(first + at, each.hash, each.letter.id, each.encoded) for at, each in enumerate(items)]

    async def find_hash(self, scope: Scope, link_id: LinkId, log: LinkLog, sequence: int) -> bytes | None:
        found = self._find(scope, link_id, log)
        if found is None or not 0 <= sequence - found.trimmed <= len(found.kept):
            return None
        at = sequence - found.trimmed
        return found.kept[at - 1].hash if at else found.trimmed_hash

    async def begin_incarnation(self, link_id: LinkId, log: LinkLog, incarnation: UUID) -> LogEnd:
        before = self._tables.own_outgoing((link_id, log)) or self._begin((link_id, log), incarnation)
        if before.incarnation == incarnation:
            return before.tell_end()
        begun = OutgoingLog(incarnation, keys=before.keys)
        last_hash = FIRST_HASH
        for each in before.kept:
            last_hash = extend_hash(last_hash, each.encoded)
            begun.kept.append(replace(each, hash=last_hash))
        self._tables.outgoing[(link_id, log)] = begun
        return begun.tell_end()

    async def acknowledge(self, link_id: LinkId, log: LinkLog, incarnation: UUID, sequence: int) -> None:
        found = self._tables.own_outgoing((link_id, log))
        if found is None or found.incarnation != incarnation:
            return
        if found.acknowledged < sequence <= found.trimmed + len(found.kept):
            found.acknowledged = sequence

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        periods = frozenset(settled)
        for log in LinkLog:
            found = self._tables.own_outgoing((link_id, log))
            while found is not None and found.kept:
                first = found.kept[0]
                is_unheard = not first.letter.period and found.trimmed + 1 > found.acknowledged
                if is_unheard or not first.may_go(periods, kept_after):
                    break
                found.kept.pop(0)
                found.keys.remove(first.key)
                found.trimmed, found.trimmed_hash = found.trimmed + 1, first.hash
                found.acknowledged = max(found.acknowledged, found.trimmed)

    def _find(self, scope: Scope, link_id: LinkId, log: LinkLog) -> OutgoingLog | None:
        return self._tables.outgoing.get((link_id, log)) if is_platform(scope) else None

    def _begin(self, key: LogKey, incarnation: UUID) -> OutgoingLog:
        self._tables.owned.add(("outgoing", key))
        return self._tables.outgoing.setdefault(key, OutgoingLog(incarnation))


class MemoryIncomingLogs:
    """Logs from neighbours."""

    def __init__(self, tables: LinkTables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def get_cursor(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogCursor | None:
        found = self._tables.incoming.get((link_id, log)) if is_platform(scope) else None
        return None if found is None else found.cursor

    async def move_cursor(self, link_id: LinkId, log: LinkLog, before: LogCursor | None, after: LogCursor) -> None:
        found = self._tables.own_incoming((link_id, log))
        if found.cursor != before:
            raise StateConflict(f"the cursor of the log '{log}' is not where it was")
        found.cursor = after

    async def keep(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> Sequence[LetterId]:
        found = self._tables.own_incoming((link_id, log))
        new: list[LetterId] = []
        for letter in letters:
            kept = KeptLetter(letter, encode_letter(letter), b"", self._clock.now())
            if found.kept.setdefault(kept.key, kept) is kept:
                new.append(letter.id)
        return new

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after: LetterId | None, bytes_max: int
    ) -> Sequence[bytes]:
        found = self._tables.incoming.get((link_id, log)) if is_platform(scope) else None
        kept = [] if found is None else list(found.kept.values())
        at = [place for place, each in enumerate(kept) if each.letter.id == after]
        return [each.encoded for each in cut_bytes(iter(kept[at[-1] + 1 :] if at else kept), bytes_max)]

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        periods = frozenset(settled)
        for log in LinkLog:
            if (link_id, log) in self._tables.incoming:
                found = self._tables.own_incoming((link_id, log))
                found.kept = {key: each for key, each in found.kept.items() if not each.may_go(periods, kept_after)}


class MemoryRegisters:
    """Registers of all platforms."""

    def __init__(self, tables: LinkTables) -> None:
        self._tables = tables

    async def find(self, scope: Scope, key: RegisterKey) -> Letter | None:
        found = self._tables.registers.get(key) if is_platform(scope) else None
        return None if found is None else found.letter

    async def find_source(self, scope: Scope, author: PlatformId) -> RegisterSource | None:
        own = [each for key, each in self._list(scope) if key.author == author]
        newest = max(own, key=lambda each: (each.letter.kind == LetterKind.PLATFORM, each.number), default=None)
        return None if newest is None else RegisterSource(newest.source)

    async def put(self, letter: Letter, source: LinkId | None) -> bool:
        key, mark = RegisterKey(letter.author, letter.kind, letter.name), mark_register(letter)
        before = self._tables.registers.get(key)
        if not mark.is_newer_than(None if before is None else before.mark):
            return False
        self._tables.puts += 1
        own = self._tables.own_registers()
        # What changed last stands last.
        own.pop(key, None)
        own[key] = KeptRegister(letter, mark, source, self._tables.puts)
        return True

    async def list_lines(self, scope: Scope, source: LinkId | None) -> Sequence[RegisterLine]:
        return [RegisterLine(key, each.mark) for key, each in self._list(scope) if each.source == source]

    async def list_places(self, scope: Scope, after_change: int) -> Sequence[RegisterPlace]:
        places: list[RegisterPlace] = []
        for key, each in reversed(self._tables.registers.items() if is_platform(scope) else {}.items()):
            if each.number <= after_change:
                break
            places.append(RegisterPlace(RegisterLine(key, each.mark), each.source, each.letter.audience, each.number))
        return places[::-1]

    async def list_letters(self, scope: Scope, keys: Sequence[RegisterKey]) -> Sequence[Letter]:
        kept = self._tables.registers if is_platform(scope) else {}
        return [kept[key].letter for key in sorted(set(keys)) if key in kept]

    async def list_kind(self, scope: Scope, kind: str) -> Sequence[Letter]:
        return [each.letter for key, each in self._list(scope) if key.kind == kind and not each.letter.is_deleted]

    async def redirect(self, key: RegisterKey, source: LinkId) -> None:
        own = self._tables.own_registers()
        own[key] = replace(own[key], source=source)

    async def forget_source(self, source: LinkId) -> None:
        own = self._tables.own_registers()
        for key in [key for key, each in own.items() if each.source == source]:
            del own[key]

    def _list(self, scope: Scope) -> list[tuple[RegisterKey, KeptRegister]]:
        return sorted(self._tables.registers.items(), key=lambda pair: pair[0]) if is_platform(scope) else []


class MemoryRefusedLetters:
    """Letters that were refused."""

    def __init__(self, tables: LinkTables) -> None:
        self._tables = tables

    async def insert(self, refused: RefusedLetter) -> None:
        self._tables.own_refused().setdefault((refused.letter.id, refused.letter.content), refused)

    async def list_link(self, scope: Scope, link_id: LinkId | None, limit: int) -> Sequence[RefusedLetter]:
        kept = self._tables.refused.values() if is_platform(scope) else ()
        wanted = [each for each in kept if link_id in (None, each.link_id)]
        return sorted(wanted, key=lambda each: (each.arrived_at, each.letter.id), reverse=True)[:limit]

    async def drop(self, letter_id: LetterId) -> None:
        own = self._tables.own_refused()
        for key in [key for key in own if key[0] == letter_id]:
            del own[key]


class MemoryLinkTransaction:
    """What a transaction has for links."""

    def __init__(self, tables: LinkTables, clock: Clock, create_incarnation: Callable[[], UUID] = create_id) -> None:
        self.outgoing_logs: OutgoingLogRepository = MemoryOutgoingLogs(tables, clock, create_incarnation)
        self.incoming_logs: IncomingLogRepository = MemoryIncomingLogs(tables, clock)
        self.registers: RegisterRepository = MemoryRegisters(tables)
        self.refused_letters: RefusedLetterRepository = MemoryRefusedLetters(tables)


class MemoryLinks:
    """Storage of links: one transaction at a time, whole or not at all. `tables` may be copied, and put back."""

    def __init__(self, clock: Clock, create_incarnation: Callable[[], UUID] = create_id) -> None:
        self.tables = LinkTables()
        self._clock = clock
        self._create_incarnation = create_incarnation
        self._is_writing = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryLinkTransaction]:
        """Open a view of what is committed; what is written in it is nobody's."""
        yield MemoryLinkTransaction(self.tables.copy(), self._clock, self._create_incarnation)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MemoryLinkTransaction]:
        """Open a transaction; raises InvariantBroken within another."""
        if self._is_writing:
            raise InvariantBroken("one transaction at a time")
        self._is_writing = True
        try:
            changed = self.tables.copy()
            yield MemoryLinkTransaction(changed, self._clock, self._create_incarnation)
            self.tables = changed
        finally:
            self._is_writing = False


def is_platform(scope: Scope) -> bool:
    """Tell whether a scope sees what is the platform's own."""
    return isinstance(scope, PlatformScope)


def cut_bytes(letters: Iterator[KeptLetter], bytes_max: int) -> list[KeptLetter]:
    """Return the first letters of at most `bytes_max` together, but at least one if there is one."""
    found: list[KeptLetter] = []
    read_bytes = 0
    for each in islice(letters, LINK_BATCH_LETTERS_MAX):
        read_bytes += len(each.encoded)
        if found and read_bytes > bytes_max:
            break
        found.append(each)
    return found
