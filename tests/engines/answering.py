"""A unix socket that gives every caller the same bytes, or none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def listen_on(path: Path, answer: bytes | None) -> AsyncIterator[None]:
    """Answer each request with `answer` and close; with None never answer."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    try:
        yield
    finally:
        over.set()
        server.close()
        await server.wait_closed()
