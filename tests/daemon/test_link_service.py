"""Links kept by real listeners and dials: a child that was approved is connected, is connected again after a cut, and a stranger never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keisan.daemon.link_service import LinkService
from keisan.daemon.platform_identity import PlatformIdentity, ensure_identity
from keisan.daemon.settings_address import Address
from keisan.domain.access import PlatformScope
from keisan.domain.errors import SettingsInvalid
from keisan.domain.letter import LetterKind
from keisan.federation.certificate import CertificateHolder, build_authority, issue_certificate
from keisan.storage.database import Database
from tests.control.town import Country, Town
from tests.databases import migrated_file  # noqa: F401  # a fixture, which pytest finds by its name here
from tests.deadline import let_time_pass_async
from tests.ports import find_free_port

HOST = "127.0.0.1"


@pytest.fixture
async def country(
    tmp_path: Path,
    migrated_file: Path,  # noqa: F811  # the fixture is asked for by its name
) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def found(
    country: Country, folder: Path, name: str, storage: Database | None = None
) -> tuple[Town, PlatformIdentity]:
    identity = ensure_identity(folder / f"{name}.pem")
    return await country.found(name, identity.link, storage), identity


def build_service(town: Town, identity: PlatformIdentity, folder: Path, listen: Address | None = None) -> LinkService:
    own = folder / town.name
    own.mkdir(exist_ok=True)
    return LinkService(town.control, identity, own, listen, "test")


@asynccontextmanager
async def run(service: LinkService) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.ensure_future(service.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def certify(child: Town, parent: Town, by: PlatformIdentity, own: PlatformIdentity, url: str) -> None:
    """Do what an approval does beside the links themselves."""
    holder = CertificateHolder(child.id, None, child.name, own.link.link_key)
    certificate = issue_certificate(by.link.signer, parent.id, holder, 7, datetime.now(UTC))
    ca = build_authority(by.link.signer, parent.id, 8)
    for town, other, changes in (
        (child, parent, {"certificate": certificate, "ca": ca, "link_url": url}),
        (parent, child, {"certificate": certificate, "link_key": own.link.link_key}),
    ):
        async with town.storage.write() as transaction:
            link = (await transaction.links.list_neighbour(PlatformScope(), other.id))[0]
            await transaction.links.update(replace(link, version=link.version + 1, **changes))


async def wait_for(town: Town, author: Town, name: str, body: bytes) -> None:
    for _ in range(3_000):
        if await town.find(author, LetterKind.OFFER, name) == body:
            return
        await let_time_pass_async(0.01)
    raise AssertionError(f"{town.name} never had {name} of {author.name}")


async def wait_for_listener(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                return
            await let_time_pass_async(0.01)


async def test_a_child_is_connected_and_again_after_its_parent_was_away(country: Country, tmp_path: Path) -> None:
    (nation, nations), (shanxi, shanxis) = [await found(country, tmp_path, name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    port = find_free_port()
    await certify(shanxi, nation, nations, shanxis, f"wss://{HOST}:{port}")
    async with run(build_service(shanxi, shanxis, tmp_path)):
        for name in ("first", "second"):
            async with run(build_service(nation, nations, tmp_path, Address(HOST, port))):
                await shanxi.put(LetterKind.OFFER, name, b"1")
                await wait_for(nation, shanxi, name, b"1")


async def test_a_parent_is_dialled_where_the_child_s_own_settings_say(country: Country, tmp_path: Path) -> None:
    (nation, nations), (shanxi, shanxis) = [await found(country, tmp_path, name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    port, nobody = find_free_port(), find_free_port()
    await certify(shanxi, nation, nations, shanxis, f"wss://{HOST}:{nobody}")
    service = replace(build_service(shanxi, shanxis, tmp_path), parent_url=f"wss://{HOST}:{port}")
    async with run(service), run(build_service(nation, nations, tmp_path, Address(HOST, port))):
        await shanxi.put(LetterKind.OFFER, "m", b"1")
        await wait_for(nation, shanxi, "m", b"1")


async def test_who_has_another_key_than_was_approved_is_not_heard(country: Country, tmp_path: Path) -> None:
    (nation, nations), (shanxi, shanxis) = [await found(country, tmp_path, name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    port = find_free_port()
    await certify(shanxi, nation, nations, shanxis, f"wss://{HOST}:{port}")
    async with nation.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), shanxi.id))[0]
        await transaction.links.update(replace(link, link_key=bytes(32), version=link.version + 1))
    async with (
        run(build_service(shanxi, shanxis, tmp_path)),
        run(build_service(nation, nations, tmp_path, Address(HOST, port))),
    ):
        await shanxi.put(LetterKind.OFFER, "m", b"1")
        await let_time_pass_async(1)
        assert await nation.find(shanxi, LetterKind.OFFER, "m") is None


async def test_an_address_in_use_is_a_fault_of_the_settings(country: Country, tmp_path: Path) -> None:
    nation, nations = await found(country, tmp_path, "cn")
    port = find_free_port()
    async with run(build_service(nation, nations, tmp_path, Address(HOST, port))):
        await wait_for_listener(port)
        with pytest.raises(SettingsInvalid):
            await build_service(nation, nations, tmp_path, Address(HOST, port)).run(asyncio.Event())
