"""Links over WebSocket and mutual TLS, for real: who it is, is read from certificates, and a stranger gets no further."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.daemon.link_socket import (
    CLOSE_S_MAX,
    LinkCredentials,
    SocketChannel,
    build_context,
    dial_link,
    generate_key,
    listen_links,
)
from keisan.domain.errors import NeighbourUnreachable
from keisan.domain.ids import PlatformId, hash_public_key
from keisan.federation.certificate import CertificateHolder, PlatformCertificate, build_authority, issue_certificate
from keisan.kit.signature import KeySigner

HOST = "127.0.0.1"


class Authority:
    """A platform that issues certificates."""

    def __init__(self) -> None:
        self.signer = KeySigner(Ed25519PrivateKey.generate())
        self.id = hash_public_key(self.signer.public_key)
        self.keys = (self.signer.public_key,)
        self.text = build_authority(self.signer, self.id, 1)

    def issue(self, platform_id: PlatformId) -> LinkCredentials:
        private, public = generate_key()
        holder = CertificateHolder(platform_id, "CN-SX", "sx", public)
        certificate = issue_certificate(self.signer, self.id, holder, 2, datetime.now(UTC))
        return LinkCredentials(certificate, private, self.text, self.keys)


PARENT = Authority()
CHILD_ID = hash_public_key(KeySigner(Ed25519PrivateKey.generate()).public_key)


def build_contexts(folder: Path, child: LinkCredentials) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = build_context(PARENT.issue(PARENT.id), folder, is_server=True)
    return server, build_context(child, folder, is_server=False)


async def meet(
    folder: Path, child: LinkCredentials, speak: Callable[[SocketChannel], Awaitable[None]], parent_id: PlatformId
) -> list[PlatformId]:
    """Let a child speak to a parent that sends back what it hears; return whom the parent saw."""
    seen: list[PlatformId] = []
    server, client = build_contexts(folder, child)

    async def echo(shown: PlatformCertificate, channel: SocketChannel) -> None:
        seen.append(shown.holder.platform_id)
        try:
            while True:
                await channel.send(await channel.receive())
        except NeighbourUnreachable:
            return

    async with listen_links(HOST, 0, server, PARENT.keys, echo) as port:
        channel = await dial_link(f"wss://{HOST}:{port}", client, parent_id, PARENT.keys)
        try:
            async with asyncio.timeout(30):
                await speak(channel)
        finally:
            await channel.close()
    return seen


async def test_messages_go_both_ways_and_each_side_knows_the_other(tmp_path: Path) -> None:
    async def speak(channel: SocketChannel) -> None:
        for message in (b"", b"x" * 1_000_000):
            await channel.send(message)
            assert await channel.receive() == message

    assert await meet(tmp_path, PARENT.issue(CHILD_ID), speak, PARENT.id) == [CHILD_ID]


async def test_a_certificate_of_another_authority_gets_no_further(tmp_path: Path) -> None:
    async def speak(channel: SocketChannel) -> None:
        await channel.send(b"x")
        await channel.receive()

    stranger = Authority().issue(CHILD_ID)
    believing = LinkCredentials(stranger.certificate, stranger.private_key, PARENT.text, PARENT.keys)
    with pytest.raises(NeighbourUnreachable):
        await meet(tmp_path, believing, speak, PARENT.id)


async def test_a_parent_that_is_another_is_not_spoken_to(tmp_path: Path) -> None:
    async def speak(_: SocketChannel) -> None:
        raise AssertionError

    with pytest.raises(NeighbourUnreachable):
        await meet(tmp_path, PARENT.issue(CHILD_ID), speak, CHILD_ID)


async def test_what_is_too_large_or_text_ends_the_connection(tmp_path: Path) -> None:
    async def send_too_much(channel: SocketChannel) -> None:
        await channel.send(b"x" * 1_100_000)
        await channel.receive()

    async def send_text(channel: SocketChannel) -> None:
        await channel._connection.send("x")
        await channel.receive()

    for speak in (send_too_much, send_text):
        with pytest.raises(NeighbourUnreachable):
            await meet(tmp_path, PARENT.issue(CHILD_ID), speak, PARENT.id)


async def fill(channel: SocketChannel) -> None:
    """Send until nothing is taken; raises TimeoutError then."""
    for _ in range(100):
        await asyncio.wait_for(channel.send(b"x" * 1_000_000), 0.5)


async def test_end_of_a_connection_that_takes_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """What a cut leaves of it in the system's buffers would be sent for a quarter of an hour before anybody dialled again."""
    server, client = build_contexts(tmp_path, PARENT.issue(CHILD_ID))
    over = asyncio.Event()

    async def hear_nothing(_: PlatformCertificate, channel: SocketChannel) -> None:
        await over.wait()
        await channel.close()

    async with listen_links(HOST, 0, server, PARENT.keys, hear_nothing) as port:
        channel = await dial_link(f"wss://{HOST}:{port}", client, PARENT.id, PARENT.keys)
        with pytest.raises(TimeoutError):
            await fill(channel)
        try:
            async with asyncio.timeout(CLOSE_S_MAX * 5):
                await channel.close()
            with pytest.raises(NeighbourUnreachable):
                await channel.send(b"x")
        finally:
            over.set()


async def test_nobody_there_is_told(tmp_path: Path) -> None:
    _, client = build_contexts(tmp_path, PARENT.issue(CHILD_ID))
    with pytest.raises(NeighbourUnreachable):
        await dial_link(f"wss://{HOST}:1", client, PARENT.id, PARENT.keys)
