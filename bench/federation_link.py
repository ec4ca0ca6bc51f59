"""Question: how many bytes a second does a region send its parent, how does that grow with devices, and what does a nation cost?

Method: provinces with fleets whose every device changes each second, each with a database and a link of its own; the nation is a process
of its own. Simulated: devices, and the transport (plain TCP in place of WebSocket over TLS). Registers, signatures and disks are real.
Reference: the numbers of a roll-up alone, 8 bytes each. Wrong if: the nation does not see every device, or not all of them well.
"""

import argparse
import asyncio
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from keisan.control.capacity import OWN_SOURCES
from keisan.control.context import Control
from keisan.control.link_hub import LinkHub
from keisan.control.live_capacity import LiveSource
from keisan.control.region import RegionWatch
from keisan.control.telemetry import FleetWatch
from keisan.daemon.simulated_fleet import REGIONS
from keisan.domain.capacity import CapacityKind
from keisan.domain.errors import NeighbourUnreachable
from keisan.domain.letter import LetterKind
from keisan.domain.link import Link, LinkSide
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.roll_up import SUMMED_FIELDS, CountName, Level
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import SystemClock
from keisan.storage.sqlite import open_sqlite
from keisan.telemetry.live_site import SitePlace
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.wire.name import PLATFORM_REGISTER, NameBody, PlatformBody, encode_body, encode_key_chain
from stage.cache import tell
from tests.control.link_world import build_identity
from tests.control.town import Town, build_link
from tests.factories import create_provider, create_site
from tests.telemetry.fleet import build_head, build_inventory, build_values

SITES = 4
NATION_SEED = 90
# Each count, a total and of how many devices it is, and four values: what a roll-up tells, at 8 bytes.
BARE_BYTES = 8 * (len(CountName) + 2 * len(SUMMED_FIELDS) + 4)
LENGTH_BYTES = 4
SETTLE_S_MAX = 240


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: devices of one region in turn, then a nation."""

    devices: tuple[int, ...]
    measured_s: int
    regions: int
    region_devices: int
    nation_s: int


WHOLE = Size((8, 1024, 32_768), 30, 31, 32_000, 60)
QUICK = Size((8, 1024, 32_768), 5, 4, 8_192, 6)


@dataclass(slots=True)
class TcpChannel:
    """Carries messages over TCP, each after its length. `sent_bytes` counts them with it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent_bytes: int = 0

    async def send(self, data: bytes) -> None:
        """Send a message; raises NeighbourUnreachable."""
        self.sent_bytes += LENGTH_BYTES + len(data)
        try:
            self.writer.write(len(data).to_bytes(LENGTH_BYTES) + data)
            await self.writer.drain()
        except OSError as fault:
            raise NeighbourUnreachable("the connection has ended") from fault

    async def receive(self) -> bytes:
        """Return the next message; raises NeighbourUnreachable."""
        try:
            length = int.from_bytes(await self.reader.readexactly(LENGTH_BYTES))
            return await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as fault:
            raise NeighbourUnreachable("the connection has ended") from fault

    async def close(self) -> None:
        """End the connection."""
        self.writer.close()


@dataclass(slots=True)
class Place:
    """A platform of the bench. Its keys are made of its seed, so each process knows those of the other."""

    town: Town
    watch: FleetWatch
    regions: RegionWatch
    devices: int = 0
    sequence: int = 0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def feed(self) -> None:
        """Read every device anew."""
        now = self.watch.read_moment()
        self.sequence += 1
        for site in self.watch.fleet.sites.values():
            count = site.columns.inventory.device_count
            values = build_values(
                count,
                utilization_permille=self.random.integers(0, 1000, count),
                memory_used_mib=self.random.integers(0, 60_000, count),
                power_milliwatts=self.random.integers(50_000, 700_000, count),
                temperature_millicelsius=self.random.integers(30_000, 80_000, count),
                tokens_per_s=self.random.integers(0, 3000, count),
            )
            site.take(build_head(self.sequence, now.wall_ms), np.arange(count, dtype=np.uint32), values, now)
        self.watch.fleet.roll_up(now)


async def open_town(folder: Path, template: Path, name: str, identity: LinkIdentity) -> Town:
    """Return a platform with a database of its own; one whose folder has none yet is made."""
    path = folder / f"{name}.db"
    shutil.copyfile(template, path)
    clock = SystemClock()
    storage = open_sqlite(path, clock)
    platform_id, signer = identity.platform_id, identity.signer
    platform = Platform(platform_id, name, PlatformKind.NATIONAL, None, signer.public_key, 1, clock.now())
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
    control = Control(storage, clock, platform_id, signer=signer, identity=identity)
    return Town(name, storage, control, LinkHub(control, "bench"), identity.keys)


