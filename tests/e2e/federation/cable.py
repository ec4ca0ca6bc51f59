"""What lies between a gateway and its parent's: it passes bytes on, or cuts, or falls silent while all seems well."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PIECE_BYTES = 64 * 1024
CONNECT_S_MAX = 10.0

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Cable:
    """`address` is where to connect. A silent cable takes bytes and passes none, which nobody is told of."""

    target: tuple[str, int]
    address: str = ""
    is_cut: bool = False
    sound: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    connections: int = 0

    def cut(self) -> None:
        """End all connections, and every new one."""
        self.is_cut = True
        self.disconnect()

    def disconnect(self) -> None:
        """End all connections; new ones pass."""
        for writer in tuple(self.writers):
            writer.transport.abort()

    def mend(self) -> None:
        """Pass bytes again."""
        self.is_cut = False
        self.sound.set()

    def silence(self) -> None:
        """Pass nothing from now on."""
        self.sound.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                if not self.is_cut:
                    async with asyncio.timeout(CONNECT_S_MAX):
                        behind, beyond = await asyncio.open_connection(*self.target)
                    self.connections += 1
                    await self._join((reader, writer), (behind, beyond))
        finally:
            writer.transport.abort()

    async def _join(self, near: Ends, far: Ends) -> None:
        self.writers |= {near[1], far[1]}
        try:
            ways = [asyncio.create_task(self._pass(near[0], far[1])), asyncio.create_task(self._pass(far[0], near[1]))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        finally:
            self.writers -= {near[1], far[1]}
            far[1].transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await self.sound.wait()
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def run_cable(target: tuple[str, int]) -> AsyncIterator[Cable]:
    """Lay a cable from a free port of this host to `target`."""
    cable = Cable(target)
    cable.sound.set()
    server = await asyncio.start_server(cable.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    cable.address = f"{host}:{port}"
    try:
        yield cable
    finally:
        cable.cut()
        cable.sound.set()
        server.close()
        await server.wait_closed()
