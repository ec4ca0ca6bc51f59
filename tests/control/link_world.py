"""Platforms that join each other in one process: each with its own database, keys, clock and admin; letters go by a function call.

A way that is cut loses what is sent; `lost_answers` loses answers to questions that were taken.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.control.context import Control
from keisan.control.departure import DepartureWorks
from keisan.control.invitation import create_invitation
from keisan.control.lease import LeaseLoop
from keisan.control.link_ask import answer_question
from keisan.control.link_join import join_parent
from keisan.control.link_review import approve_link
from keisan.control.reconcilers.link import LinkReconciler
from keisan.daemon.platform_identity import build_chain
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.lease import WorkNoun
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.platform import Platform, PlatformKind
from keisan.federation.identity import LinkIdentity
from keisan.kit.signature import KeySigner
from keisan.storage.base import Storage
from keisan.storage.sqlite import open_sqlite
from keisan.wire.invitation import InvitationCreate
from keisan.wire.link_view import LinkApproval, LinkJoin
from tests.factories import NOW, FixedClock, create_key, create_organization, create_project

EVERYTHING = PlatformScope()


def make_keys(seed: int, count: int = 1) -> list[Ed25519PrivateKey]:
    return [Ed25519PrivateKey.from_private_bytes(bytes([seed, number] * 16)) for number in range(count)]


def build_identity(seed: int, count: int = 1) -> LinkIdentity:
    keys = make_keys(seed, count)
    link_key = KeySigner(make_keys(seed + 100, count)[-1]).public_key
    return LinkIdentity(build_chain(keys), KeySigner(keys[-1]), link_key)


@dataclass
class Member:
    """One platform. `seed` makes its keys."""

    control: Control
    clock: FixedClock
    admin: Principal
    seed: int
    nation: "Nation"
    works: DepartureWorks = field(default_factory=DepartureWorks)
    is_cut: bool = False
    lost_answers: int = 0

    @property
    def url(self) -> str:
        return f"http://platform-{self.seed}"

    async def ask(self, url: str, letter: bytes) -> bytes:
        """Carry a letter to the platform at a URL."""
        other = self.nation.members[int(url.rpartition("-")[2])]
        if self.is_cut or other.is_cut:
            raise PlatformUnreachable(f"{url} does not answer")
        self.nation.letters.append(letter)
        answer = await answer_question(other.control, letter)
        if self.lost_answers:
            self.lost_answers -= 1
            raise PlatformUnreachable(f"{url} does not answer")
        return answer

    async def work(self, rounds: int = 1) -> None:
        """Do what is due of its links, time passing between rounds."""
        loop = LeaseLoop(self.control, {WorkNoun.LINK: LinkReconciler(self.control, self.ask, self.works)})
        for _ in range(rounds):
            await loop.run_round()
            for member in self.nation.members.values():
                member.clock.instant += timedelta(seconds=31)

    async def list_links(self, side: LinkSide | None = None) -> list[Link]:
        async with self.control.storage.read() as view:
            found = await view.links.list_states(EVERYTHING, LinkState)
        return [link for link in found if side is None or link.side is side]

    async def get_parent(self) -> Link:
        return (await self.list_links(LinkSide.PARENT))[-1]

    async def get_child(self) -> Link:
        return (await self.list_links(LinkSide.CHILD))[-1]

    async def invite(self, **proposed: object) -> LinkJoin:
        body = InvitationCreate.model_validate({"url": self.url, **proposed})
        return LinkJoin(token=(await create_invitation(self.control, self.admin, body)).token.reveal())

    async def approve(self, region: str | None, prefix: str) -> Link:
        """Approve whoever asked last."""
        body = LinkApproval(region=region, prefix=prefix)
        return await approve_link(self.control, self.admin, (await self.get_child()).id, body)

    async def take_in(self, child: "Member", region: str | None, prefix: str) -> None:
        """Let a platform join as a child, all of it."""
        await join_parent(child.control, child.admin, await self.invite())
        await child.work()
        await self.approve(region, prefix)
        await child.work()

    def rotate(self, count: int) -> None:
        """Give it newer keys, as a restart with more of them does."""
        self.control = replace(self.control, identity=build_identity(self.seed, count))


@dataclass
class Nation:
    """Platforms by seed, and every letter that was carried."""

    folder: Path
    migrated_file: Path
    stack: AsyncExitStack
    members: dict[int, Member] = field(default_factory=dict)
    letters: list[bytes] = field(default_factory=list)

    async def add(
        self, kind: PlatformKind = PlatformKind.REGIONAL, storage: Storage | None = None, seed: int | None = None
    ) -> Member:
        """Add a platform with its own SQLite file, or with a storage that is given."""
        seed = seed or len(self.members) + 1
        clock, identity = FixedClock(NOW), build_identity(seed)
        if storage is None:
            path = self.folder / f"{seed}.db"
            shutil.copyfile(self.migrated_file, path)
            opened = open_sqlite(path, clock)
            self.stack.push_async_callback(opened.close)
            storage = opened
        control = Control(storage, clock, identity.platform_id, signer=identity.signer, identity=identity)
        organization = create_organization()
        project = create_project(organization)
        admin = replace(create_key(project), role=Role.PLATFORM_ADMIN)
        region = "CN-SX" if kind is PlatformKind.REGIONAL else None
        platform = Platform(identity.platform_id, f"platform {seed}", kind, region, identity.keys.first_key, 1, NOW)
        async with storage.write() as transaction:
            await transaction.platform.insert(platform)
            await transaction.organizations.insert(organization)
            await transaction.projects.insert(project)
            await transaction.keys.insert(admin)
        member = Member(control, clock, admin.to_principal(), seed, self)
        self.members[seed] = member
        return member


@asynccontextmanager
async def open_nation(folder: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    """Open a nation without a platform yet."""
    async with AsyncExitStack() as stack:
        yield Nation(folder, migrated_file, stack)
