"""Events of one connection: data whole, whatever the pieces and whatever a name holds; faults as errors of the tree."""

from collections.abc import AsyncIterator

import httpx
import pytest

from keisan.domain.errors import PermissionDenied, PlatformUnreachable
from keisan.sdk.event_stream import read_events
from tests.sdk.platform import script_transport

STREAM = 'id: 1\nevent: whole\ndata: {"a":"b\N{LINE SEPARATOR}\x85c"}\n\n: heartbeat\n\nid: 2\nevent: change\ndata: {}\n\n'.encode()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_data_is_whole_however_it_is_cut(size: int) -> None:
    async def cut() -> AsyncIterator[bytes]:
        for start in range(0, len(STREAM), size):
            yield STREAM[start : start + size]

    transport = script_transport(lambda _: httpx.Response(200, content=cut()))
    assert [data async for data in read_events(transport, "/x", {})] == ['{"a":"b\N{LINE SEPARATOR}\x85c"}', "{}"]


async def test_question_is_sent_as_it_is_asked() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    assert [data async for data in read_events(script_transport(answer), "/x", {"level": "site", "region": None})] == []
    assert (asked[0].url.path, asked[0].url.query) == ("/api/v1/x", b"level=site")
    assert asked[0].headers["accept"] == "text/event-stream"


async def test_refusal_is_an_error_of_the_tree() -> None:
    problem = {
        "type": "urn:keisan:problem:permission_denied",
        "title": "Forbidden",
        "status": 403,
        "detail": "no",
        "code": "permission_denied",
        "retryable": False,
        "instance": "urn:x",
    }
    transport = script_transport(lambda _: httpx.Response(403, json=problem))
    with pytest.raises(PermissionDenied):
        await anext(read_events(transport, "/x", {}))


async def test_cut_is_told() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield STREAM[:-3]
        raise httpx.ReadError("gone")

    events = read_events(script_transport(lambda _: httpx.Response(200, content=cut())), "/x", {})
    assert await anext(events)
    with pytest.raises(PlatformUnreachable):
        [data async for data in events]
