"""Question: how many bytes a second does a region send its parent, how does that grow with devices, and what does a nation cost?

Method: provinces with fleets whose every device changes each second, each with a database and a link of its own; the nation is a process
of its own. Simulated: devices, and the transport (plain TCP in place of WebSocket over TLS). Registers, signatures and disks are real.
Reference: the numbers of a roll-up alone, 8 bytes each. Wrong if: the nation does not see every device, or not all of them well.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil

from keisan.domain.roll_up import SUMMED_FIELDS, CountName
from stage.cache import tell
from stage.ports import find_free_ports
from stage.region import NATION_SEED, Place, build_nation, build_province, step_each_second
from stage.region_channel import LENGTH_BYTES, Sample, TcpChannel, compute_rates, sample_bytes
from stage.town import migrate_template
from tests.control.link_world import build_identity

# Each count, a total and of how many devices it is, and four values: what a roll-up tells, at 8 bytes.
BARE_BYTES = 8 * (len(CountName) + 2 * len(SUMMED_FIELDS) + 4)
SETTLE_S_MAX, END_S_MAX = 240, 10
CONNECT_S_MAX = 30


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: provinces of unlike sizes side by side, then a nation of like ones."""

    devices: tuple[int, ...]
    measured_s: int
    regions: int
    region_devices: int
    nation_s: int


WHOLE = Size((8, 1024, 32_768), 60, 31, 32_000, 60)
QUICK = Size((8, 1024, 32_768), 6, 4, 8_192, 6)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a nation's process is to wait for, and how long it is measured then."""

    regions: int
    devices: int
    measured_s: int


