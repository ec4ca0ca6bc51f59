"""Platforms with disks of their own, joined into a tree, and pipes that carry their links until they are cut."""

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.control.context import Control
from keisan.control.letter import build_draft, put_register, send_letters
from keisan.control.link_hub import LinkHub
from keisan.control.office import Office
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NeighbourUnreachable
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.key_chain import KeyChain
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.register import RegisterKey
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.streams.sql import SqlStreams
from keisan.wire.name import PLATFORM_REGISTER, NameBody, PlatformBody, encode_body, encode_key_chain
from tests.deadline import wait_until_async

NOTE = LetterKind.EVENT
END_S_MAX = 20


@dataclass
class Pipe:
    """One end of a pipe; what is sent comes out at the other end, until the pipe is cut. One that leaks loses what is sent."""

    inbox: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(10_000))
    other: "Pipe | None" = None
    is_leaking: bool = False
    lost: list[bytes] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        if self.other is None:
            raise NeighbourUnreachable("the pipe is cut")
        if self.is_leaking:
            self.lost.append(data)
        else:
            self.other.inbox.put_nowait(data)

    async def receive(self) -> bytes:
        data = await self.inbox.get()
        if data is None:
            raise NeighbourUnreachable("the pipe is cut")
        return data

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        if self.other is not None:
            other, self.other = self.other, None
            other.other = None
            for end in (self, other):
                end.inbox.put_nowait(None)


def lay_pipe() -> tuple[Pipe, Pipe]:
    one, other = Pipe(), Pipe()
    one.other, other.other = other, one
    return one, other


@dataclass
class Town:
    """A platform with its disk, its hub, and what its handlers were given."""

    name: str
    storage: Database
    control: Control
    hub: LinkHub
    chain: KeyChain
    parent: "Town | None" = None

    @property
    def id(self) -> PlatformId:
        return self.control.platform_id

    async def send(self, audience: "Town | None", *texts: str, kind: str = NOTE) -> None:
        async with self.storage.write() as transaction:
            to = None if audience is None else audience.id
            drafts = [build_draft(self.control, kind, text.encode(), to) for text in texts]
            await send_letters(transaction, self.control, drafts)

    async def put(self, kind: str, name: str, body: bytes, audience: "Town | None" = None) -> Letter:
        async with self.storage.write() as transaction:
            to = None if audience is None else audience.id
            draft = replace(build_draft(self.control, kind, body, to), name=name)
            return await put_register(transaction, self.control, draft)

    async def find(self, author: "Town", kind: str, name: str) -> bytes | None:
        async with self.storage.read() as view:
            found = await view.registers.find(PlatformScope(), RegisterKey(author.id, kind, name))
        return None if found is None else found.body

    async def list_refused(self) -> list[tuple[str, str]]:
        async with self.storage.read() as view:
            refused = await view.refused_letters.list_link(PlatformScope(), None, 100)
        return [(each.code, each.text) for each in refused]


