"""A board of this process's connections: who is connected can be asked something, now, and is not asked when it is not there."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from keisan.domain.errors import Failed, NeighbourUnreachable
from keisan.domain.ids import PlatformId
from keisan.domain.link_log import LinkLog
from keisan.federation.effect import Answered

# Codes are also what a neighbour says: no more of them are told apart than this.
CODES_MAX = 32
OTHER_CODE = "other"


class LinkLine(Protocol):
    """A connection over which a question goes; what it returns ends with the connection, by NeighbourUnreachable.

    It also knows up to which sequence of an incarnation the neighbour has applied an own log, 0 before it has said.
    """

    def ask(self, subject: str, body: bytes) -> asyncio.Future[Answered]: ...
    def find_acknowledged(self, log: LinkLog, incarnation: UUID) -> int: ...


class LinkBoard:
    """The connections that are open, by neighbour."""

    def __init__(self) -> None:
        self._lines: dict[PlatformId, LinkLine] = {}
        self._closed: dict[PlatformId, Counter[str]] = {}

    def connect(self, neighbour_id: PlatformId, line: LinkLine) -> None:
        """Take that a neighbour is connected, by this connection in place of any before."""
        self._lines[neighbour_id] = line

    def disconnect(self, neighbour_id: PlatformId, line: LinkLine) -> None:
        """Take that a connection has ended; another one to the same neighbour stays."""
        if self._lines.get(neighbour_id) is line:
            del self._lines[neighbour_id]

    def count_closed(self, neighbour_id: PlatformId, code: str) -> None:
        """Count why a connection to a neighbour ended, or was refused."""
        counted = self._closed.setdefault(neighbour_id, Counter())
        counted[code if code in counted or len(counted) < CODES_MAX else OTHER_CODE] += 1

    def list_closed(self, neighbour_id: PlatformId) -> Mapping[str, int]:
        """Return how many connections to a neighbour have ended since this process began, by the code of why."""
        return dict(self._closed.get(neighbour_id, {}))

    def find_acknowledged(self, neighbour_id: PlatformId, log: LinkLog, incarnation: UUID) -> int:
        """Return up to which sequence of an own log a neighbour has applied it; 0 where it is not connected here, or has not said.

        The disk is told of it later, and by whichever process holds the connection.
        """
        line = self._lines.get(neighbour_id)
        return 0 if line is None else line.find_acknowledged(log, incarnation)

    async def ask(self, neighbour_id: PlatformId, subject: str, body: bytes, wait_s: float) -> bytes:
        """Ask a neighbour and return what it answers.

        Raises NeighbourUnreachable where it is not connected, or does not answer in time, and Failed where it refuses.
        """
        line = self._lines.get(neighbour_id)
        if line is None:
            raise NeighbourUnreachable("the neighbour is not connected")
        try:
            async with asyncio.timeout(wait_s):
                answered = await line.ask(subject, body)
        except TimeoutError as fault:
            raise NeighbourUnreachable(f"the neighbour did not answer in {wait_s:g} s") from fault
        if answered.code:
            raise Failed(f"the neighbour refused: {answered.code}", answered.body[:200].decode(errors="replace"))
        return answered.body
