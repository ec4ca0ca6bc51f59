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
from keisan.control.context import Control
from keisan.control.telemetry_stream import StreamPiece
from keisan.domain.errors import StorageUnavailable, Unauthenticated
from keisan.domain.ids import SiteId
from keisan.domain.limits import (
    STREAM_KEY_LOOK_S,
    STREAM_KEY_UNSEEN_S_MAX,
    STREAM_KEY_WAIT_S_MAX,
    STREAM_SEND_S_MAX,
)
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
class _KeyLook:
    """Looks every STREAM_KEY_LOOK_S whether a key is still in force; who writes waits for that no longer than a moment."""

    control: Control
    caller: Caller
    asked_s: float
    known_s: float
    task: asyncio.Task[bool] | None = None

    async def is_in_force(self, group: asyncio.TaskGroup) -> bool:
        """Tell whether the key was in force when the database told last, unless that is too long ago."""
        now_s = self.control.clock.monotonic_s()
        # A look that was late is taken up before the next: what it saw may no longer be so.
        if not self._take_up():
            return False
        if self.task is None and now_s - self.asked_s >= STREAM_KEY_LOOK_S:
            self.asked_s = now_s
            self.task = group.create_task(self._look())
            await asyncio.wait({self.task}, timeout=STREAM_KEY_WAIT_S_MAX)
        return self._take_up() and now_s - self.known_s < STREAM_KEY_UNSEEN_S_MAX

    def _take_up(self) -> bool:
        """Forget a look that is done, and tell whether it saw the key in force; one that is not done denies nothing."""
        if self.task is None or not self.task.done():
            return True
        is_in_force = self.task.result()
        if is_in_force:
            self.task = None
        return is_in_force

    async def _look(self) -> bool:
        try:
            found = await find_principal(self.control.storage, self.caller.secret)
        except Unauthenticated:
            return False
        except StorageUnavailable as fault:
            write_warning("stream.key_not_looked_up", key_id=str(self.caller.principal.id), code=fault.code)
            return True
        self.known_s = self.control.clock.monotonic_s()
        return found == self.caller.principal


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
        now_s = context.control.clock.monotonic_s()
        self._key = _KeyLook(context.control, caller, now_s, now_s)
        self._events_left = events_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        with self._context.streams.enter():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write(send, group))
                leaving = group.create_task(_wait_until_gone(receive))
                await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                writing.cancel()
                leaving.cancel()
                if self._key.task is not None:
                    self._key.task.cancel()

    async def _write(self, send: Send, group: asyncio.TaskGroup) -> None:
        context = self._context
        pieces = context.streams.follow(context.fleet, self._query, _encode_rollup)
        async with aclosing(pieces):
            is_read = await self._write_pieces(pieces, send, group)
        if is_read:
            await send({"type": "http.response.body", "body": b""})

    async def _write_pieces(
        self, pieces: AsyncGenerator[StreamPiece | None, None], send: Send, group: asyncio.TaskGroup
    ) -> bool:
        """Write until there is nothing more to be told; return False if the reader takes nothing any more."""
        async for piece in pieces:
            if not await self._key.is_in_force(group):
                return True
            body = HEARTBEAT if piece is None else encode_piece(piece)
            try:
                async with asyncio.timeout(STREAM_SEND_S_MAX):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError:
                write_warning("stream.cut", key_id=str(self._caller.principal.id), after_s=STREAM_SEND_S_MAX)
                return False
            if piece is not None and self._events_left is not None:
                self._events_left -= 1
                if not self._events_left:
                    return True
        return True


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
