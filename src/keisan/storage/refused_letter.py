"""Refused letters, by what they say: two letters of one id are two."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Index, LargeBinary, PrimaryKeyConstraint, Table, Text, delete, select

from keisan.domain.access import Scope
from keisan.domain.ids import LetterId, LinkId
from keisan.domain.letter import RefusedLetter
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import Visibility
from keisan.storage.schema import Instant, build_column, build_id, metadata
from keisan.wire.letter import decode_letter, encode_letter

VISIBILITY = Visibility()

refused_letter = Table(
    "refused_letter",
    metadata,
    build_id("letter_id"),
    build_column("digest", LargeBinary()),
    build_id("link_id"),
    build_column("code", Text()),
    build_column("text", Text()),
    build_column("arrived_at", Instant()),
    build_column("letter", LargeBinary()),
    PrimaryKeyConstraint("letter_id", "digest"),
    Index(None, "link_id", "arrived_at"),
    Index(None, "arrived_at"),
)


class RefusedLetterRepository:
    """Refused letters by id and by link."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def insert(self, refused: RefusedLetter) -> None:
        """Keep one; the same letter again changes nothing."""
        row = {
            "letter_id": refused.letter.id,
            "digest": hashlib.sha256(refused.letter.content).digest(),
            "link_id": refused.link_id,
            "code": refused.code,
            "text": refused.text,
            "arrived_at": refused.arrived_at,
            "letter": encode_letter(refused.letter),
        }
        await self._connection.insert_or_ignore(refused_letter, row)

    async def list_link(self, scope: Scope, link_id: LinkId | None, limit: int) -> Sequence[RefusedLetter]:
        """Return the newest first: of one link, or of all for None."""
        own = refused_letter.c
        wanted = select(refused_letter).where(VISIBILITY.limit(scope))
        if link_id is not None:
            wanted = wanted.where(own.link_id == link_id)
        rows = await self._connection.fetch_all(
            wanted.order_by(own.arrived_at.desc(), own.letter_id.desc()).limit(limit)
        )
        return [
            RefusedLetter(decode_letter(row["letter"]), row["link_id"], row["code"], row["text"], row["arrived_at"])
            for row in rows
        ]

    async def drop(self, letter_id: LetterId) -> None:
        """Forget one that was judged, or applied after all."""
        await self._connection.change(delete(refused_letter).where(refused_letter.c.letter_id == letter_id))
