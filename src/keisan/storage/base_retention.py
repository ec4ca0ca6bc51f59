"""Retention's part of the storage contract: how far it has come, what it examines, and the deletions it makes.

Kept apart from base.py for its length only.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.retention import DayClaim, RetentionKind, RetentionMark


class RetentionRepository(Protocol):
    """Deletes what is old. Whoever calls has decided; usage records go only of days that are read from the archive."""

    async def get_mark(self, scope: Scope) -> RetentionMark:
        """Return how far the deletion of usage records has come; raises NotFound outside a platform's scope."""
        ...

    async def put_mark(self, mark: RetentionMark) -> None: ...
    async def hold_days(self) -> None:
        """Let no day be deleted until this view or transaction ends: as its first statement, or the day may be gone already."""
        ...

    async def join_posting(self) -> None:
        """Let whoever closes a day wait until this transaction ends, as it waits for who inserts records."""
        ...

    async def find_oldest_day(self, scope: Scope, after: date | None) -> date | None:
        """Return the first day after one that has stored usage records."""
        ...

    async def count_day(self, scope: Scope, day: date) -> int:
        """Return how many usage records of a day are stored."""
        ...

    async def list_claims(self, scope: Scope, day: date) -> Sequence[DayClaim]:
        """Return all who must have a day's stored records on a closed statement: payers, and providers, also of late ones."""
        ...

    async def delete_day(self, day: date, most: int) -> bool:
        """Delete a day's usage records, as a whole or so many of them, and tell whether none is left.

        Raises InvariantBroken unless the day is read from the archive, StorageUnavailable while somebody reads.
        """
        ...

    async def count_expired(self, scope: Scope, kind: RetentionKind, before: datetime) -> int:
        """Return how many of a kind other than usage may go."""
        ...

    async def delete_expired(self, kind: RetentionKind, before: datetime, most: int) -> int:
        """Delete some of a kind other than usage that may go, and return how many there were."""
        ...
