"""Logs to neighbours. A letter's place never changes; its sequence is counted from the place at which the incarnation began."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, PrimaryKeyConstraint, Table, bindparam, delete, select, update

from keisan.domain.access import Scope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogEnd, LogItem, SettledPeriod, extend_hash
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.storage.connection import GuardedConnection
from keisan.storage.link_letter import LetterRows, build_letter_table
from keisan.storage.repository import Condition, Visibility
from keisan.storage.schema import AnyRow, EnumText, build_column, build_id, metadata
from keisan.wire.letter import encode_letter

VISIBILITY = Visibility()
# So much is read at a time where a whole log gets its hashes anew.
REHASHED_BYTES = 4 * 1024 * 1024

outgoing_log = Table(
    "outgoing_log",
    metadata,
    build_id("link_id"),
    build_column("link_log", EnumText(LinkLog)),
    build_id("incarnation"),
    build_column("base_place", BigInteger()),
    build_column("last_place", BigInteger()),
    build_column("last_hash", LargeBinary()),
    build_column("trimmed_place", BigInteger()),
    build_column("trimmed_hash", LargeBinary()),
    build_column("acknowledged_place", BigInteger()),
    PrimaryKeyConstraint("link_id", "link_log"),
)
outgoing_letter = build_letter_table("outgoing_letter", build_column("hash", LargeBinary()))


@dataclass(frozen=True, slots=True)
class _LogRow:
    """A log as its row has it; sequence 1 of the incarnation is at `base_place` + 1."""

    link_id: LinkId
    link_log: LinkLog
    incarnation: UUID
    base_place: int = 0
    last_place: int = 0
    last_hash: bytes = FIRST_HASH
    trimmed_place: int = 0
    trimmed_hash: bytes = FIRST_HASH
    acknowledged_place: int = 0

    def tell_end(self) -> LogEnd:
        """Return where the log is, as others know it."""
        return LogEnd(
            incarnation=self.incarnation,
            sequence=self.last_place - self.base_place,
            hash=self.last_hash,
            trimmed_sequence=self.trimmed_place - self.base_place,
            trimmed_hash=self.trimmed_hash,
            acknowledged_sequence=self.acknowledged_place - self.base_place,
        )


class OutgoingLogRepository:
    """Logs by link and name."""

    def __init__(self, connection: GuardedConnection, clock: Clock) -> None:
        self._connection = connection
        self._letters = LetterRows(connection, clock, outgoing_letter)

    async def append(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> LogEnd:
        """Append letters that are not kept yet, in order, and return the log's end; locks the end until commit."""
        before = await self._lock(link_id, log) or await self._begin(link_id, log, create_id())
        appended = await self._letters.pick_new(link_id, log, letters)
        if not appended:
            return before.tell_end()
        encoded = [encode_letter(letter) for letter in appended]
        hashes, last_hash = [], before.last_hash
        for letter in encoded:
            last_hash = extend_hash(last_hash, letter)
            hashes.append(last_hash)
        last_place = before.last_place + len(appended)
        places = range(before.last_place + 1, last_place + 1)
        await self._letters.insert((link_id, log), appended, encoded, {"place": places, "hash": hashes})
        return (await self._write(replace(before, last_place=last_place, last_hash=last_hash))).tell_end()

    async def has_letter(self, link_id: LinkId, log: LinkLog, letter: Letter) -> bool:
        """Tell whether a letter is kept in a log."""
        return not await self._letters.pick_new(link_id, log, [letter])

    async def list_ends(self, scope: Scope) -> Mapping[tuple[LinkId, LinkLog], LogEnd]:
        """Return where all logs of all links are."""
        rows = await self._connection.fetch_all(select(outgoing_log).where(VISIBILITY.limit(scope)))
        logs = [_LogRow(**row) for row in rows]
        return {(log.link_id, log.link_log): log.tell_end() for log in logs}

    async def get_end(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogEnd | None:
        """Return where the log is; None before the first letter."""
        found = await self._find(scope, link_id, log)
        return None if found is None else found.tell_end()

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        """Return items in order after a sequence, of at most `bytes_max` together but at least one if there is one."""
        found = await self._find(scope, link_id, log)
        if found is None:
            return ()
        base = found.base_place
        is_after = self._letters.match(link_id, log) & (outgoing_letter.c.place > base + max(after_sequence, 0))
        rows = await self._letters.read(is_after, bytes_max)
        return [LogItem(row["place"] - base, row["hash"], row["letter_id"], row["letter"]) for row in rows]

    async def find_hash(self, scope: Scope, link_id: LinkId, log: LinkLog, sequence: int) -> bytes | None:
        """Return the running hash at a sequence that is kept, or was trimmed last; None for any other."""
        found = await self._find(scope, link_id, log)
        if found is None or sequence < 0:
            return None
        place = found.base_place + sequence
        if place == found.trimmed_place:
            return found.trimmed_hash
        wanted = select(outgoing_letter.c.hash).where(
            self._letters.match(link_id, log), outgoing_letter.c.place == place
        )
        row = await self._connection.fetch_first(wanted)
        return None if row is None else bytes(row["hash"])

    async def begin_incarnation(self, link_id: LinkId, log: LinkLog, incarnation: UUID) -> LogEnd:
        """Number all kept items anew from 1, in their order, in another incarnation of the log, and return its end."""
        before = await self._lock(link_id, log) or await self._begin(link_id, log, incarnation)
        if before.incarnation == incarnation:
            return before.tell_end()
        begun = replace(
            before,
            incarnation=incarnation,
            base_place=before.trimmed_place,
            trimmed_hash=FIRST_HASH,
            acknowledged_place=before.trimmed_place,
            last_hash=await self._hash_anew(before),
        )
        return (await self._write(begun)).tell_end()

    async def acknowledge(self, link_id: LinkId, log: LinkLog, incarnation: UUID, sequence: int) -> None:
        """Note how far the neighbour has the log; never backwards, nothing for another incarnation or beyond the end."""
        own = outgoing_log.c
        place = own.base_place + sequence
        is_further = (place > own.acknowledged_place) & (place <= own.last_place)
        condition = _match(link_id, log) & (own.incarnation == incarnation) & is_further
        await self._connection.change(update(outgoing_log).where(condition).values(acknowledged_place=place))

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        """Drop items from the oldest on, up to the first that must be kept."""
        periods = tuple(settled)
        for log in LinkLog:
            if (found := await self._lock(link_id, log)) is not None:
                await self._trim(found, periods, kept_after)

    async def _trim(self, log: _LogRow, settled: Sequence[SettledPeriod], kept_after: datetime) -> None:
        own = outgoing_letter.c
        is_here = self._letters.match(log.link_id, log.link_log)
        # What was not heard of is told: a period that both signed for was, whatever this link acknowledged.
        is_unheard = own.period_digest.is_(None) & (own.place > log.acknowledged_place)
        is_kept = ~self._letters.match_free(settled, kept_after) | is_unheard
        first = await self._connection.fetch_first(
            select(own.place).where(is_here, is_kept).order_by(own.place).limit(1)
        )
        place = log.last_place if first is None else first["place"] - 1
        if place <= log.trimmed_place:
            return
        last = await self._connection.fetch_first(select(own.hash).where(is_here, own.place == place))
        assert last is not None
        await self._connection.change(delete(outgoing_letter).where(is_here, own.place <= place))
        await self._write(
            replace(
                log,
                trimmed_place=place,
                trimmed_hash=last["hash"],
                acknowledged_place=max(place, log.acknowledged_place),
            )
        )

    async def _hash_anew(self, log: _LogRow) -> bytes:
        """Give all kept items the hashes of a log that begins with them, and return the last."""
        own = outgoing_letter.c
        is_here = self._letters.match(log.link_id, log.link_log)
        written = update(outgoing_letter).where(is_here, own.place == bindparam("at")).values(hash=bindparam("anew"))
        last_hash, place = FIRST_HASH, log.trimmed_place
        while rows := await self._letters.read(is_here & (own.place > place), REHASHED_BYTES):
            changes = []
            for row in rows:
                last_hash = extend_hash(last_hash, row["letter"])
                changes.append({"at": row["place"], "anew": last_hash})
            await self._connection.change(written, changes)
            place = rows[-1]["place"]
        return last_hash

    async def _find(self, scope: Scope, link_id: LinkId, log: LinkLog) -> _LogRow | None:
        wanted = select(outgoing_log).where(VISIBILITY.limit(scope), _match(link_id, log))
        return _read_log(await self._connection.fetch_first(wanted))

    async def _lock(self, link_id: LinkId, log: LinkLog) -> _LogRow | None:
        rows = await self._connection.fetch_locked(select(outgoing_log).where(_match(link_id, log)))
        return _read_log(rows[0] if rows else None)

    async def _begin(self, link_id: LinkId, log: LinkLog, incarnation: UUID) -> _LogRow:
        await self._connection.insert_or_ignore(outgoing_log, asdict(_LogRow(link_id, log, incarnation)))
        # Another transaction may have been first.
        locked = await self._lock(link_id, log)
        assert locked is not None
        return locked

    async def _write(self, log: _LogRow) -> _LogRow:
        await self._connection.change(update(outgoing_log).where(_match(log.link_id, log.link_log)), asdict(log))
        return log


def _match(link_id: LinkId, log: LinkLog) -> Condition:
    return (outgoing_log.c.link_id == link_id) & (outgoing_log.c.link_log == log)


def _read_log(row: AnyRow | None) -> _LogRow | None:
    return None if row is None else _LogRow(**row)
