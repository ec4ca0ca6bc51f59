"""A nation and two provinces: three real gateway processes, each with a platform that keeps records and an engine of its own.

Coast has customers and no engine; inland has an engine, which coast's customers reach through the nation.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from keisan.domain.evidence import Grade
from keisan.domain.verdict import Verdict
from keisan.wire.snapshot import (
    Snapshot,
    SnapshotFact,
    SnapshotNeighbour,
    SnapshotPlatform,
    SnapshotPlatformOffer,
    SnapshotPlatformTicket,
    SnapshotPrice,
    SnapshotTables,
)
from stage.certificates import Authority, CertificateFiles
from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.federation.cable import Cable, run_cable
from tests.e2e.federation.lender import Lender, run_lender
from tests.e2e.relay.client import Answer, KeepAliveClient, build_request
from tests.e2e.relay.engine import Script, ScriptedEngine, run_engine
from tests.e2e.relay.gateway import GatewayFolder, GatewayProcess, start_gateway
from tests.e2e.relay.snapshot import MODEL, build_snapshot, build_tables
from tests.e2e.relay.stage import answer_plainly
from tests.ports import find_free_port

NATION, COAST, INLAND = "aa" * 32, "cc" * 32, "ee" * 32
NAMES = {NATION: "nation", COAST: "coast", INLAND: "inland"}
REGIONS = {NATION: "CN", COAST: "CN-SH", INLAND: "CN-SX"}
ORGANIZATION_ID = UUID(int=0x13)
TICKET_ID, WHOLESALE_ID = UUID(int=0x30), UUID(int=0x31)
WHOLESALE = {"input": "100000000", "input_cached": "10000000", "output": "300000000"}
PLENTY_NANO = 10**15
LINK_S_MAX, LOOK_S = 30.0, 0.05
PARENT_ROW = SnapshotNeighbour(side="parent")

Change = Callable[[SnapshotTables], SnapshotTables]


@dataclass(slots=True)
class Member:
    """One platform's part of the stage: its gateway, and what it kept."""

    platform_id: str
    lender: Lender
    engine: ScriptedEngine
    folder: GatewayFolder
    tables: SnapshotTables
    files: CertificateFiles
    gateway: GatewayProcess | None = None

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Return the records that its platform has."""
        return self.lender.records

    @property
    def running(self) -> GatewayProcess:
        """Return its gateway, which runs."""
        assert self.gateway is not None
        return self.gateway

    async def start(self) -> None:
        """Start its gateway."""
        self.gateway = await start_gateway(self.folder)

    async def call(self, number: int, *, is_stream: bool = False, policy: str = "", **more: object) -> Answer:
        """Make one call over a connection of its own; `policy` is the call's own."""
        request = build_request(number, is_stream=is_stream, **more)
        if policy:
            request = request.replace(b"host: gateway\r\n", f"host: gateway\r\nkeisan-policy: {policy}\r\n".encode())
        return await self.ask(request)

    async def ask(self, request: bytes) -> Answer:
        """Send a request over a connection of its own."""
        client = KeepAliveClient(self.running.address)
        try:
            return await client.call(request)
        finally:
            client.close()

    async def count_links(self) -> int:
        """Return to how many platforms its gateway has connections that it can call on."""
        answer = await self.ask(b"GET /metrics HTTP/1.1\r\nhost: gateway\r\n\r\n")
        (line,) = (line for line in answer.body.decode().splitlines() if line.startswith("keisan_links_up "))
        return int(line.rpartition(" ")[2])


