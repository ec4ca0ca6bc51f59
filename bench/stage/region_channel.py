"""Links over plain TCP that count what they send: protocol and letters are in these bytes, WebSocket and TLS are not."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from keisan.domain.errors import NeighbourUnreachable

LENGTH_BYTES = 4

# A moment, and what each channel had sent by then.
Sample = tuple[float, list[int]]


@dataclass(slots=True)
class TcpChannel:
    """Carries messages over TCP, each after its length. `sent_bytes` counts them with it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent_bytes: int = 0

    async def send(self, data: bytes) -> None:
        """Send a message; raises NeighbourUnreachable."""
        self.sent_bytes += LENGTH_BYTES + len(data)
        try:
            self.writer.write(len(data).to_bytes(LENGTH_BYTES) + data)
            await self.writer.drain()
        except OSError as fault:
            raise NeighbourUnreachable("the connection has ended") from fault

    async def receive(self) -> bytes:
        """Return the next message; raises NeighbourUnreachable."""
        try:
            length = int.from_bytes(await self.reader.readexactly(LENGTH_BYTES))
            return await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as fault:
            raise NeighbourUnreachable("the connection has ended") from fault

    async def close(self) -> None:
        """End the connection."""
        self.writer.close()


async def sample_bytes(channels: Sequence[TcpChannel], samples: list[Sample]) -> None:
    """Note each second what every channel has sent."""
    while True:
        samples.append((time.monotonic(), [channel.sent_bytes for channel in channels]))
        await asyncio.sleep(1)


def compute_rates(samples: Sequence[Sample], number: int) -> list[float]:
    """Return the bytes a second that one channel sent between each two samples."""
    return [(after[number] - before[number]) / (to_s - from_s) for (from_s, before), (to_s, after) in pairwise(samples)]
