"""Links over WebSocket with mutual TLS: the parent listens, the child dials; each reads from the other's certificate who it is."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI
from websockets.typing import Subprotocol

from keisan.domain.errors import InvalidInput, NeighbourUnreachable, PermissionDenied
from keisan.domain.ids import PlatformId
from keisan.domain.limits import LINK_MESSAGE_BYTES_MAX, LINK_SILENCE_MS_MAX
from keisan.federation.certificate import PlatformCertificate, name_host, parse_certificate
from keisan.kit.private_file import write_private_file

OPEN_S_MAX = 10
# What the system repeats of a lost first packet comes after one second, three and seven: a new try is sooner than the third.
DIAL_S_MAX = 5
# How long the other side is given to say that it closes too, and how long all of it may take.
ANSWER_S_MAX = 1
CLOSE_S_MAX = 2
SUBPROTOCOL = Subprotocol("keisan.link")


@dataclass(frozen=True, slots=True)
class LinkCredentials:
    """What a side of a link shows, and whom it believes: PEM texts, and the raw keys of the authority that issued the other's."""

    certificate: str
    private_key: str
    authority: str
    authority_keys: tuple[bytes, ...]


class SocketChannel:
    """One WebSocket as a link's channel."""

    def __init__(self, connection: ClientConnection | ServerConnection) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        """Send a message; raises NeighbourUnreachable once the connection has ended, or if it is not taken in time."""
        try:
            async with asyncio.timeout(LINK_SILENCE_MS_MAX / 1000):
                await self._connection.send(data)
        except (ConnectionClosed, TimeoutError) as fault:
            raise NeighbourUnreachable("the link's connection ended", str(fault)) from fault

    async def receive(self) -> bytes:
        """Wait for a message; raises NeighbourUnreachable once the connection has ended, or for what is no binary message."""
        try:
            # How long nothing may come is the machine's to say.
            data = await asyncio.wait_for(self._connection.recv(), timeout=None)
        except ConnectionClosed as fault:
            raise NeighbourUnreachable("the link's connection ended", str(fault)) from fault
        if isinstance(data, str):
            raise NeighbourUnreachable("the neighbour sent text, which no link speaks")
        return data

    async def close(self) -> None:
        """End the connection within CLOSE_S_MAX, whatever the neighbour does."""
        try:
            # Its own time to close begins when all that waits is sent: never, where nothing is taken.
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._connection.close()
        except TimeoutError:
            return
        finally:
            self._connection.transport.abort()


Accept = Callable[[PlatformCertificate, SocketChannel], Awaitable[object]]


@asynccontextmanager
async def listen_links(
    host: str, port: int, context: ssl.SSLContext, keys: tuple[bytes, ...], accept: Accept
) -> AsyncIterator[int]:
    """Take connections of children while the block runs, and tell the port; `accept` is called with its certificate.

    Raises OSError if the address cannot be used.
    """

    async def handle(connection: ServerConnection) -> None:
        try:
            shown = read_neighbour(connection, keys)
        except (InvalidInput, PermissionDenied) as refusal:
            await connection.close(1008, refusal.code)
            return
        await accept(shown, SocketChannel(connection))

    server = serve(
        handle,
        host,
        port,
        ssl=context,
        subprotocols=[SUBPROTOCOL],
        compression=None,
        open_timeout=OPEN_S_MAX,
        close_timeout=ANSWER_S_MAX,
        ping_interval=None,
        max_size=LINK_MESSAGE_BYTES_MAX,
        max_queue=4,
        server_header=None,
    )
    async with server as listening:
        yield next(iter(listening.sockets)).getsockname()[1]


async def dial_link(url: str, context: ssl.SSLContext, parent_id: PlatformId, keys: tuple[bytes, ...]) -> SocketChannel:
    """Open the connection to a parent; raises NeighbourUnreachable, PermissionDenied for one with another's certificate."""
    try:
        connection = await connect(
            url,
            ssl=context,
            server_hostname=name_host(parent_id),
            subprotocols=[SUBPROTOCOL],
            compression=None,
            open_timeout=DIAL_S_MAX,
            close_timeout=ANSWER_S_MAX,
            ping_interval=None,
            max_size=LINK_MESSAGE_BYTES_MAX,
            max_queue=4,
            # The link is dialled as it is named, whatever the environment says.
            proxy=None,
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidMessage, InvalidURI, EOFError) as fault:
        raise NeighbourUnreachable("the parent's link address does not answer", str(fault)) from fault
    if read_neighbour(connection, keys).holder.platform_id != parent_id:
        await connection.close()
        raise PermissionDenied("what answers at the parent's link address is another platform")
    return SocketChannel(connection)


def read_neighbour(
    connection: ClientConnection | ServerConnection, authority_keys: tuple[bytes, ...]
) -> PlatformCertificate:
    """Return the certificate that the other side showed. Raises as parse_certificate does."""
    shown = connection.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if not shown:
        raise PermissionDenied("the other side shows no certificate")
    return parse_certificate(shown, authority_keys)


def build_context(credentials: LinkCredentials, folder: Path, *, is_server: bool) -> ssl.SSLContext:
    """Return the TLS context of one side: TLS 1.3, and both sides show certificates. `folder` holds the private key for a moment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=credentials.authority)
    # OpenSSL reads a chain from a file only.
    path = folder / ("link-server.pem" if is_server else "link-client.pem")
    write_private_file(path, (credentials.private_key + credentials.certificate).encode())
    context.load_cert_chain(path)
    return context


def generate_key() -> tuple[str, bytes]:
    """Return a new private key (PEM) and its public half (32 raw bytes)."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
