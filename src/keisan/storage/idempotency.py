"""Answers kept under (principal, idempotency key), so that a repeated write gets the answer of the first."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, PrimaryKeyConstraint, SmallInteger, Table, Text, select

from keisan.domain.errors import AlreadyExists
from keisan.storage.base import StoredAnswer
from keisan.storage.connection import GuardedConnection
from keisan.storage.schema import Instant, build_column, build_id, metadata

stored_answer = Table(
    "stored_answer",
    metadata,
    build_id("principal_id"),
    build_column("key", Text()),
    build_column("request_digest", Text()),
    build_column("status", SmallInteger()),
    build_column("body", Text()),
    build_column("etag", Text(), is_nullable=True),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("principal_id", "key"),
    Index(None, "created_at"),
)


class IdempotencyRepository:
    """Keeps answers; retention deletes them after their time."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find(self, principal_id: UUID, key: str) -> StoredAnswer | None:
        """Return the answer kept under this key."""
        is_kept = (stored_answer.c.principal_id == principal_id) & (stored_answer.c.key == key)
        row = await self._connection.fetch_first(select(stored_answer).where(is_kept))
        return None if row is None else StoredAnswer(row["request_digest"], row["status"], row["body"], row["etag"])

    async def insert(self, principal_id: UUID, key: str, answer: StoredAnswer, created_at: datetime) -> None:
        """Keep an answer; raises AlreadyExists if a concurrent request was first."""
        row = {
            "principal_id": principal_id,
            "key": key,
            "request_digest": answer.request_digest,
            "status": answer.status,
            "body": answer.body,
            "etag": answer.etag,
            "created_at": created_at,
        }
        if not await self._connection.insert_or_ignore(stored_answer, row):
            raise AlreadyExists("this idempotency key is in use")
