"""What both directions of a link's logs share: letters as rows, each at a place that never changes, and what is read of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, PrimaryKeyConstraint, Table, UniqueConstraint, func, or_, select

from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.link_log import LinkLog, SettledPeriod
from keisan.kit.clock import Clock
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import PARAMETERS_PER_STATEMENT_MAX, Condition, split_chunks
from keisan.storage.schema import AnyColumn, AnyRow, EnumText, Instant, build_column, build_id, metadata

DIGEST_BYTES = 16


def build_letter_table(name: str, *columns: AnyColumn) -> Table:
    """Return the table of a direction's letters, with columns of its own.

    Whose a letter is counts with its id: nobody keeps another's letter out by using its id first. What settles it is one digest,
    since author and audience in full would be a fifth of a row.
    """
    return Table(
        name,
        metadata,
        build_id("link_id"),
        build_column("link_log", EnumText(LinkLog)),
        build_column("place", BigInteger()),
        build_id("letter_id"),
        build_column("author", LargeBinary()),
        build_column("period_digest", LargeBinary(), is_nullable=True),
        build_column("kept_at", Instant()),
        build_column("letter", LargeBinary()),
        *columns,
        PrimaryKeyConstraint("link_id", "link_log", "place"),
        # By the letter first: without figures of the table PostgreSQL takes what begins with a log for a way to a place in it.
        UniqueConstraint("letter_id", "author", "link_id", "link_log"),
    )


def digest_period(author: PlatformId, audience: PlatformId | None, period: str) -> bytes | None:
    """Return what a letter's settlement period is found by; None for a letter without one."""
    if not period:
        return None
    return hashlib.sha256("\0".join((author, audience or "", period)).encode()).digest()[:DIGEST_BYTES]


def pack_author(author: PlatformId) -> bytes:
    """Return a platform's id as the bytes that its hex digits stand for."""
    return bytes.fromhex(author)


class LetterRows:
    """The letters of all links in one direction."""

    def __init__(self, connection: GuardedConnection, clock: Clock, table: Table) -> None:
        self._connection = connection
        self._clock = clock
        self._table = table

    def match(self, link_id: LinkId, log: LinkLog) -> Condition:
        """Return the condition on the letters of one log."""
        return (self._table.c.link_id == link_id) & (self._table.c.link_log == log)

    async def pick_new(self, link_id: LinkId, log: LinkLog, letters: Sequence[Letter]) -> list[Letter]:
        """Return the letters that are not kept in the log, each once, in order."""
        own = self._table.c
        # By ids alone: told the log too, PostgreSQL without figures of the table reads all of that instead.
        named = (own.letter_id, own.author, own.link_id, own.link_log)
        seen = set[tuple[Any, bytes]]()
        for chunk in split_chunks([letter.id for letter in letters], PARAMETERS_PER_STATEMENT_MAX):
            wanted = select(*named).where(self._connection.match_any(own.letter_id, chunk))
            for row in await self._connection.fetch_all(wanted):
                if (row["link_id"], row["link_log"]) == (link_id, log):
                    seen.add((row["letter_id"], bytes(row["author"])))
        found = []
        for letter in letters:
            key = (letter.id, pack_author(letter.author))
            if key not in seen:
                seen.add(key)
                found.append(letter)
        return found

    async def insert(
        self,
        log: tuple[LinkId, LinkLog],
        letters: Sequence[Letter],
        encoded: Sequence[bytes],
        columns: Mapping[str, Sequence[object]],
    ) -> None:
        """Insert letters that are new, with the columns `place` and whatever else the direction has."""
        link_id, name = log
        count = len(letters)
        shared: dict[str, Sequence[object]] = {
            "link_id": [link_id] * count,
            "link_log": [str(name)] * count,
            "letter_id": [letter.id for letter in letters],
            "author": [pack_author(letter.author) for letter in letters],
            "period_digest": [digest_period(letter.author, letter.audience, letter.period) for letter in letters],
            "kept_at": [self._clock.now()] * count,
            "letter": encoded,
        }
        await self._connection.copy_columns(self._table, {**shared, **columns})

    async def read(self, condition: Condition, bytes_max: int) -> Sequence[AnyRow]:
        """Return the first rows, in order, whose letters have at most `bytes_max` together, but at least one if there is one."""
        own = self._table.c
        sized = select(own.place, func.length(own.letter).label("size")).where(condition).order_by(own.place)
        last_place, read_bytes = 0, 0
        for row in await self._connection.fetch_all(sized.limit(LINK_BATCH_LETTERS_MAX)):
            read_bytes += row["size"]
            if last_place and read_bytes > bytes_max:
                break
            last_place = row["place"]
        wanted = select(self._table).where(condition, own.place <= last_place).order_by(own.place)
        return await self._connection.fetch_all(wanted) if last_place else ()

    def match_free(self, settled: Iterable[SettledPeriod], kept_after: datetime) -> Condition:
        """Return the condition on letters that need not be kept: of a settled period, or old enough and of none."""
        digests = {digest_period(each.author, each.audience, each.period) for each in settled}
        own = self._table.c
        named = self._connection.match_any(own.period_digest, sorted(each for each in digests if each))
        # Never null, so that what is not to go can be asked for too.
        is_settled = own.period_digest.is_not(None) & named
        return or_(is_settled, own.period_digest.is_(None) & (own.kept_at <= kept_after))