@dataclass(slots=True)
class Federation:
    """The stage; `cables` by child, if they were laid."""

    nation: Member
    coast: Member
    inland: Member
    cables: dict[str, Cable]
    authority: Authority
    root: Path

    @property
    def members(self) -> tuple[Member, Member, Member]:
        """Return all members, the parent first."""
        return self.nation, self.coast, self.inland

    async def wait_until_linked(self) -> None:
        """Wait until calls can go both ways on both links."""
        for member, links in ((self.nation, 2), (self.coast, 1), (self.inland, 1)):
            await wait_for_links(member, links)

    async def read_both(self, record_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the home record and the serving record of a call, when both have come."""
        both = (self.coast.records, self.inland.records)
        what = f"both records of {record_id}"
        await wait_until_async(lambda: all(record_id in records for records in both), what, 20.0)
        return both[0][record_id], both[1][record_id]


async def wait_for_links(member: Member, links: int, deadline_s: float = LINK_S_MAX) -> None:
    """Wait until a gateway has connections to so many platforms."""
    async with asyncio.timeout(deadline_s):
        while await member.count_links() != links:
            await let_time_pass_async(LOOK_S)


def build_member_tables(platform_id: str, engine: ScriptedEngine, change: Change) -> SnapshotTables:
    """Return a member's tables: its own, and what it knows of the others."""
    tables = build_tables([engine.place] if platform_id != COAST else [])
    others = {other: name for other, name in NAMES.items() if other != platform_id}
    is_nation = platform_id == NATION
    price = SnapshotPrice(model_id=UUID(int=0x32), version=3, currency="CNY", nano_per_million=WHOLESALE)
    platforms = {
        other: SnapshotPlatform(
            name=name,
            region=REGIONS[other],
            verdict=Verdict.OK,
            next_hop=None if is_nation or other == NATION else NATION,
            address=None,
        )
        for other, name in others.items()
    }
    neighbours = {other: SnapshotNeighbour(side="child") for other in others} if is_nation else {NATION: PARENT_ROW}
    update = {
        "prices": tables.prices | {str(WHOLESALE_ID): price},
        "replicas": {
            row_id: row.model_copy(update={"region": REGIONS[platform_id]}) for row_id, row in tables.replicas.items()
        },
        "platforms": platforms,
        "neighbours": neighbours,
        "platform_offers": {f"{INLAND}/{MODEL}": build_offer(INLAND)} if platform_id == COAST else {},
        "platform_tickets": {} if is_nation else {str(TICKET_ID): build_ticket()},
    }
    return change(tables.model_copy(update=update))


def build_offer(platform_id: str, **changes: object) -> SnapshotPlatformOffer:
    """Return a platform's offer of the model."""
    offer = SnapshotPlatformOffer(
        platform_id=platform_id,
        model=MODEL,
        model_digest="sha256:" + "0" * 64,
        region="",
        chip="cpu-x86-64",
        facts={"designed_in": SnapshotFact(values=("CN",), grade=Grade.VENDOR)},
        verdict=Verdict.OK,
        slots=64,
        price_id=WHOLESALE_ID,
    )
    return offer.model_copy(update=changes)


def build_ticket(**changes: object) -> SnapshotPlatformTicket:
    """Return what coast gave inland for its customers."""
    ticket = SnapshotPlatformTicket(
        organization_id=ORGANIZATION_ID,
        home_platform_id=COAST,
        audience_platform_id=INLAND,
        policy="",
        currency="CNY",
        price_ids={MODEL: WHOLESALE_ID},
        ends_at_ms=(int(time.time()) + 96 * 3600) * 1000,
    )
    return ticket.model_copy(update=changes)


def build_member_snapshot(platform_id: str, tables: SnapshotTables) -> Snapshot:
    """Return a member's tables as its snapshot."""
    return build_snapshot(tables).model_copy(update={"platform_id": platform_id})


@asynccontextmanager
async def run_federation(
    script: Script = answer_plainly,
    changes: Mapping[str, Change] | None = None,
    credit_nano: int = PLENTY_NANO,
    *,
    is_direct: bool = False,
    has_cables: bool = False,
) -> AsyncIterator[Federation]:
    """Set the stage and start all gateways; ends everything afterwards. `changes` are made to members' tables.

    `credit_nano` is what each platform leases its gateway for coast's organization. `is_direct` tells coast inland's address.
    `has_cables` lays one to each child, for those who cut: while this process stands still, all cables are silent.
    """
    async with AsyncExitStack() as exits:
        # A short folder, because the path of an engine's socket ends at 107 bytes.
        root = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp")))
        authority = Authority(root / "certificates", "nation")
        port = find_free_port()
        laid = (COAST, INLAND) if has_cables else ()
        cables = {member: await exits.enter_async_context(run_cable(("127.0.0.1", port))) for member in laid}
        places = {NATION: f"127.0.0.1:{port}", INLAND: f"127.0.0.1:{find_free_port()}"}
        members = []
        for number, (platform_id, name) in enumerate(NAMES.items()):
            lender = await exits.enter_async_context(run_lender())
            lender.credit_nano[ORGANIZATION_ID] = credit_nano
            engine = await exits.enter_async_context(run_engine(root / f"{name}.sock", script))
            files = authority.issue(platform_id)
            own: dict[str, object] = {}
            if platform_id != NATION:
                own["parents"] = [cables[platform_id].address if has_cables else places[NATION]]
            if platform_id == NATION or (is_direct and platform_id == INLAND):
                own["listen"] = places[platform_id]
            paths = {"certificate": files.certificate, "certificate_key": files.key, "ca": files.authorities}
            more = {f"federation.{key}": value for key, value in own.items()}
            more |= {f"federation.{key}": str(path) for key, path in paths.items()}
            folder = GatewayFolder(root / name, lender.url, more=more)
            tables = build_member_tables(platform_id, engine, (changes or {}).get(platform_id, keep_tables))
            if is_direct and platform_id == COAST:
                known = tables.platforms[INLAND].model_copy(update={"address": places[INLAND]})
                tables = tables.model_copy(update={"platforms": tables.platforms | {INLAND: known}})
            folder.prepare(build_member_snapshot(platform_id, tables), UUID(int=0x40 + number))
            members.append(Member(platform_id, lender, engine, folder, tables, files))
        nation, coast, inland = members
        federation = Federation(nation, coast, inland, cables, authority, root)
        exits.callback(_end_gateways, federation)
        for member in federation.members:
            await member.start()
        if is_direct:
            await wait_for_links(federation.coast, 2)
        else:
            await federation.wait_until_linked()
        yield federation


def keep_tables(tables: SnapshotTables) -> SnapshotTables:
    """Change nothing."""
    return tables


def _end_gateways(federation: Federation) -> None:
    for member in federation.members:
        if member.gateway is not None and member.gateway.process.poll() is None:
            member.gateway.kill()
