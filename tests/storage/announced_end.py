"""Somebody between storage and its PostgreSQL server, who says in the server's name that it ends, and closes nothing."""

import asyncio
import contextlib
import fcntl
import struct
import sys
import tempfile
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.deadline import wait_until_async
from tests.postgresql import PostgresqlServer

SOCKET = ".s.PGSQL.5432"
CARRIED_BYTES = 65_536
CONNECT_S_MAX = 10.0
# An ErrorResponse of PostgreSQL's protocol: its kind, its length in bytes, and fields that end with a nought each, and together.
FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
SHUTDOWN = b"E" + struct.pack("!I", 4 + len(FIELDS)) + FIELDS


@asynccontextmanager
async def stand_between(
    server: PostgresqlServer, database: str
) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Yield the URL by which the server is reached through here, and what lets everybody connected by it read that the server ends."""
    connected: list[asyncio.StreamWriter] = []

    async def carry(near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await near.read(CARRIED_BYTES):
                far.write(part)
        far.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        async with asyncio.timeout(CONNECT_S_MAX):
            beyond_reader, beyond = await asyncio.open_unix_connection(server.socket_folder / SOCKET)
        await asyncio.gather(carry(reader, beyond), carry(beyond_reader, writer))

    async def announce() -> None:
        for writer in connected:
            writer.write(SHUTDOWN)
            await wait_until_async(lambda writer=writer: not count_unread(writer), "it is read")  # type: ignore[misc]  # bound here

    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        async with await asyncio.start_unix_server(connect, Path(folder) / SOCKET):
            url = replace(server, socket_folder=Path(folder)).format_url(database)
            yield url, announce


def count_unread(writer: asyncio.StreamWriter) -> int:
    """Return how much of what was written to a unix socket its reader has not read yet, in bytes of the system's."""
    return int.from_bytes(fcntl.ioctl(writer.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
