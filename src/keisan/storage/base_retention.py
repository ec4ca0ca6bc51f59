"""The storage contract's part for retention: the only rows that are deleted for their age, a bounded number at a time.

Kept apart from base.py for its length only.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.retention import RetentionKind


@dataclass(frozen=True, slots=True)
class RetentionCount:
    """Of a kind: all rows, those that may go by a cutoff, and the time of the oldest that could, None without one."""

    stored_count: int
    due_count: int
    oldest_at: datetime | None


class RetentionRepository(Protocol):
    """Rows by kind and age; a platform sees all, others nothing."""

    async def find_oldest(self, scope: Scope, kind: RetentionKind) -> datetime | None:
        """Return the time of the oldest row that could go; None if there is none."""
        ...

    async def count(self, scope: Scope, kind: RetentionKind, cutoff: datetime) -> RetentionCount:
        """Count a kind's rows."""
        ...

    async def delete_before(self, kind: RetentionKind, cutoff: datetime, most: int) -> int:
        """Delete up to `most` rows from before the cutoff, oldest first, and return how many there were."""
        ...
