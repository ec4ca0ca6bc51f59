"""Live roll-ups over HTTP as server-sent events: all of a level first, then each second what changed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from keisan.api.authentication import find_principal
from keisan.api.context import ApiContext, Caller, CallerOf, ContextOf
from keisan.api.telemetry import describe_rollup, find_provider
from keisan.control.telemetry_stream import StreamPiece
from keisan.domain.errors import Unauthenticated
from keisan.domain.ids import SiteId
from keisan.domain.limits import STREAM_KEY_LOOK_S, STREAM_SEND_S_MAX
from keisan.domain.roll_up import RollUp
from keisan.kit.clock import from_milliseconds
from keisan.kit.observe import write_warning
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.wire.telemetry import StreamQuery

EVENT_STREAM_TYPE = "text/event-stream"
HEARTBEAT = b": heartbeat\n\n"
DESCRIPTION = (
    "Server-sent events, each with an id and a RollUpUpdate as its data: `whole`, the first and whenever something has gone, "
    "and `change`, what is different from before. A comment comes where nothing changes for 10 s. Whoever comes again is told all."
)

router = APIRouter(prefix="/telemetry", tags=["telemetry"])


@router.get(
    "/stream",
    response_class=Response,
    responses={200: {"description": DESCRIPTION, "content": {EVENT_STREAM_TYPE: {"schema": {"type": "string"}}}}},
)
async def stream_rollups(caller: CallerOf, context: ContextOf, query: Annotated[StreamQuery, Query()]) -> Response:
    asked = RollUpQuery(
        level=query.level,
        region=query.region,
        site_id=None if query.site_id is None else SiteId(query.site_id),
        provider_id=find_provider(caller),
    )
    # What cannot be answered is refused while there still can be a refusal.
    read_rollups(context.fleet.fleet, asked)
    return RollUpResponse(context, caller, asked, query.events_max)


@dataclass(slots=True)
class _Ending:
    """When a stream is over: after so many events, or when its key is."""

    events_left: int | None
    looked_s: float


class RollUpResponse(Response):
    """Writes pieces as they come, until the reader goes, is too slow, its key is revoked, or the process ends."""

    def __init__(self, context: ApiContext, caller: Caller, query: RollUpQuery, events_max: int | None) -> None:
        # no-transform: a proxy that compresses would hold events back.
        headers = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}
        super().__init__(None, headers=headers, media_type=EVENT_STREAM_TYPE)
        del self.headers["content-length"]
        self._context = context
        self._caller = caller
        self._query = query
        self._ending = _Ending(events_max, context.control.clock.monotonic_s())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        with self._context.streams.enter():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write(send))
                leaving = group.create_task(_wait_until_gone(receive))
                await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                writing.cancel()
                leaving.cancel()

    async def _write(self, send: Send) -> None:
        context = self._context
        pieces = context.streams.follow(context.fleet, self._query, _encode_rollup)
        async with aclosing(pieces):
            is_read = await self._write_pieces(pieces, send)
        if is_read:
            await send({"type": "http.response.body", "body": b""})

    async def _write_pieces(self, pieces: AsyncGenerator[StreamPiece | None, None], send: Send) -> bool:
        """Write until there is nothing more to be told; return False if the reader takes nothing any more."""
        async for piece in pieces:
            if not await self._has_key():
                return True
            body = HEARTBEAT if piece is None else encode_piece(piece)
            try:
                async with asyncio.timeout(STREAM_SEND_S_MAX):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError:
                write_warning("stream.cut", key_id=str(self._caller.principal.id), after_s=STREAM_SEND_S_MAX)
                return False
            if piece is not None and self._ending.events_left is not None:
                self._ending.events_left -= 1
                if not self._ending.events_left:
                    return True
        return True

    async def _has_key(self) -> bool:
        """Tell whether the key with which the stream was opened is still in force."""
        control = self._context.control
        now_s = control.clock.monotonic_s()
        if now_s - self._ending.looked_s < STREAM_KEY_LOOK_S:
            return True
        self._ending.looked_s = now_s
        try:
            return await find_principal(control.storage, self._caller.secret) == self._caller.principal
        except Unauthenticated:
            return False


def encode_piece(piece: StreamPiece) -> bytes:
    """Return a piece as an event; its data is a RollUpUpdate."""
    taken_at = from_milliseconds(piece.taken_ms).isoformat().encode()
    is_whole = b"true" if piece.is_whole else b"false"
    name = b"whole" if piece.is_whole else b"change"
    data = b'{"taken_at":"%b","is_whole":%b,"items":[%b]}' % (taken_at, is_whole, b",".join(piece.items))
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (piece.taken_ms, name, data)


def _encode_rollup(rollup: RollUp) -> bytes:
    return msgspec.json.encode(describe_rollup(rollup))


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
