"""Platforms of a bench: each a database and keys of its own, made of a seed, so that another process knows them too."""

import shutil
from dataclasses import replace
from pathlib import Path

from keisan.control.context import Control
from keisan.control.link_hub import LinkHub
from keisan.domain.letter import LetterKind
from keisan.domain.link import Link, LinkSide
from keisan.domain.platform import Platform, PlatformKind
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import SystemClock
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.streams.sql import SqlStreams
from keisan.wire.name import PLATFORM_REGISTER, NameBody, PlatformBody, encode_body, encode_key_chain
from tests.control.link_world import build_identity
from tests.control.town import Town, build_link


async def migrate_template(path: Path) -> Path:
    """Make an empty database that platforms begin with a copy of."""
    template = open_sqlite(path, SystemClock())
    await template.migrate()
    await template.close()
    return path


async def open_town(folder: Path, template: Path, name: str, seed: int) -> Town:
    """Return a platform that begins with a copy of an empty database."""
    path = folder / f"{name}.db"
    shutil.copyfile(template, path)
    return await found_town(open_sqlite(path, SystemClock()), name, build_identity(seed))


async def found_town(storage: Database, name: str, identity: LinkIdentity) -> Town:
    """Return a platform that begins on an empty database."""
    town = build_town(storage, name, identity)
    first_key, now = identity.keys.first_key, town.control.clock.now()
    async with storage.write() as transaction:
        await transaction.platform.insert(Platform(town.id, name, PlatformKind.NATIONAL, None, first_key, 1, now))
    return town


def build_town(storage: Database, name: str, identity: LinkIdentity) -> Town:
    """Return a platform as it is on its database."""
    clock, signer = SystemClock(), identity.signer
    streams = SqlStreams(storage)
    control = Control(storage, clock, identity.platform_id, signer=signer, identity=identity, streams=streams)
    return Town(name, storage, control, LinkHub(control, "bench"), identity.keys)


def imagine_town(town: Town, name: str, seed: int) -> Town:
    """Return a platform that another process has, as far as a link to it needs it."""
    identity = build_identity(seed)
    control = replace(town.control, platform_id=identity.platform_id)
    return replace(town, name=name, control=control, chain=identity.keys)


async def insert_link(town: Town, link: Link) -> None:
    """Join on one side."""
    async with town.storage.write() as transaction:
        await transaction.links.insert(link)


async def take_in(parent: Town, child: Town, region: str = "") -> None:
    """Do on the parent's side what an approval does."""
    await insert_link(parent, replace(build_link(parent, child, LinkSide.CHILD, child.name), region=region or None))
    keys = encode_key_chain(child.chain)
    body = NameBody(platform_id=child.id, title=child.name, region=region, epoch=1, keys=keys)
    await parent.put(LetterKind.NAME, child.name, encode_body(body))


async def join_parent(child: Town, parent: Town) -> None:
    """Do on the child's side what an approval does, and tell who the child's parent is."""
    await insert_link(child, build_link(child, parent, LinkSide.PARENT, child.name))
    body = PlatformBody(
        title=child.name,
        kind="regional",
        keys=encode_key_chain(child.chain),
        parent_id=parent.id,
        parent_keys=encode_key_chain(parent.chain),
        epoch=1,
        prefix=child.name,
    )
    await child.put(LetterKind.PLATFORM, PLATFORM_REGISTER, encode_body(body))
