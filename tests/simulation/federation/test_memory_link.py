"""What simulations keep of links: copies go their own ways, and share what neither has written to since."""

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.link_log import LinkLog, LogCursor
from keisan.domain.register import RegisterKey, RegisterSource
from keisan.kit.ids import create_id
from tests.factories import NOW, FixedClock
from tests.letters import NORTH, write_letter, write_register
from tests.simulation.federation.memory_link import LinkTables, MemoryLinks, MemoryLinkTransaction

EVERYTHING = PlatformScope()
LEDGER, EVENT = LinkLog.LEDGER, LinkLog.EVENT
LINK = LinkId(create_id())


async def append(links: MemoryLinks, log: LinkLog = LEDGER) -> None:
    async with links.write() as transaction:
        await transaction.outgoing_logs.append(LINK, log, [write_letter()])


async def test_a_restored_disk_has_what_it_had() -> None:
    links = MemoryLinks(FixedClock())
    cursor = LogCursor(create_id(), 1, b"h" * 32)
    await append(links)
    async with links.write() as transaction:
        await transaction.registers.put(write_register(), None)
    disk = links.tables.copy()
    before = [describe(disk), describe(links.tables)]
    await append(links)
    async with links.write() as transaction:
        await transaction.incoming_logs.keep(LINK, LEDGER, [write_letter()])
        await transaction.incoming_logs.move_cursor(LINK, LEDGER, None, cursor)
        await transaction.registers.put(write_register(version=2), LINK)
        end = await transaction.outgoing_logs.begin_incarnation(LINK, LEDGER, create_id())
        await transaction.outgoing_logs.acknowledge(LINK, LEDGER, end.incarnation, 2)
        await transaction.outgoing_logs.trim(LINK, [], NOW)
    after = describe(links.tables)
    assert before == [describe(disk)] * 2 != [after] * 2
    # Both go on from where they are.
    gone, links.tables = links.tables, disk.copy()
    await append(links)
    assert describe(gone) == after
    assert describe(disk) == before[0] != describe(links.tables)
    async with links.read() as view:
        assert await view.registers.find_source(EVERYTHING, NORTH) == RegisterSource(None)
        assert await view.incoming_logs.get_cursor(EVERYTHING, LINK, LEDGER) is None


async def test_a_copy_costs_what_is_written_to() -> None:
    links = MemoryLinks(FixedClock())
    await append(links)
    await append(links, EVENT)
    disk = links.tables.copy()
    await append(links)
    assert links.tables.outgoing[(LINK, EVENT)] is disk.outgoing[(LINK, EVENT)]
    assert links.tables.registers is disk.registers
    assert links.tables.outgoing[(LINK, LEDGER)] is not disk.outgoing[(LINK, LEDGER)]


async def test_what_was_copied_goes_its_own_way_too() -> None:
    tables = LinkTables()
    logs = MemoryLinkTransaction(tables, FixedClock()).outgoing_logs
    await logs.append(LINK, LEDGER, [write_letter()])
    disk = tables.copy()
    before = describe(disk)
    await logs.append(LINK, LEDGER, [write_letter()])
    assert describe(disk) == before != describe(tables)


async def test_what_is_written_in_a_view_is_nobodys() -> None:
    links = MemoryLinks(FixedClock())
    async with links.read() as view:
        await view.registers.put(write_register(), None)
    async with links.read() as view:
        assert await view.registers.find(EVERYTHING, RegisterKey(NORTH, "offer", "one")) is None


def describe(tables: LinkTables) -> tuple[object, ...]:
    """Return all that is kept, as values."""
    outgoing = {key: (log.tell_end(), list(log.kept)) for key, log in tables.outgoing.items()}
    incoming = {key: (log.cursor, list(log.kept)) for key, log in tables.incoming.items()}
    return outgoing, incoming, dict(tables.registers), dict(tables.refused)