def imagine_town(town: Town, name: str, identity: LinkIdentity) -> Town:
    """Return a platform of the other process, as far as a link needs it."""
    return replace(
        town, name=name, control=replace(town.control, platform_id=identity.platform_id), chain=identity.keys
    )


def build_place(town: Town) -> Place:
    """Return a platform with its fleet, still without devices."""
    watch = FleetWatch(town.control, {})
    live = (LiveSource(watch, kind) for kind in (CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE))
    return Place(town, watch, RegionWatch(watch, (*OWN_SOURCES, *live)))


async def insert_link(town: Town, link: Link) -> None:
    """Join on one side."""
    async with town.storage.write() as transaction:
        await transaction.links.insert(link)


async def build_nation(folder: Path, template: Path, regions: int) -> Place:
    """Return the nation, joined to its provinces, each with its region."""
    nation = await open_town(folder, template, "cn", build_identity(NATION_SEED))
    for number in range(regions):
        child = imagine_town(nation, f"p{number}", build_identity(number + 1))
        link = replace(build_link(nation, child, LinkSide.CHILD, child.name), region=REGIONS[number])
        await insert_link(nation, link)
        keys = encode_key_chain(child.chain)
        body = NameBody(platform_id=child.id, title=child.name, region=REGIONS[number], epoch=1, keys=keys)
        await nation.put(LetterKind.NAME, child.name, encode_body(body))
    return build_place(nation)


async def build_province(folder: Path, template: Path, number: int, devices: int) -> Place:
    """Return a province with its devices, joined to the nation."""
    town = await open_town(folder, template, f"p{number}", build_identity(number + 1))
    parent = imagine_town(town, "cn", build_identity(NATION_SEED))
    await insert_link(town, build_link(town, parent, LinkSide.PARENT, town.name))
    body = PlatformBody(
        title=town.name,
        kind="regional",
        keys=encode_key_chain(town.chain),
        parent_id=parent.id,
        parent_keys=encode_key_chain(parent.chain),
        epoch=1,
        prefix=town.name,
    )
    await town.put(LetterKind.PLATFORM, PLATFORM_REGISTER, encode_body(body))
    place = build_place(town)
    for site_number in range(SITES):
        await add_site(place, REGIONS[number], f"{number}-{site_number}", devices // SITES)
    place.devices = devices
    return place


async def add_site(place: Place, region: str, name: str, devices: int) -> None:
    """Open a site of a region."""
    town = place.town
    provider = replace(create_provider(), platform_id=town.id)
    site = replace(create_site(provider, name), region=region, platform_id=town.id)
    async with town.storage.write() as transaction:
        await transaction.providers.insert(provider)
        await transaction.sites.insert(site)
    inventory = build_inventory([number // 8 for number in range(devices)])
    ids = pa.array([f"GPU-{name}-{number:06d}" for number in range(devices)], pa.utf8())
    place_of_site = SitePlace(site.id, site.provider_id, site.name, site.region)
    place.watch.fleet.take_inventory(place_of_site, replace(inventory, hardware_ids=ids))


async def step_each_second(places: list[Place], stop: asyncio.Event) -> None:
    """Feed and tell each second, as platforms do."""
    while not stop.is_set():
        began_s = time.monotonic()
        for place in places:
            place.feed()
            await place.regions.step()
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - began_s)))


