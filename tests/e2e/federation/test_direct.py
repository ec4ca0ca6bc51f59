"""Platforms that give an address are called without their common ancestor, and a certificate that is replaced is used."""

import asyncio
import shutil

from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.federation.stage import (
    COAST,
    INLAND,
    LINK_S_MAX,
    TICKET_ID,
    Federation,
    run_federation,
    wait_for_links,
)

RECONNECT_S = 0.5
# What a gateway keeps to its parent's: one to call on, and two for it to call on.
KEPT_CONNECTIONS = 3


async def test_sibling_with_an_address_is_called_without_the_parent() -> None:
    async with run_federation(is_direct=True) as federation:
        federation.nation.running.kill()
        await wait_for_links(federation.coast, 1)
        answer = await federation.coast.call(1)
        assert answer.status == 200, answer
        home, serving = await federation.read_both(answer.record_id)
        expected = {"home_platform_id": COAST, "serving_platform_id": INLAND, "ticket_id": str(TICKET_ID)}
        assert home["crossing"] == serving["crossing"] == expected


async def reconnect_until(federation: Federation, links: int) -> None:
    """Have coast dial its parent anew, again and again, until the parent has so many links: files are looked at each second."""
    async with asyncio.timeout(LINK_S_MAX):
        while await federation.nation.count_links() != links:
            federation.cables[COAST].disconnect()
            await let_time_pass_async(RECONNECT_S)


async def test_replaced_certificate_is_shown_by_the_next_connection() -> None:
    """Coast comes back as a platform that nobody knows, and is no child any more; then as itself."""
    async with run_federation(has_cables=True) as federation:
        files = federation.coast.files
        own = [(path, path.with_suffix(path.suffix + ".own")) for path in (files.certificate, files.key)]
        for path, kept in own:
            shutil.copy(path, kept)
        other = federation.authority.issue("11" * 32, file="other")
        shutil.copy(other.certificate, files.certificate)
        shutil.copy(other.key, files.key)
        # It calls as somebody else, whose calls are nobody's; and nobody can call it.
        await reconnect_until(federation, 1)
        for path, kept in own:
            shutil.copy(kept, path)
        await reconnect_until(federation, 2)
        # Its own files are in force. A connection that began before they were keeps what it began with, so all begin once more.
        cable = federation.cables[COAST]
        before = cable.connections
        cable.disconnect()
        all_anew = before + KEPT_CONNECTIONS
        await wait_until_async(lambda: cable.connections >= all_anew, "all connections began anew", LINK_S_MAX)
        await federation.wait_until_linked()
        assert (await federation.coast.call(1)).status == 200