class Country:
    """Towns, what arrived where, and the connections between them."""

    def __init__(self, folder: Path, migrated_file: Path, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._folder = folder
        self._migrated_file = migrated_file
        self._tasks: dict[LinkHub, set[asyncio.Task[object]]] = {}
        self.towns: list[Town] = []
        self.arrived: dict[PlatformId, list[str]] = {}
        self.pipes: dict[tuple[str, str], Pipe] = {}

    async def found(self, name: str, identity: LinkIdentity | None = None, storage: Database | None = None) -> Town:
        """Let a platform begin, on a file of its own or on a disk that is given."""
        clock = self.clock
        if storage is None:
            path = self._folder / f"{name}.db"
            shutil.copyfile(self._migrated_file, path)
            storage = open_sqlite(path, clock)
        identity = identity or make_identity()
        platform_id, signer = identity.platform_id, identity.signer
        platform = Platform(platform_id, name, PlatformKind.NATIONAL, None, signer.public_key, 1, clock.now())
        async with storage.write() as transaction:
            await transaction.platform.insert(platform)
        control = Control(storage, clock, platform_id, signer=signer, identity=identity, streams=SqlStreams(storage))
        town = Town(name, storage, control, self._open_hub(control), identity.keys)
        await self.introduce(town)
        self.towns.append(town)
        return town

    def _open_hub(self, control: Control) -> LinkHub:
        hub = LinkHub(control, "test")
        self._tasks[hub] = set()
        self._begin(hub, hub.watch())
        return hub

    async def introduce(self, town: Town) -> None:
        parent = town.parent
        body = PlatformBody(
            title=town.name,
            kind="regional",
            keys=encode_key_chain(town.chain),
            parent_id=parent.id if parent else None,
            parent_keys=encode_key_chain(parent.chain) if parent else None,
            epoch=1 if parent else 0,
            prefix=town.name,
        )
        await town.put(LetterKind.PLATFORM, PLATFORM_REGISTER, encode_body(body))

    async def join(self, child: Town, parent: Town) -> None:
        """Let a town be another's child, as an approval does."""
        for own, other, side in ((parent, child, LinkSide.CHILD), (child, parent, LinkSide.PARENT)):
            async with own.storage.write() as transaction:
                await transaction.links.insert(build_link(own, other, side, child.name))
        body = NameBody(platform_id=child.id, title=child.name, epoch=1, keys=encode_key_chain(child.chain))
        await parent.put(LetterKind.NAME, child.name, encode_body(body))
        child.parent = parent
        await self.introduce(child)

    async def settle(self, town: Town) -> None:
        """Wait until what is being written at a town has committed."""
        async with town.storage.write():
            return

    async def still(self, town: Town) -> None:
        """Stop a town's links, and whoever watches what is known there."""
        town.hub.stop()
        await asyncio.wait_for(asyncio.gather(*self._tasks[town.hub]), END_S_MAX)

    async def shut(self, town: Town) -> None:
        """Stop a town's links and let go of its disk."""
        await self.still(town)
        await town.storage.close()

    def replace_storage(self, town: Town, storage: Database) -> None:
        """Let a town go on with another disk."""
        town.storage = storage
        town.control = replace(town.control, storage=storage, streams=SqlStreams(storage))
        town.hub = self._open_hub(town.control)

    def connect(self, child: Town) -> None:
        """Connect a town to its parent, and again where a busy host kept both from hearing each other; not where it was cut."""
        assert child.parent is not None
        pipes = self._lay(child, child.parent)
        task = asyncio.get_running_loop().create_task(self._keep(child, child.parent, pipes))
        for town in (child, child.parent):
            self._tasks[town.hub].add(task)

    def _lay(self, child: Town, parent: Town) -> tuple[Pipe, Pipe]:
        below, above = lay_pipe()
        self.pipes[child.name, parent.name] = below
        return below, above

    async def _keep(self, child: Town, parent: Town, pipes: tuple[Pipe, Pipe]) -> None:
        below, above = pipes
        while True:
            outcomes = await asyncio.gather(child.hub.serve(parent.id, below), parent.hub.serve(child.id, above))
            if "silent" not in {outcome.code for outcome in outcomes}:
                return
            below, above = self._lay(child, parent)

    def cut(self, child: Town) -> None:
        assert child.parent is not None
        self.pipes[child.name, child.parent.name].cut()

    async def take_note(self, _: Transaction, office: Office, __: Arrival, letter: Letter) -> None:
        self.arrived.setdefault(office.control.platform_id, []).append(letter.body.decode())

    def list_arrived(self, town: Town) -> list[str]:
        return self.arrived.get(town.id, [])

    async def wait_for(self, town: Town, *texts: str) -> None:
        await wait_until_async(lambda: self.list_arrived(town) == list(texts), f"{town.name} has {texts}", 30)

    def _begin(self, hub: LinkHub, work: Coroutine[object, object, object]) -> None:
        self._tasks[hub].add(asyncio.get_running_loop().create_task(work))

    async def end(self) -> None:
        for town in self.towns:
            await self.shut(town)


def make_identity() -> LinkIdentity:
    signer = KeySigner(Ed25519PrivateKey.generate())
    return LinkIdentity(KeyChain(signer.public_key), signer, bytes(32))


def build_link(own: Town, other: Town, side: LinkSide, prefix: str) -> Link:
    return Link(
        id=LinkId(create_id()),
        platform_id=own.id,
        neighbour_id=other.id,
        side=side,
        state=LinkState.JOINED,
        name=other.name,
        kind=PlatformKind.REGIONAL,
        region=None,
        prefix=prefix,
        epoch=1,
        keys=other.chain,
        url="",
        invitation_id=None,
        certificate="",
        certificate_ends_at=None,
        ca="",
        offset_ms=None,
        heard_at=None,
        reviewer="",
        reviewed_at=None,
        ended_at=None,
        version=1,
        created_at=own.control.clock.now(),
    )
