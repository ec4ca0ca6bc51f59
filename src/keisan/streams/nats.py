"""Streams on NATS JetStream: what is committed is carried there, none lost, none doubled, and read there."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogItem
from keisan.domain.register import RegisterKey, RegisterMark
from keisan.storage.base import Storage
from keisan.streams.nats_connection import NatsConnection, translate_errors
from keisan.streams.nats_log import NatsLogs
from keisan.streams.nats_register import NatsRegisters

OWN = PlatformScope()
OWNER_CHARACTERS = 16


class NatsStreams:
    """Streams of one platform on a server, or a cluster, that others may use too."""

    def __init__(self, storage: Storage, url: str, platform_id: PlatformId) -> None:
        self._storage = storage
        self._connection = NatsConnection(url)
        owner = platform_id[:OWNER_CHARACTERS]
        self._logs = NatsLogs(storage, self._connection, owner)
        self._registers = NatsRegisters(storage, self._connection, owner)

    async def read(
        self, link_id: LinkId, log: LinkLog, incarnation: UUID, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        """Return items of an incarnation of a log."""
        with translate_errors():
            return await self._logs.read((link_id, log), incarnation, after_sequence, bytes_max)

    async def find(self, key: RegisterKey) -> Letter | None:
        """Return what was carried last of a register."""
        with translate_errors():
            return await self._registers.find(key)

    async def watch(self, kind: str, known: Mapping[RegisterKey, RegisterMark]) -> Sequence[Letter]:
        """Return the registers of a kind that are newer than what the caller knows."""
        with translate_errors():
            return await self._registers.watch(kind, known)

    async def carry(self) -> int:
        """Bring everything committed to JetStream, and drop there what was trimmed; return how many letters went."""
        async with self._storage.read() as view:
            logs = await view.outgoing_logs.list_ends(OWN)
        with translate_errors():
            return sum([await self._logs.carry(log) for log in logs]) + await self._registers.carry()

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
