"""A child under attack: its parent is spoken for by a test, and it has a child of its own, whose letters go on meanwhile."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from websockets.protocol import State

from keisan.control.fence import begin_life
from keisan.control.key_book import load_key_book
from keisan.daemon.link_socket import SocketChannel, build_context, listen_links
from keisan.daemon.settings_address import Address
from keisan.domain.letter import LetterKind
from keisan.federation.certificate import PlatformCertificate
from keisan.federation.identity import LinkIdentity
from keisan.federation.key_book import KnownPlatform
from keisan.kit.clock import SystemClock
from keisan.storage.postgresql import open_postgresql
from keisan.wire.link import Ack, Hello, Merged, Registers, encode_message
from tests.control.town import Country, Town
from tests.daemon.test_link_service import HOST, build_service, certify, found, run
from tests.databases import SharedPostgresql
from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.federation.hostile import ANSWER_S_MAX, LATENCY_S_MAX, build_hello, forge_letter, hear, send_items
from tests.ports import find_free_port

EPOCH = 3


@dataclass(frozen=True, slots=True)
class Attack:
    """A parent that a test speaks for, the child it attacks, and that one's own child. `dialled` are the child's connections.

    `closed_before` are the ends that the child had counted when the last connection was taken, by code.
    """

    parent: Town
    child: Town
    grandchild: Town
    identity: LinkIdentity
    context: ssl.SSLContext
    dialled: asyncio.Queue[SocketChannel]
    closed_before: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[SocketChannel]:
        """Take the child's next connection, and end it at last; those that ended by silence before anybody took them are passed over."""
        async with asyncio.timeout(ANSWER_S_MAX):
            while (channel := await self.dialled.get())._connection.state is not State.OPEN:
                pass
        self.closed_before.clear()
        self.closed_before.update(self.child.control.link_board.list_closed(self.parent.id))
        try:
            yield channel
        finally:
            await channel.close()

    def say_hello(self, epoch: int = EPOCH) -> bytes:
        return build_hello(self.parent.id, epoch)

    def forge(self, **said: object) -> bytes:
        """Return a letter that the parent signs, of an offer unless it is said otherwise: whatever it says of itself."""
        return forge_letter(self.identity.signer, self.parent.id, **said)

    async def measure_others_s(self, name: str) -> float:
        """Return how long what the grandchild says takes to the child, which writes for itself meanwhile."""
        begun_s = time.monotonic()
        await self.child.put(LetterKind.OFFER, f"own {name}", b"1")
        await self.grandchild.put(LetterKind.OFFER, name, b"1")
        while await self.child.find(self.grandchild, LetterKind.OFFER, name) is None:
            assert time.monotonic() < begun_s + ANSWER_S_MAX
            await let_time_pass_async(0.01)
        return time.monotonic() - begun_s

    async def find_known(self, town: Town) -> KnownPlatform | None:
        """Return what the child holds of a platform."""
        async with self.child.storage.read() as view:
            return (await load_key_book(view, self.child.control)).find(town.id)

    async def wait_for_closed(self, *codes: str) -> None:
        """Wait until an end of a connection to the parent is counted by each of these codes, and by no other, since one was taken."""
        board = self.child.control.link_board

        def list_new() -> set[str]:
            return set(Counter(board.list_closed(self.parent.id)) - self.closed_before)

        await wait_until_async(lambda: set(codes) <= list_new(), f"{codes} are counted", ANSWER_S_MAX)
        assert list_new() == set(codes)

    async def assert_unharmed(self, name: str) -> None:
        """Check that all else goes on: the child's other link, its own writing, and its next dial."""
        assert await self.measure_others_s(name) < LATENCY_S_MAX
        assert self.child.control.link_board.list_closed(self.grandchild.id) == {}
        async with self.take() as channel:
            assert isinstance(await hear(channel, Hello), Hello)


@asynccontextmanager
async def open_attack(folder: Path, migrated_file: Path, shared: SharedPostgresql | None) -> AsyncIterator[Attack]:
    """Join three platforms; the child under attack has its disk in PostgreSQL if that is given."""
    storage = None
    if shared is not None:
        await shared.empty()
        # Its country closes it.
        storage = open_postgresql(shared.url, SystemClock())
    async with AsyncExitStack() as exits:
        country = Country(folder, migrated_file)
        exits.push_async_callback(country.end)
        ports = find_free_port(), find_free_port()
        parent, parents = await found(country, folder, "cn")
        child, childs = await found(country, folder, "sx", storage)
        grandchild, grandchilds = await found(country, folder, "ty")
        await country.join(child, parent)
        await country.join(grandchild, child)
        await certify(child, parent, parents, childs, f"wss://{HOST}:{ports[0]}")
        await certify(grandchild, child, childs, grandchilds, f"wss://{HOST}:{ports[1]}")
        async with child.storage.write() as transaction:
            await begin_life(transaction, child.control, EPOCH - 1, "the case begins")
        dialled: asyncio.Queue[SocketChannel] = asyncio.Queue(100)
        credentials = await build_service(parent, parents, folder)._issue_own()
        context = build_context(credentials, folder, is_server=True)
        await exits.enter_async_context(listen(context, parents.link.keys.keys, ports[0], dialled))
        await exits.enter_async_context(run(build_service(child, childs, folder, Address(HOST, ports[1]))))
        await exits.enter_async_context(run(build_service(grandchild, grandchilds, folder)))
        made = Attack(parent, child, grandchild, parents.link, context, dialled)
        await made.measure_others_s("ready")
        yield made


@asynccontextmanager
async def listen(
    context: ssl.SSLContext, keys: tuple[bytes, ...], port: int, dialled: asyncio.Queue[SocketChannel]
) -> AsyncIterator[None]:
    """Take connections in the parent's name, and do nothing with them but what a test does."""

    async def accept(_: PlatformCertificate, channel: SocketChannel) -> None:
        dialled.put_nowait(channel)
        await channel._connection.wait_closed()

    async with listen_links(HOST, port, context, keys, accept):
        yield


def send_registers(*letters: bytes, number: int = 1) -> bytes:
    return encode_message(Registers(number=number, letters=letters))


async def tell(attack: Attack, *letters: bytes, is_log: bool = False) -> list[str]:
    """Let the parent bring letters, and return with which codes the child has refused some."""
    async with attack.take() as channel:
        await channel.send(attack.say_hello())
        await channel.send(send_items(letters) if is_log else send_registers(*letters))
        await hear(channel, Ack if is_log else Merged)
    assert await attack.measure_others_s("meanwhile") < LATENCY_S_MAX
    return sorted(code for code, _ in await attack.child.list_refused())
