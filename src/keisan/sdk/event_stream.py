"""A stream of server-sent events (WHATWG HTML, 9.2), one connection long: the data of each event, as text."""

from collections.abc import AsyncGenerator, AsyncIterator

import httpx

from keisan.domain.errors import PlatformUnreachable
from keisan.sdk.faults import read_problem
from keisan.sdk.transport import API_PATH, Query, Transport, format_query, name_place

# A heartbeat comes every 10 s; three that are missing say that the connection is dead.
SILENCE_S = 30.0


async def read_events(transport: Transport, path: str, query: Query) -> AsyncGenerator[str, None]:
    """Iterate over the events of one connection, until the platform ends it.

    Raises what the platform answers, and PlatformUnreachable if it does not, breaks off, or says nothing for SILENCE_S.
    """
    request = transport.http.build_request(
        "GET",
        API_PATH + path,
        params=format_query(query),
        headers={"accept": "text/event-stream"},
        timeout=httpx.Timeout(SILENCE_S, connect=10.0),
    )
    place = name_place(request)
    try:
        answer = await transport.http.send(request, stream=True)
        try:
            if answer.status_code >= 400:
                await answer.aread()
                raise read_problem(answer)
            async for line in _split_lines(answer.aiter_bytes()):
                # The platform writes the data of an event on one line.
                if line.startswith(b"data: "):
                    yield line[6:].decode()
        finally:
            await answer.aclose()
    except httpx.HTTPError as fault:
        raise PlatformUnreachable(f"the platform at {place} broke off", repr(fault)) from fault


async def _split_lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a stream; nothing but LF ends one, whatever a name holds."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
