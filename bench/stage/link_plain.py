"""The reference of what a link carries: the same letters over the same kind of socket, each lot inserted plainly and answered."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import msgspec

from keisan.daemon.link_socket import SocketChannel, dial_link, listen_links
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NeighbourUnreachable
from keisan.domain.limits import LINK_BATCH_BYTES
from keisan.domain.link_log import LinkLog
from keisan.federation.certificate import CertificateHolder, PlatformCertificate
from stage.link_pair import HOST, Side

EVERYTHING = PlatformScope()
Lot = Sequence[bytes]


async def read_lots(side: Side) -> list[Lot]:
    """Return all letters that a platform has sent, in lots as a link sends them."""
    link_id, after, lots = (await side.get_link()).id, 0, list[Lot]()
    while True:
        async with side.town.storage.read() as view:
            items = await view.outgoing_logs.read(EVERYTHING, link_id, LinkLog.LEDGER, after, LINK_BATCH_BYTES)
        if not items:
            return lots
        after = items[-1].sequence
        lots.append([item.letter for item in items])


@asynccontextmanager
async def take_plainly(side: Side) -> AsyncIterator[int]:
    """Take lots while the block runs, and tell the port: each is a transaction, as durable as keisan's own, and then answered."""
    with closing(sqlite3.connect(side.folder / "plain.db", isolation_level=None)) as bare:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            bare.execute(f"PRAGMA {pragma}")
        bare.execute("CREATE TABLE bare (letter BLOB)")

        async def accept(_: PlatformCertificate, channel: SocketChannel) -> None:
            try:
                while True:
                    lot = msgspec.msgpack.decode(await channel.receive(), type=list[bytes])
                    await asyncio.to_thread(_insert, side, lot)
                    await channel.send(b"")
            except NeighbourUnreachable:
                return

        holder = CertificateHolder(side.town.id, None, "", side.identity.link.link_key)
        keys = side.identity.link.keys.keys
        context = side.build_context(side.issue(holder, 9), side.authority, keys, is_server=True)
        async with listen_links(HOST, 0, context, keys, accept) as port:
            yield port


def _insert(side: Side, lot: Lot) -> None:
    with closing(sqlite3.connect(side.folder / "plain.db", isolation_level=None)) as bare:
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany("INSERT INTO bare VALUES (?)", [(letter,) for letter in lot])
        bare.execute("COMMIT")


async def send_plainly(side: Side, port: int, lots: Sequence[Lot]) -> float:
    """Send lots, and return how many seconds passed until all were answered."""
    link = await side.get_link()
    context = side.build_context(link.certificate, link.ca, link.keys.keys, is_server=False)
    channel = await dial_link(f"wss://{HOST}:{port}", context, link.neighbour_id, link.keys.keys)
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        answers = group.create_task(_hear(channel, len(lots)))
        for lot in lots:
            await channel.send(msgspec.msgpack.encode(lot))
        await answers
    took_s = time.monotonic() - began_s
    await channel.close()
    return took_s


async def _hear(channel: SocketChannel, answers: int) -> None:
    for _ in range(answers):
        await channel.receive()