async def run_nation(port: int, folder: Path, wanted: Wanted) -> None:
    """Be the nation: take links, and print what that cost once all is seen."""
    nation = await build_nation(folder, folder / "template.db", wanted.regions)
    by_number = [build_identity(number + 1).platform_id for number in range(wanted.regions)]
    process = psutil.Process()
    bare_bytes = process.memory_info().rss

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
        await nation.town.hub.serve(by_number[number], TcpChannel(reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", port)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(nation.town.hub.watch())
        stepping = group.create_task(step_each_second(nation))
        print("ready", flush=True)
        settled_s = await nation.wait_until_seen(wanted.devices, SETTLE_S_MAX)
        began_s, began_cpu_s = time.monotonic(), sum(process.cpu_times()[:2])
        await asyncio.sleep(wanted.measured_s)
        cpu_s, took_s = sum(process.cpu_times()[:2]) - began_cpu_s, time.monotonic() - began_s
        found = {
            "settled_s": round(settled_s, 1),
            "cpu_percent": round(100 * cpu_s / took_s, 1),
            "cpu_ms_per_region_s": round(1000 * cpu_s / took_s / wanted.regions, 2),
            "resident_bytes": process.memory_info().rss,
            "resident_before_bytes": bare_bytes,
            "devices": nation.count_devices(),
            "database_bytes": (folder / "cn.db").stat().st_size,
        }
        print(json.dumps(found), flush=True)
        server.close()
        nation.town.hub.stop()
        stepping.cancel()
        watching.cancel()


@asynccontextmanager
async def open_nation(folder: Path, wanted: Wanted) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Start the nation's process and yield where it listens."""
    (port,) = find_free_ports(1)
    words = ("--nation", port, folder, wanted.regions, wanted.devices, wanted.measured_s)
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *map(str, words), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield port, process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def connect_province(number: int, port: int, sent_bytes: int = 0) -> TcpChannel:
    """Return a province's connection, on which it has said which it is; it counts on from what was sent before."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECT_S_MAX)
    writer.write(number.to_bytes(LENGTH_BYTES))
    return TcpChannel(reader, writer, sent_bytes)


async def keep_connected(place: Place, channels: list[TcpChannel], number: int, port: int) -> None:
    """Serve a province's connection, and the next where a busy host let one fall silent, until cancelled."""
    nation_id = build_identity(NATION_SEED).platform_id
    while True:
        await place.town.hub.serve(nation_id, channels[number])
        channels[number] = await connect_province(number, port, channels[number].sent_bytes)


async def run_provinces(source: Path, sizes: Sequence[int], measured_s: int) -> dict[str, object]:
    """Run provinces of so many devices each against a nation; return what they sent, and what the nation says."""
    wanted = Wanted(len(sizes), sum(sizes), measured_s)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(source, folder / "template.db")
        places = [await build_province(folder, source, number, devices) for number, devices in enumerate(sizes)]
        samples: list[Sample] = []
        async with open_nation(folder, wanted) as (port, process), asyncio.TaskGroup() as group:
            channels = [await connect_province(number, port) for number in range(len(sizes))]
            tasks = [group.create_task(step_each_second(place)) for place in places]
            tasks += [group.create_task(place.town.hub.watch()) for place in places]
            tasks.append(group.create_task(sample_bytes(channels, samples)))
            tasks += [
                group.create_task(keep_connected(place, channels, number, port)) for number, place in enumerate(places)
            ]
            assert process.stdout is not None
            async with asyncio.timeout(SETTLE_S_MAX + measured_s + END_S_MAX):
                process_found: dict[str, object] = json.loads(await process.stdout.readline())
            for task in tasks:
                task.cancel()
        found = format_provinces(places, samples, measured_s)
        for place in places:
            await place.town.storage.close()
        return found | {"nation_process": process_found}


def format_provinces(places: Sequence[Place], samples: Sequence[Sample], measured_s: int) -> dict[str, object]:
    """Return what the provinces sent in the last seconds; `steps_per_s` below 1 says that they told less often than platforms do."""
    measured = samples[-1 - measured_s :]
    whole_s = samples[-1][0] - samples[0][0]
    regions = []
    for number, place in enumerate(places):
        rates = compute_rates(measured, number)
        sent = measured[-1][1][number] - measured[0][1][number]
        rate = sent / (measured[-1][0] - measured[0][0])
        devices = sum(site.columns.inventory.device_count for site in place.watch.fleet.sites.values())
        regions.append(
            {
                "devices": devices,
                "bytes_s": round(rate),
                "p50_bytes_s": round(median(rates)),
                "p99_bytes_s": round(quantiles(rates, n=100, method="inclusive")[-1]),
                "spread_bytes_s": [round(min(rates)), round(max(rates))],
                "first_bytes": measured[0][1][number],
                "ratio_to_bare": round(rate / BARE_BYTES, 2),
            }
        )
    return {"steps_per_s": round(min(place.steps for place in places) / whole_s, 2), "regions": regions}


def fold_regions(found: dict[str, object]) -> dict[str, object]:
    """Return figures of regions that are alike as medians, with the least and the most."""
    regions = found["regions"]
    assert isinstance(regions, list)
    folded = {}
    for name in ("bytes_s", "p50_bytes_s", "p99_bytes_s", "first_bytes", "ratio_to_bare"):
        values = [region[name] for region in regions]
        folded[name] = [median(values), min(values), max(values)]
    return found | {"regions": len(regions), "of_each_region": folded}


async def run_bench(size: Size) -> dict[str, object]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as name:
        source = await migrate_template(Path(name) / "template.db")
        tell(f"bench: regions of {', '.join(map(str, size.devices))} devices")
        growth = await run_provinces(source, size.devices, size.measured_s)
        tell(f"bench: {size.regions} regions of {size.region_devices} devices")
        nation = await run_provinces(source, [size.region_devices] * size.regions, size.nation_s)
    regions = growth["regions"]
    assert isinstance(regions, list)
    return {
        "bench": "federation_link",
        "n": size.measured_s,
        "bare_bytes_per_region_s": BARE_BYTES,
        "by_devices": growth,
        "growth_of_bytes": round(regions[-1]["bytes_s"] / regions[0]["bytes_s"], 2),
        "growth_of_devices": round(size.devices[-1] / size.devices[0]),
        "nation": {"region_devices": size.region_devices, **fold_regions(nation)},
    }


def main() -> None:
    """Run the bench, or be its nation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, with a smaller nation")
    parser.add_argument("--nation", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.nation:
        port, folder, *wanted = given.nation
        asyncio.run(run_nation(int(port), Path(folder), Wanted(*map(int, wanted))))
        return
    print(json.dumps(asyncio.run(run_bench(QUICK if given.quick else WHOLE))))


if __name__ == "__main__":
    main()
