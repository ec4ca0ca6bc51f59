"""Logs from neighbours: how far each is applied, and its letters in the order in which they came."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, PrimaryKeyConstraint, Table, delete, select, true, update

from keisan.domain.access import Scope
from keisan.domain.errors import StateConflict
from keisan.domain.ids import LetterId, LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogCursor, SettledPeriod
from keisan.kit.clock import Clock
from keisan.storage.connection import GuardedConnection
from keisan.storage.link_letter import LetterRows, build_letter_table
from keisan.storage.repository import Condition, Visibility
from keisan.storage.schema import AnyRow, EnumText, build_column, build_id, metadata
from keisan.wire.letter import encode_letter

VISIBILITY = Visibility()

incoming_log = Table(
    "incoming_log",
    metadata,
    build_id("link_id"),
    build_column("link_log", EnumText(LinkLog)),
    # Null until something was applied: letters may be kept before.
    build_id("incarnation", is_nullable=True),
    build_column("sequence", BigInteger()),
    build_column("hash", LargeBinary()),
    build_column("last_place", BigInteger()),
    PrimaryKeyConstraint("link_id", "link_log"),
)
incoming_letter = build_letter_table("incoming_letter")


class IncomingLogRepository:
    """Logs by link and name."""

    def __init__(self, connection: GuardedConnection, clock: Clock) -> None:
        self._connection = connection
        self._letters = LetterRows(connection, clock, incoming_letter)

    async def get_cursor(self, scope: Scope, link_id: LinkId, log: LinkLog) -> LogCursor | None:
        """Return how far the log is applied; None before anything of it was."""
        wanted = select(incoming_log).where(VISIBILITY.limit(scope), _match(link_id, log))
        return _read_cursor(await self._connection.fetch_first(wanted))

    async def move_cursor(self, link_id: LinkId, log: LinkLog, before: LogCursor | None, after: LogCursor) -> None:
        """Move the cursor in the transaction that applies; raises StateConflict unless it stands at `before`."""
        row = await self._lock(link_id, log)
        if _read_cursor(row) != before:
            raise StateConflict(f"the cursor of the log '{log}' is not where it was")
        moved = update(incoming_log).where(_match(link_id, log))
        await self._connection.change(
            moved.values(incarnation=after.incarnation, sequence=after.sequence, hash=after.hash)
        )

    async def keep(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> Sequence[LetterId]:
        """Keep letters and return the ids of those that are new here; locks the log until commit."""
        row = await self._lock(link_id, log)
        kept = await self._letters.pick_new(link_id, log, letters)
        if kept:
            last_place = row["last_place"] + len(kept)
            places = range(row["last_place"] + 1, last_place + 1)
            encoded = [encode_letter(letter) for letter in kept]
            await self._letters.insert((link_id, log), kept, encoded, {"place": places})
            counted = update(incoming_log).where(_match(link_id, log)).values(last_place=last_place)
            await self._connection.change(counted)
        return [letter.id for letter in kept]

    async def read(
        self, scope: Scope, link_id: LinkId, log: LinkLog, after: LetterId | None, bytes_max: int
    ) -> Sequence[bytes]:
        """Return kept letters (encoded) in the order in which they came, after one of them, at least one if there is one."""
        wanted = VISIBILITY.limit(scope) & self._letters.match(link_id, log)
        if after is not None:
            own = incoming_letter.c
            found = select(own.place).where(wanted, own.letter_id == after).order_by(own.place.desc()).limit(1)
            row = await self._connection.fetch_first(found)
            wanted &= true() if row is None else own.place > row["place"]
        return [row["letter"] for row in await self._letters.read(wanted, bytes_max)]

    async def trim(self, link_id: LinkId, settled: Iterable[SettledPeriod], kept_after: datetime) -> None:
        """Drop letters that need not be kept, from wherever they are."""
        is_wanted = (incoming_letter.c.link_id == link_id) & self._letters.match_free(settled, kept_after)
        await self._connection.change(delete(incoming_letter).where(is_wanted))

    async def _lock(self, link_id: LinkId, log: LinkLog) -> AnyRow:
        """Return the log's row, made if there is none, locked until commit."""
        wanted = select(incoming_log).where(_match(link_id, log))
        rows = await self._connection.fetch_locked(wanted)
        if not rows:
            begun = {"incarnation": None, "sequence": 0, "hash": b"", "last_place": 0}
            await self._connection.insert_or_ignore(incoming_log, {"link_id": link_id, "link_log": log, **begun})
            rows = await self._connection.fetch_locked(wanted)
        return rows[0]


def _match(link_id: LinkId, log: LinkLog) -> Condition:
    return (incoming_log.c.link_id == link_id) & (incoming_log.c.link_log == log)


def _read_cursor(row: AnyRow | None) -> LogCursor | None:
    if row is None or row["incarnation"] is None:
        return None
    return LogCursor(row["incarnation"], row["sequence"], row["hash"])
