"""Registers on JetStream: one stream for all of a platform, with a subject for each register, of which the last message is kept."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from nats.js import api

from keisan.domain.access import PlatformScope
from keisan.domain.letter import Letter
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.register import RegisterKey, RegisterMark, mark_register
from keisan.storage.base import Storage
from keisan.streams.nats_connection import Message, NatsConnection
from keisan.wire.letter import decode_letter, encode_letter

OWN = PlatformScope()
PLACE_CHARACTERS = 40


@dataclass(slots=True)
class _Carried:
    """What was read of the stream that was made at a time, up to a sequence: letters by the last part of their subjects."""

    created_at: datetime | None = None
    sequence: int = 0
    letters: dict[str, Letter] = field(default_factory=dict)


class NatsRegisters:
    """The registers of one platform."""

    def __init__(self, storage: Storage, connection: NatsConnection, owner: str) -> None:
        self._storage = storage
        self._connection = connection
        self._stream = f"keisan_{owner}_register"
        self._subject = f"keisan.{owner}.register."
        self._carried = _Carried()
        self._turn = asyncio.Lock()

    async def find(self, key: RegisterKey) -> Letter | None:
        """Return what was carried last of a register."""
        async with self._turn:
            return (await self._read()).get(name_place(key))

    async def watch(self, kind: str, known: Mapping[RegisterKey, RegisterMark]) -> Sequence[Letter]:
        """Return the registers of a kind that are newer than what the caller knows."""
        async with self._turn:
            by_key = {find_key(letter): letter for letter in (await self._read()).values() if letter.kind == kind}
        return [by_key[key] for key in sorted(by_key) if mark_register(by_key[key]).is_newer_than(known.get(key))]

    async def carry(self) -> int:
        """Carry what is committed and not there yet, take away what is gone, and return how many messages that took."""
        async with self._turn:
            known = {find_key(letter): mark_register(letter) for letter in (await self._read()).values()}
            async with self._storage.read() as view:
                lines = [place.line for place in await view.registers.list_places(OWN, 0)]
                kept = {line.key: line.mark for line in lines}
                changed = [key for key, mark in kept.items() if known.get(key) != mark]
                letters = await view.registers.list_letters(OWN, changed)
            messages = [
                Message(self._subject + name_place(find_key(letter)), encode_letter(letter)) for letter in letters
            ]
            messages += [Message(self._subject + name_place(key), b"") for key in known if key not in kept]
            for start in range(0, len(messages), LINK_BATCH_LETTERS_MAX):
                await self._connection.publish(messages[start : start + LINK_BATCH_LETTERS_MAX])
            return len(messages)

    async def _read(self) -> Mapping[str, Letter]:
        """Read what was carried since it was read last, and return all."""
        info = await self._connection.find_state(self._stream) or await self._create()
        if info.created != self._carried.created_at:
            self._carried = _Carried(info.created)
        own = self._carried
        while own.sequence < info.state.last_seq:
            messages = await self._connection.fetch(self._stream, own.sequence + 1)
            if not messages:
                break
            for message in messages:
                place = message.subject.removeprefix(self._subject)
                if message.data:
                    own.letters[place] = decode_letter(message.data)
                else:
                    own.letters.pop(place, None)
                own.sequence = message.sequence
        return own.letters

    async def _create(self) -> api.StreamInfo:
        context = await self._connection.open()
        return await context.add_stream(
            name=self._stream,
            subjects=[self._subject + "*"],
            max_msgs_per_subject=1,
            storage=api.StorageType.FILE,
        )


def find_key(letter: Letter) -> RegisterKey:
    """Return a register's key."""
    return RegisterKey(letter.author, letter.kind, letter.name)


def name_place(key: RegisterKey) -> str:
    """Return the last part of a register's subject: a key may hold any text."""
    return sha256("\0".join(key).encode()).hexdigest()[:PLACE_CHARACTERS]
