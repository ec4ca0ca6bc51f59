"""The transport: repeats what can be repeated, with the same key, and raises the rest."""

import httpx
import pytest

from keisan.domain.errors import NotFound, PlatformUnreachable, StorageUnavailable
from keisan.kit.http import HttpTarget, open_async_client
from keisan.sdk.transport import TRIES_MAX, Transport
from keisan.wire.organization import OrganizationCreate, OrganizationView
from keisan.wire.page import Page
from tests.api.stage import SteppedClock
from tests.domain.samples import build_organization
from tests.sdk.platform import script_transport

ORGANIZATION = OrganizationView.model_validate(build_organization()).model_dump(mode="json")
BUSY = {
    "type": "urn:keisan:problem:storage_unavailable",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "busy",
    "code": "storage_unavailable",
    "retryable": True,
}


async def test_file_is_sent_as_it_is_and_again_with_the_same_key() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers["content-type"], request.headers["idempotency-key"], request.content))
        if len(seen) == 1:
            return httpx.Response(503, json=BUSY)
        return httpx.Response(200, json=ORGANIZATION)

    await script_transport(answer).upload(OrganizationView, "/x", b"\xffa,b\r\n", "text/csv")
    assert seen[0] == seen[1]
    assert (seen[0][0], seen[0][2]) == ("text/csv", b"\xffa,b\r\n")


async def test_cut_connection_is_tried_again_with_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.RemoteProtocolError("closed", request=request)
        return httpx.Response(201, json=ORGANIZATION)

    transport = script_transport(answer)
    created = await transport.write(OrganizationView, "POST", "/organizations", OrganizationCreate(name="alpha"))
    assert created.name == "alpha"
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_each_write_has_a_key_of_its_own() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        return httpx.Response(201, json=ORGANIZATION)

    transport = script_transport(answer)
    for _ in range(2):
        await transport.write(OrganizationView, "POST", "/organizations", OrganizationCreate(name="alpha"))
    assert len(set(keys)) == 2


async def test_passing_fault_is_waited_out_then_raised() -> None:
    tries = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        return httpx.Response(503, json=BUSY)

    transport = script_transport(answer)
    with pytest.raises(StorageUnavailable):
        await transport.fetch(OrganizationView, "/organizations/1")
    assert tries == TRIES_MAX
    assert transport.clock.monotonic_s() > 0


async def test_refusal_is_raised_at_once() -> None:
    tries = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        return httpx.Response(404, json=BUSY | {"status": 404, "code": "not_found"})

    with pytest.raises(NotFound):
        await script_transport(answer).fetch(OrganizationView, "/organizations/1")
    assert tries == 1


async def test_nobody_listens() -> None:
    async with open_async_client(HttpTarget("http://127.0.0.1:9", timeout_s=2)) as http:
        clock = SteppedClock()
        with pytest.raises(PlatformUnreachable, match="does not answer"):
            await Transport(http, clock).fetch(OrganizationView, "/organizations/1")
        assert clock.elapsed_s == 0


@pytest.mark.parametrize("text", ["<html>It works!</html>", '{"id": 1}', "[]"])
async def test_answer_that_is_none_of_a_platform(text: str) -> None:
    transport = script_transport(lambda _: httpx.Response(200, text=text))
    with pytest.raises(PlatformUnreachable, match="is no platform"):
        await transport.fetch(OrganizationView, "/organizations/1")
    with pytest.raises(PlatformUnreachable, match="is no platform"):
        await transport.write(OrganizationView, "DELETE", "/organizations/1")


async def test_version_goes_into_if_match_and_nothing_into_an_empty_query() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ORGANIZATION)

    transport = script_transport(answer)
    await transport.write(OrganizationView, "DELETE", "/organizations/1", version=7)
    await transport.fetch(OrganizationView, "/organizations/1", {"since": None})
    assert seen[0].headers["if-match"] == '"7"'
    assert seen[0].content == b""
    assert seen[1].url.query == b""


async def test_next_page_is_fetched_when_it_is_needed() -> None:
    cursors: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        cursors.append(request.url.params.get("cursor"))
        last = len(cursors) == 2
        return httpx.Response(200, json={"items": [ORGANIZATION], "next_cursor": None if last else "c1"})

    walk = script_transport(answer).walk(Page[OrganizationView], "/organizations")
    await anext(walk)
    assert cursors == [None]
    assert [item.name async for item in walk] == ["alpha"]
    assert cursors == [None, "c1"]


async def test_file_comes_as_it_is() -> None:
    transport = script_transport(lambda _: httpx.Response(200, content=b"\xff\x00"))
    assert await transport.fetch_bytes("/file") == b"\xff\x00"
    with pytest.raises(NotFound):
        await script_transport(
            lambda _: httpx.Response(404, json=BUSY | {"status": 404, "code": "not_found"})
        ).fetch_bytes("/file")
