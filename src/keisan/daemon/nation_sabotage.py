"""What `--sabotage` does to a nation so that `--check` must find it; each bites where a real fault or a fraud would.

usage: engines tell more tokens than they made. route: a province's calls go to another's engine. ledger: a balance is changed
without an entry. signature: those of what was signed are not its own. unknown-as-zero: silent devices are told as none.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa

from keisan.agent.identity import load_identity
from keisan.agent.link import PlatformLink
from keisan.daemon.folder import DataFolder
from keisan.daemon.nation import NationPlatform
from keisan.domain.errors import Failed
from keisan.domain.inventory import InventoryHead
from keisan.wire.inventory import Inventory, encode_inventory

PIECE_BYTES = 65_536
DIAL_S_MAX = 5.0
STOLEN_NANO = 1_000_000_000
# The last digit, so that the answer keeps its length; whoever has told 9 tells 8.
_COUNT = re.compile(rb'("completion_tokens": ?\d*)(\d)')


class Sabotage(StrEnum):
    """What is sabotaged."""

    USAGE = "usage"
    LEDGER = "ledger"
    SIGNATURE = "signature"
    ROUTE = "route"
    UNKNOWN_AS_ZERO = "unknown-as-zero"


@dataclass(frozen=True, slots=True)
class Saboteur:
    """Does what `sabotage` names at its place, and nothing at the others."""

    sabotage: Sabotage | None

    @asynccontextmanager
    async def bend_engines(self, sockets: Sequence[Path]) -> AsyncIterator[None]:
        """Stand before the engines while the block runs, for usage and route; their sockets are put back afterwards.

        Raises Failed where there is no other engine to lead calls to.
        """
        if self.sabotage not in (Sabotage.USAGE, Sabotage.ROUTE):
            yield
            return
        if self.sabotage is Sabotage.ROUTE and len(sockets) < 2:
            raise Failed("to lead calls astray there must be two engines")
        owns = {place: place.with_suffix(".own") for place in sockets}
        for place, own in owns.items():
            place.rename(own)
        try:
            async with AsyncExitStack() as liars:
                for place, other in zip(sockets, [*sockets[1:], sockets[0]], strict=True):
                    if self.sabotage is Sabotage.ROUTE:
                        place.symlink_to(owns[other])
                    else:
                        server = await asyncio.start_unix_server(Liar(owns[place]).pass_on, place)
                        await liars.enter_async_context(server)
                yield
        finally:
            for place, own in owns.items():
                own.replace(place)

    def bend_books(self, folder: DataFolder, organization_id: UUID) -> None:
        """Change what a platform has written of an organization and its calls, for ledger and signature."""
        if self.sabotage not in (Sabotage.LEDGER, Sabotage.SIGNATURE):
            return
        # Nothing else ever loads it.
        from keisan.storage.tampering import add_to_balance, change_signatures

        path = folder.platform / "keisan.db"
        if self.sabotage is Sabotage.LEDGER:
            add_to_balance(path, organization_id, STOLEN_NANO)
            return
        for table in ("entry", "cross_batch"):
            change_signatures(path, table)

    async def bend_silence(self, platform: NationPlatform) -> None:
        """Tell, in the name of a silent site, that its devices are gone, for unknown-as-zero."""
        if self.sabotage is not Sabotage.UNKNOWN_AS_ZERO:
            return
        identity = load_identity(platform.folder.site / "identity.json")
        url = str(platform.read_operator().platform_url)
        async with PlatformLink(url, identity.secret, None) as link:
            await link.send_inventory(encode_inventory(build_empty_inventory(platform.plan.chip)))


@dataclass(frozen=True, slots=True)
class Liar:
    """Passes bytes between a gateway and an engine, but for one digit of what the engine says it has made."""

    engine: Path

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        async with asyncio.timeout(DIAL_S_MAX):
            engine_reader, engine_writer = await asyncio.open_unix_connection(self.engine)
        try:
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._copy(reader, engine_writer))
                await self._copy(engine_reader, writer, is_lying=True)
                asking.cancel()
        except* ConnectionError:
            # Either side may go at any time.
            pass
        finally:
            engine_writer.close()
            writer.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_lying: bool = False) -> None:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(_COUNT.sub(raise_count, piece) if is_lying else piece)
            await writer.drain()
        if not is_lying:
            # So that an engine learns when its client has gone.
            writer.write_eof()


def raise_count(found: re.Match[bytes]) -> bytes:
    """Return the same count with another last digit."""
    return found[1] + (b"8" if found[2] == b"9" else b"9")


def build_empty_inventory(chip: str) -> Inventory:
    """Return an inventory of one device that is gone: it must have one."""
    first = np.zeros(1, np.int32)
    return Inventory(
        head=InventoryHead(incarnation=str(uuid4()), version=1, nodes=("nobody",), chips=(chip,), names=("none",)),
        hardware_ids=pa.array(["none"], pa.utf8()),
        node=first,
        chip=first,
        name=first,
        supernode=first - 1,
        memory_mib=first,
        is_retired=np.ones(1, np.bool_),
    )
