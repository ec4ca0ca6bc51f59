"""Requests to URLs that users gave, against real servers on loopback: what is refused, what is bounded, and where they go."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keisan.kit.outbound import Outbound, OutboundFailed, OutboundRefused, is_loopback, is_public, parse_outbound
from tests.daemon.certificate import write_certificate

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NOT_PUBLIC = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a01:203",
    "2001:0:a01:203::1",
    "2001:db8::1",
    "2002:a01:203::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
PUBLIC = ("1.1.1.1", "203.0.114.1", "::ffff:1.1.1.1", "2606:4700:4700::1111")


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_address_that_is_not_of_the_open_network(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_address_of_the_open_network(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    assert not is_loopback(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://receiver.example/",
        "ftp://receiver.example/",
        "https://",
        "https://user@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example:99999/",
        "https://10.1.2.3/",
        "https://[::ffff:10.1.2.3]/",
        "https://127.0.0.1/",
        "https://" + "a" * 2048,
        "https://\udcff/",
    ],
)
def test_url_that_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(OutboundRefused):
        parse_outbound(text, is_local_open=False)


@pytest.mark.parametrize("text", ["http://10.1.2.3/", "https://10.1.2.3/", "http://1.1.1.1/", "ftp://127.0.0.1/"])
def test_this_host_is_all_that_is_opened(text: str) -> None:
    assert parse_outbound("http://[::1]:8000/x", is_local_open=True).host == "::1"
    with pytest.raises(OutboundRefused):
        parse_outbound(text, is_local_open=True)


@asynccontextmanager
async def serve(handle: Handle, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server on loopback and return its port."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answer_with(text: bytes, seen: list[bytes]) -> Handle:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(text)
        await writer.drain()

    return handle


def lead_to(*addresses: str, asked: list[str] | None = None) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Return a resolver for which every name has these addresses."""

    async def resolve(host: str, _port: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return addresses

    return resolve


async def test_checked_address_is_connected_to_under_the_name_that_was_given() -> None:
    seen: list[bytes] = []
    asked: list[str] = []
    async with serve(answer_with(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) as port:
        outbound = Outbound(is_local_open=True, resolve=lead_to("127.0.0.1", asked=asked))
        status = await outbound.post(f"http://receiver.example:{port}/x?y=1", b"{}", {"keisan-alert-id": "1"})
    assert (status, asked) == (204, ["receiver.example"])
    head = seen[0].lower()
    assert head.startswith(b"post /x?y=1 http/1.1\r\n")
    assert f"host: receiver.example:{port}\r\n".encode() in head
    assert b"keisan-alert-id: 1\r\n" in head


async def test_next_address_is_tried_where_nobody_listens() -> None:
    seen: list[bytes] = []
    async with serve(answer_with(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", seen)) as port:
        outbound = Outbound(is_local_open=True, resolve=lead_to("127.0.0.2", "127.0.0.1"))
        assert await outbound.post(f"http://receiver.example:{port}/", b"", {}) == 200
    with pytest.raises(OutboundFailed, match="ConnectError"):
        await outbound.post(f"http://receiver.example:{port}/", b"", {})


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_name_that_leads_to_us_is_not_connected_to(address: str) -> None:
    for addresses in ([address], ["1.1.1.1", address]):
        with pytest.raises(OutboundRefused, match="not public") as caught:
            await Outbound(resolve=lead_to(*addresses)).post("https://receiver.example/", b"", {})
        # A stranger does not learn what our names stand for.
        assert address not in str(caught.value)


async def test_name_of_a_stranger_beside_this_host_is_refused_without_tls() -> None:
    outbound = Outbound(is_local_open=True, resolve=lead_to("127.0.0.1", "1.1.1.1"))
    with pytest.raises(OutboundRefused):
        await outbound.post("http://receiver.example/", b"", {})


@pytest.mark.parametrize("fault", [OSError("gone"), UnicodeError("odd")])
async def test_name_without_an_address_fails(fault: Exception) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise fault

    with pytest.raises(OutboundFailed, match="no address"):
        await Outbound(resolve=resolve).post("https://receiver.example/", b"", {})
    with pytest.raises(OutboundRefused, match="no address"):
        await Outbound(resolve=lead_to()).post("https://receiver.example/", b"", {})


async def test_system_s_own_resolver_finds_this_host() -> None:
    seen: list[bytes] = []
    async with serve(answer_with(b"HTTP/1.1 200 OK\r\n\r\n", seen)) as port:
        assert await Outbound(is_local_open=True).post(f"http://127.0.0.1:{port}/", b"", {}) == 200


async def test_redirect_is_an_answer_and_not_followed() -> None:
    seen: list[bytes] = []
    other: list[bytes] = []
    async with serve(answer_with(b"HTTP/1.1 200 OK\r\n\r\n", other)) as target:
        text = f"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n"
        async with serve(answer_with(text.encode(), seen)) as port:
            assert await Outbound(is_local_open=True).post(f"http://127.0.0.1:{port}/", b"", {}) == 307
    assert (len(seen), other) == (1, [])


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serve(answer_with(b"HTTP/1.1 200 OK\r\n\r\n", [])) as port:
        assert await Outbound(is_local_open=True).post(f"http://127.0.0.1:{port}/", b"", {}) == 200


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head that never ends, slowly: each byte alone would keep a timeout between reads from firing."""
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head that never ends, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: " + b"y" * 4096 + b"\r\n")
        await writer.drain()


async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a whole head and a body that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"y" * 4096)
        await writer.drain()


async def hold(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("handle", [drip, hold, flood])
async def test_head_that_never_ends_is_cut(handle: Handle) -> None:
    async with serve(handle) as port:
        outbound = Outbound(is_local_open=True, timeout_s=0.3)
        async with asyncio.timeout(30):
            with pytest.raises(OutboundFailed):
                await outbound.post(f"http://127.0.0.1:{port}/", b"", {})


async def test_body_that_never_ends_is_not_read() -> None:
    async with serve(pour) as port, asyncio.timeout(30):
        assert await Outbound(is_local_open=True).post(f"http://127.0.0.1:{port}/", b"", {}) == 200


async def test_certificate_must_be_for_the_name_that_was_given(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    write_certificate(certificate, key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with serve(answer_with(b"HTTP/1.1 200 OK\r\n\r\n", []), context) as port:
        trusting = Outbound(is_local_open=True, ca_path=str(certificate), resolve=lead_to("127.0.0.1"))
        assert await trusting.post(f"https://127.0.0.1:{port}/", b"", {}) == 200
        with pytest.raises(OutboundFailed, match="ConnectError"):
            await trusting.post(f"https://receiver.example:{port}/", b"", {})
        with pytest.raises(OutboundFailed, match="ConnectError"):
            await Outbound(is_local_open=True).post(f"https://127.0.0.1:{port}/", b"", {})