async def run_nation(port: int, folder: Path, size: tuple[int, int, int]) -> None:
    """Be the nation: take links, and print what that cost once all is seen."""
    regions, devices, duration_s = size
    nation = await build_nation(folder, folder / "template.db", regions)
    by_number = {number: build_identity(number + 1).platform_id for number in range(regions)}
    process, stop = psutil.Process(), asyncio.Event()
    bare_bytes = process.memory_info().rss

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
        await nation.town.hub.serve(by_number[number], TcpChannel(reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", port)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(nation.town.hub.watch())
        stepping = group.create_task(step_each_second([nation], stop))
        print("ready", flush=True)
        settled_s = await wait_until_seen(nation, regions * devices)
        began_s, began_cpu_s = time.monotonic(), sum(process.cpu_times()[:2])
        await asyncio.sleep(duration_s)
        cpu_s = sum(process.cpu_times()[:2]) - began_cpu_s
        found = {
            "settled_s": round(settled_s, 1),
            "cpu_percent": round(100 * cpu_s / (time.monotonic() - began_s), 1),
            "resident_bytes": process.memory_info().rss,
            "resident_before_bytes": bare_bytes,
            "devices": count_devices(nation),
            "database_bytes": (folder / "cn.db").stat().st_size,
        }
        print(json.dumps(found), flush=True)
        stop.set()
        server.close()
        nation.town.hub.stop()
        await asyncio.wait({stepping}, timeout=10)
        watching.cancel()


async def wait_until_seen(nation: Place, devices: int) -> float:
    """Return after how long the nation saw all devices well, and had all their digests."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < SETTLE_S_MAX:
        seen = read_rollups(nation.watch.fleet, RollUpQuery(Level.PLATFORM))
        platforms = nation.regions.hearing.list_platforms()
        told = sum(platform.is_whole(site) for platform in platforms for site in platform.list_sites())
        is_told = told == SITES * len(platforms)
        if is_told and sum(each.counts[CountName.OK] for each in seen) == devices:
            return time.monotonic() - began_s
        await asyncio.sleep(0.2)
    raise AssertionError("the nation did not see all devices")


def count_devices(nation: Place) -> int:
    """Return how many devices the nation sees well."""
    return sum(each.counts[CountName.OK] for each in read_rollups(nation.watch.fleet, RollUpQuery(Level.PLATFORM)))


@asynccontextmanager
async def open_nation(
    folder: Path, size: tuple[int, int, int]
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Start the nation's process and yield where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--nation", str(port), str(folder), *map(str, size))
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield port, process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def run_provinces(source: Path, size: tuple[int, int, int]) -> dict[str, object]:
    """Run provinces against a nation; return what the nation says, and what each province sent a second."""
    regions, devices, duration_s = size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(source, folder / "template.db")
        places = [await build_province(folder, source, number, devices) for number in range(regions)]
        channels: list[TcpChannel] = []
        async with open_nation(folder, size) as (port, process), asyncio.TaskGroup() as group:
            stop, tasks = asyncio.Event(), list[asyncio.Task[object]]()
            for number, place in enumerate(places):
                reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), SETTLE_S_MAX)
                writer.write(number.to_bytes(LENGTH_BYTES))
                channels.append(TcpChannel(reader, writer))
                parent_id = build_identity(NATION_SEED).platform_id
                tasks.append(group.create_task(place.town.hub.serve(parent_id, channels[-1])))
                tasks.append(group.create_task(place.town.hub.watch()))
            tasks.append(group.create_task(step_each_second(places, stop)))
            samples: list[tuple[float, int]] = []
            tasks.append(group.create_task(sample_bytes(channels, samples)))
            assert process.stdout is not None
            found: dict[str, object] = json.loads(await asyncio.wait_for(process.stdout.readline(), SETTLE_S_MAX))
            stop.set()
            for task in tasks:
                task.cancel()
        (from_s, from_bytes), (to_s, to_bytes) = samples[-1 - duration_s], samples[-1]
        rate = (to_bytes - from_bytes) / (to_s - from_s) / regions
        for place in places:
            await place.town.storage.close()
        return {
            "bytes_per_region_s": round(rate),
            "first_bytes_per_region": round(from_bytes / regions),
            "ratio_to_bare": round(rate / BARE_BYTES, 2),
            "nation": found,
        }


async def sample_bytes(channels: list[TcpChannel], samples: list[tuple[float, int]]) -> None:
    """Note each second what all provinces have sent."""
    while True:
        samples.append((time.monotonic(), sum(channel.sent_bytes for channel in channels)))
        await asyncio.sleep(1)


async def run_bench(size: Size) -> dict[str, object]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "template.db"
        template = open_sqlite(source, SystemClock())
        await template.migrate()
        await template.close()
        by_devices = {}
        for devices in size.devices:
            tell(f"bench: one region of {devices} devices")
            by_devices[devices] = await run_provinces(source, (1, devices, size.measured_s))
        tell(f"bench: {size.regions} regions of {size.region_devices} devices")
        nation = await run_provinces(source, (size.regions, size.region_devices, size.nation_s))
    return {
        "bench": "federation_link",
        "n": size.measured_s,
        "bare_bytes_per_region_s": BARE_BYTES,
        "by_devices": by_devices,
        "nation": {"regions": size.regions, "region_devices": size.region_devices, **nation},
    }


def main() -> None:
    """Run the bench, or be its nation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, with a smaller nation")
    parser.add_argument("--nation", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.nation:
        port, folder, *size = given.nation
        asyncio.run(run_nation(int(port), Path(folder), (int(size[0]), int(size[1]), int(size[2]))))
        return
    print(json.dumps(asyncio.run(run_bench(QUICK if given.quick else WHOLE))))


if __name__ == "__main__":
    main()
