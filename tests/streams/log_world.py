"""What tests of streams on NATS do to a log: write it, carry it, read it, and ask the server what it has."""

from nats.aio.client import Client

from keisan.domain.access import PlatformScope
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import LinkId
from keisan.domain.link_log import LinkLog, LogEnd, LogItem
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.streams.nats import NatsStreams
from tests.letters import SOUTH, write_letter
from tests.nats import NatsServer

EVERYTHING = PlatformScope()
LINK = LinkId(create_id())
LEDGER = LinkLog.LEDGER
EVERY_BYTE = 10**9


async def append(storage: Database, count: int = 1, period: str = "") -> LogEnd:
    letters = [write_letter(period=period, audience=SOUTH if period else None) for _ in range(count)]
    async with storage.write() as transaction:
        return await transaction.outgoing_logs.append(LINK, LEDGER, letters)


async def read_all(streams: NatsStreams, end: LogEnd) -> list[LogItem]:
    found: list[LogItem] = []
    while items := await streams.read(LINK, LEDGER, end.incarnation, found[-1].sequence if found else 0, EVERY_BYTE):
        found += items
    return found


async def read_stored(storage: Database) -> list[LogItem]:
    found: list[LogItem] = []
    async with storage.read() as view:
        while items := await view.outgoing_logs.read(
            EVERYTHING, LINK, LEDGER, found[-1].sequence if found else 0, EVERY_BYTE
        ):
            found += items
    return found


async def count_messages(server: NatsServer) -> int:
    """Return how many messages all streams of logs have, as the server itself says."""
    client = Client()
    await client.connect(server.url)
    infos = await client.jetstream().streams_info()
    await client.close()
    return sum(info.state.messages for info in infos if "register" not in (info.config.name or ""))


async def carry_until_done(streams: NatsStreams) -> int:
    """Carry, again whenever the server is gone, until nothing is left; return how often it was gone."""
    failures = 0
    while True:
        try:
            if not await streams.carry():
                return failures
        except StorageUnavailable:
            failures += 1
