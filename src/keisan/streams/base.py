"""The contract of streams: what a platform's transactions have written of logs and registers, to be read within it.

Writing is storage's (`outgoing_logs`, `registers`): it commits with what caused it, each letter once. Cursors are storage's too, and
move in the transaction that applied. An implementation may carry what is committed elsewhere; it may lag, and loses nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogItem
from keisan.domain.register import RegisterKey, RegisterMark


class Streams(Protocol):
    """Logs and registers of one platform. Whoever cannot reach them raises StorageUnavailable (retryable)."""

    async def read(
        self, link_id: LinkId, log: LinkLog, incarnation: UUID, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        """Return items of an incarnation of a log, as OutgoingLogRepository.read does; none of one that has ended.

        There may be less than was committed before the call, but nothing only if there is nothing.
        """
        ...

    async def find(self, key: RegisterKey) -> Letter | None:
        """Return what was carried last of a register."""
        ...

    async def watch(self, kind: str, known: Mapping[RegisterKey, RegisterMark]) -> Sequence[Letter]:
        """Return the registers of a kind that are newer than what the caller knows, tombstones too, in order of their keys."""
        ...

    async def carry(self) -> int:
        """Bring everything committed to where it is read, and drop there what was trimmed; return how many letters went."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
