"""The carrier of streams: what could not go goes the next time, and only the turn of fortune is told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from keisan.control.stream_carrier import StreamCarrier
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogItem
from keisan.domain.register import RegisterKey, RegisterMark
from tests.factories import FixedClock


@dataclass
class ScriptedStreams:
    """Streams whose every turn is a number of letters, or a failure for None; `stop` is set with the last."""

    turns: list[int | None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    async def read(
        self, link_id: LinkId, log: LinkLog, incarnation: UUID, after_sequence: int, bytes_max: int
    ) -> Sequence[LogItem]:
        raise NotImplementedError

    async def find(self, key: RegisterKey) -> Letter | None:
        raise NotImplementedError

    async def watch(self, kind: str, known: Mapping[RegisterKey, RegisterMark]) -> Sequence[Letter]:
        raise NotImplementedError

    async def carry(self) -> int:
        turn = self.turns.pop(0)
        if not self.turns:
            self.stop.set()
        if turn is None:
            raise StorageUnavailable("NATS cannot be reached or is busy")
        return turn

    async def close(self) -> None:
        self.is_closed = True


async def test_it_goes_on_through_failures_and_tells_their_begin_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr("keisan.control.stream_carrier.write_log", lambda name, **data: told.append((name, data)))
    monkeypatch.setattr("keisan.control.stream_carrier.write_warning", lambda name, **_: told.append((name, None)))
    streams = ScriptedStreams([1, None, None, 5, 0])
    await StreamCarrier(streams, FixedClock()).run(streams.stop)
    assert told == [("streams.unreachable", None), ("streams.reached_again", {"carried": 5})]
    assert streams.turns == []
    assert streams.is_closed
