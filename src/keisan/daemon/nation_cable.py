"""The one way between a province and the nation, which can be cut without a word: a pass-through on ports of its own.

As root nft drops every packet of these ports on loopback, so that even connecting meets silence, as behind a dead router. Without,
the pass-through holds back what it has: connections open and nothing comes.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

from keisan.daemon.settings_address import Address
from keisan.domain.errors import Failed
from keisan.kit.observe import write_warning

PIECE_BYTES = 65_536
DIAL_S_MAX = 5.0
NFT_S_MAX = 10.0
NFT = "nft"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Cable:
    """`lines` are where it is dialled and whereto it leads. Nothing is there before `lay`; `take_up` ends all of it."""

    lines: Sequence[tuple[Address, Address]]
    obstacle: str = ""
    sound: asyncio.Event = field(default_factory=asyncio.Event)
    servers: list[asyncio.Server] = field(default_factory=list)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def how(self) -> str:
        """Return in words how it is cut."""
        ports = " and ".join(str(line.port) for line, _ in self.lines)
        if self.obstacle:
            return f"a proxy passes nothing on at ports {ports}, since {self.obstacle}"
        return f"nft drops every packet of ports {ports} on loopback"

    @property
    def table(self) -> str:
        """Return the name of its table of rules: the same after a restart, which takes away what a killed one has left."""
        return f"keisan_cut_{self.lines[0][0].port}"

    async def lay(self) -> None:
        """Take connections from now on; raises Failed if an address is not free."""
        self.sound.set()
        self.obstacle = await find_obstacle()
        await self._drop_table()
        for near, far in self.lines:
            try:
                server = await asyncio.start_server(Line(self, far).pass_on, near.host, near.port)
            except OSError as fault:
                raise Failed(f"the cable's address {near} is not free", str(fault)) from fault
            self.servers.append(server)

    async def cut(self) -> None:
        """Let nothing through from now on, and tell nobody. Where rules are refused after all, the proxy is silent."""
        if not self.obstacle:
            self.obstacle = await run_nft(write_rules(self.table, [near.port for near, _ in self.lines]))
        if self.obstacle:
            self.sound.clear()

    async def heal(self) -> None:
        """Let everything through again."""
        await self._drop_table()
        self.sound.set()

    async def take_up(self) -> None:
        """Take the rules away and end all connections."""
        await self.heal()
        for server in self.servers:
            server.close()
        for writer in tuple(self.writers):
            writer.transport.abort()
        for server in self.servers:
            await server.wait_closed()

    async def _drop_table(self) -> None:
        if os.geteuid() != 0 or shutil.which(NFT) is None:
            return
        # Made first, or to delete it would be a fault where there is none.
        if fault := await run_nft(f"table inet {self.table}\ndelete table inet {self.table}\n"):
            write_warning("nation.cable", fault=fault)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cable: what is dialled there is led to `far`."""

    cable: Cable
    far: Address

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end, whichever side ends it."""
        self.cable.writers.add(writer)
        try:
            await self.cable.sound.wait()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(DIAL_S_MAX):
                    beyond = await asyncio.open_connection(self.far.host, self.far.port)
                self.cable.writers.add(beyond[1])
                try:
                    await self._join((reader, writer), beyond)
                finally:
                    self.cable.writers.discard(beyond[1])
                    beyond[1].close()
        finally:
            self.cable.writers.discard(writer)
            writer.close()

    async def _join(self, near: Ends, far: Ends) -> None:
        async with asyncio.TaskGroup() as group:
            ways = [group.create_task(self._copy(near[0], far[1])), group.create_task(self._copy(far[0], near[1]))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await self.cable.sound.wait()
                writer.write(piece)
                await writer.drain()


def write_rules(table: str, ports: Sequence[int]) -> str:
    """Return a table that drops what goes to these ports over loopback and what comes from them."""
    named = ", ".join(str(port) for port in ports)
    return f"""table inet {table} {{
    chain heard {{
        type filter hook input priority 0;
        iifname "lo" tcp dport {{ {named} }} drop
        iifname "lo" tcp sport {{ {named} }} drop
    }}
}}
"""


async def find_obstacle() -> str:
    """Return why this process cannot have packets dropped, empty if it can."""
    if os.geteuid() != 0:
        return "only root may have packets dropped"
    if shutil.which(NFT) is None:
        return "there is no nft"
    return await run_nft("list tables\n")


async def run_nft(typed: str) -> str:
    """Have nft do what is typed, whole or not at all, and return why it did not, empty if it did."""
    process = await asyncio.create_subprocess_exec(
        NFT,
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(NFT_S_MAX):
            _, said = await process.communicate(typed.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"nft said nothing within {NFT_S_MAX:g} s"
    lines = said.decode(errors="replace").strip().splitlines()
    return f"nft refused: {lines[0] if lines else process.returncode}" if process.returncode else ""
