"""Streams on the platform's own database: they are read where they are written."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogItem
from keisan.domain.register import RegisterKey, RegisterMark
from keisan.storage.base import Storage

OWN = PlatformScope()


class SqlStreams:
    """Streams in storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def read(
        self, link_id: LinkId, log: LinkLog, incarnation: UUID, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        """Return items of an incarnation of a log; none of one that has ended."""
        async with self._storage.read() as view:
            end = await view.outgoing_logs.get_end(OWN, link_id, log)
            if end is None or end.incarnation != incarnation:
                return ()
            return await view.outgoing_logs.read(OWN, link_id, log, after_sequence, bytes_max)

    async def find(self, key: RegisterKey) -> Letter | None:
        """Return what is kept of a register."""
        async with self._storage.read() as view:
            return await view.registers.find(OWN, key)

    async def watch(self, kind: str, known: Mapping[RegisterKey, RegisterMark]) -> Sequence[Letter]:
        """Return the registers of a kind that are newer than what the caller knows."""
        async with self._storage.read() as view:
            lines = [place.line for place in await view.registers.list_places(OWN, 0)]
            of_kind = [line for line in lines if line.key.kind == kind]
            newer = [line.key for line in of_kind if line.mark.is_newer_than(known.get(line.key))]
            return await view.registers.list_letters(OWN, newer)

    async def carry(self) -> int:
        """Return 0: everything is there already."""
        return 0

    async def close(self) -> None:
        """Do nothing: storage is its opener's."""
