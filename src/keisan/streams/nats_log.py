"""Logs on JetStream: a stream of it is one incarnation of one log, at the log's own sequences less a base.

What is committed is carried from where the stream ends, so no mark can be lost. The database stays the truth: a stream that lost
its disk, or has what a restored database never wrote, is begun anew.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
from nats.js import api
from nats.js.errors import NotFoundError

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LetterId, LinkId
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.link_log import LinkLog, LogEnd, LogItem
from keisan.storage.base import Storage
from keisan.streams.nats_connection import Message, NatsConnection

OWN = PlatformScope()
CARRIED_BYTES: Final = 512 * 1024
LETTER_BYTES_USUAL: Final = 1024
LogKey = tuple[LinkId, LinkLog]


class _Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An item of a log as JetStream keeps it, with its own sequence."""

    sequence: int
    hash: bytes
    letter_id: UUID
    letter: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an incarnation of a log is: sequence `base` + 1 is the stream's first."""

    stream: str
    incarnation: UUID
    base: int

    @property
    def subject(self) -> str:
        """Return what its items are sent to."""
        return self.stream.replace("_", ".")


_read_item = msgspec.msgpack.Decoder(_Item).decode
_encode = msgspec.msgpack.Encoder().encode


class NatsLogs:
    """The logs of one platform."""

    def __init__(self, storage: Storage, connection: NatsConnection, owner: str) -> None:
        self._storage = storage
        self._connection = connection
        self._owner = owner
        self._places: dict[LogKey, _Place] = {}
        self._carrying = asyncio.Lock()

    async def read(self, log: LogKey, incarnation: UUID, after_sequence: int, bytes_max: int) -> Sequence[LogItem]:
        """Return items of an incarnation; what is not carried yet is carried if nothing else is there."""
        # What would be fetched and then cut off is fetched again the next time.
        count_max = max(1, min(bytes_max // LETTER_BYTES_USUAL, LINK_BATCH_LETTERS_MAX))
        found = await self._read_carried(log, incarnation, after_sequence, count_max)
        if not found:
            await self.carry(log)
            found = await self._read_carried(log, incarnation, after_sequence, count_max)
        return cut_bytes(found, bytes_max)

    async def carry(self, log: LogKey) -> int:
        """Carry what is committed of a log, and drop what was trimmed; return how many items went."""
        async with self._carrying:
            end = await self._get_end(log)
            if end is None:
                return 0
            place, last = await self._find_place(log, end)
            if last < end.trimmed_sequence:
                # What went between was trimmed before it was carried.
                place, last = await self._begin(log, end), end.trimmed_sequence
            carried = await self._carry_items(log, place, last)
            await self._drop_trimmed(place, end)
            return carried

    async def _read_carried(
        self, log: LogKey, incarnation: UUID, after_sequence: int, count_max: int
    ) -> Sequence[LogItem]:
        place = self._places.get(log)
        if place is None or place.incarnation != incarnation:
            return ()
        try:
            messages = await self._connection.fetch(place.stream, max(after_sequence - place.base, 0) + 1, count_max)
        except NotFoundError:
            # Its disk is gone, or it has ended.
            return ()
        found = []
        for message in messages:
            item = _read_item(message.data)
            if item.sequence != place.base + message.sequence:
                # Another has begun the stream anew.
                del self._places[log]
                return ()
            found.append(LogItem(item.sequence, item.hash, LetterId(item.letter_id), item.letter))
        return found

    async def _carry_items(self, log: LogKey, place: _Place, last: int) -> int:
        carried = 0
        while True:
            async with self._storage.read() as view:
                end = await view.outgoing_logs.get_end(OWN, *log)
                items = await view.outgoing_logs.read(OWN, *log, last, CARRIED_BYTES)
            if not items or end is None or end.incarnation != place.incarnation:
                return carried
            # Refused is what does not follow: trimmed, or carried by another, meanwhile. The next turn looks where the stream ends.
            if not await self._publish(place, items):
                return carried
            last, carried = items[-1].sequence, carried + len(items)

    async def _publish(self, place: _Place, items: Sequence[LogItem]) -> bool:
        """Send items to their places, and tell whether all are there."""
        messages = []
        for item in items:
            sequence = item.sequence - place.base
            headers = {
                api.Header.MSG_ID.value: f"{sequence}-{item.letter_id.hex}",
                api.Header.EXPECTED_LAST_SEQUENCE.value: str(sequence - 1),
            }
            data = _encode(_Item(item.sequence, item.hash, item.letter_id, item.letter))
            messages.append(Message(place.subject, data, headers))
        sequences = await self._connection.publish(messages)
        return sequences == [item.sequence - place.base for item in items]

    async def _drop_trimmed(self, place: _Place, end: LogEnd) -> None:
        info = await self._connection.find_state(place.stream)
        first_kept = end.trimmed_sequence - place.base + 1
        if info is not None and info.state.messages and info.state.first_seq < first_kept:
            await (await self._connection.open()).purge_stream(place.stream, seq=first_kept)

    async def _find_place(self, log: LogKey, end: LogEnd) -> tuple[_Place, int]:
        """Return where an incarnation is, begun if it is nowhere, and up to which sequence it is there."""
        place = self._places.get(log)
        if place is not None and place.incarnation == end.incarnation:
            info = await self._connection.find_state(place.stream)
            last = 0 if info is None else place.base + info.state.last_seq
            if info is not None and info.config.description == str(place.base) and last <= end.sequence:
                return place, last
        prefix = self._name(log)
        context = await self._connection.open()
        for other in await self._connection.list_streams():
            if other.startswith(prefix) and other != prefix + end.incarnation.hex:
                await context.delete_stream(other)
        return await self._check(log, end)

    async def _check(self, log: LogKey, end: LogEnd) -> tuple[_Place, int]:
        """Go on with the stream of an incarnation if its last item is the database's too, and begin it anew if not."""
        name = self._name(log) + end.incarnation.hex
        info = await self._connection.find_state(name)
        if info is not None and info.state.messages:
            place = _Place(name, end.incarnation, int(info.config.description or 0))
            last = place.base + info.state.last_seq
            stored = await (await self._connection.open()).get_msg(name, info.state.last_seq)
            async with self._storage.read() as view:
                known = await view.outgoing_logs.find_hash(OWN, *log, last)
            if known is not None and stored.data is not None and known == _read_item(stored.data).hash:
                self._places[log] = place
                return place, last
        return await self._begin(log, end), end.trimmed_sequence

    async def _begin(self, log: LogKey, end: LogEnd) -> _Place:
        """Begin the stream of an incarnation with what is kept of it."""
        place = _Place(self._name(log) + end.incarnation.hex, end.incarnation, end.trimmed_sequence)
        context = await self._connection.open()
        if await self._connection.find_state(place.stream) is not None:
            await context.delete_stream(place.stream)
        await context.add_stream(
            name=place.stream, subjects=[place.subject], description=str(place.base), storage=api.StorageType.FILE
        )
        self._places[log] = place
        return place

    async def _get_end(self, log: LogKey) -> LogEnd | None:
        async with self._storage.read() as view:
            return await view.outgoing_logs.get_end(OWN, *log)

    def _name(self, log: LogKey) -> str:
        return f"keisan_{self._owner}_{log[0].hex}_{log[1]}_"


def cut_bytes(items: Sequence[LogItem], bytes_max: int) -> Sequence[LogItem]:
    """Return the first items of at most `bytes_max` together, but at least one if there is one."""
    read_bytes = 0
    for count, item in enumerate(items):
        read_bytes += len(item.letter)
        if count and read_bytes > bytes_max:
            return items[:count]
    return items
