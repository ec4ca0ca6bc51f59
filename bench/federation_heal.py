"""Question: how long from the healing of a link until both have all that piled up, after 1 h and after 72, and at what cost?

Method: a province with a database writes its backlog while nobody listens; then its parent, a process of its own, does, over mutual TLS.
Reference: in the same run the same letters over the same kind of socket, each lot inserted plainly and answered, without the protocol.
Wrong if: a letter is missing, refused or twice at the end, or what one costs grows with what waits.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from keisan.daemon.settings_address import Address
from keisan.domain.letter import LetterKind
from stage.cache import tell
from stage.link_backlog import BATCH_RECORDS, Backlog, plant_terms, write_backlog
from stage.link_pair import HOST, PARENT, Side, build_pair, open_side
from stage.link_plain import read_lots, send_plainly, take_plainly
from stage.link_progress import NEWEST, Progress, count_held, wait_for_letters, watch_progress
from stage.ports import find_free_ports

HOURS = (1, 72)
# ServeGen's service has 57,600 requests an hour (16 a second). Of these one in 720 crosses here, four in a batch;
# in the quick run one in 7,200.
BATCHES_PER_H, QUICK_BATCHES_PER_H = 20, 2
HEAL_S_MAX = 3600.0
VAIN_S = 3.0
ANSWER_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class ParentProcess:
    """The parent: it is told what to do a line at a time, and says what came of it."""

    process: asyncio.subprocess.Process

    def tell(self, word: str) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())

    async def hear(self, seconds_max: float = ANSWER_S_MAX) -> Any:
        """Return what it says next."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds_max):
            return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def open_parent(folder: Path, port: int, letters: int) -> AsyncIterator[ParentProcess]:
    """Start the parent's process, which does not listen yet."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--parent", str(folder), str(port), str(letters)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        parent = ParentProcess(process)
        assert await parent.hear() == "ready"
        yield parent
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def run_parent(folder: Path, port: int, letters: int) -> None:
    """Be the parent: listen when told so, say when all has come, stop, and take the reference."""
    side, process, stop = open_side(folder, PARENT), psutil.Process(), asyncio.Event()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say("ready")
    await lines.readline()
    cpu_s, progress = read_cpu_s(process), Progress(time.monotonic())
    say(progress.began_s)
    async with asyncio.TaskGroup() as group:
        service = group.create_task(side.build_service(Address(HOST, port)).run(stop))
        async with asyncio.timeout(HEAL_S_MAX):
            await watch_progress(side, letters, progress)
        say(progress.describe(letters))
        await lines.readline()
        say({"cpu_s": read_cpu_s(process) - cpu_s, "resident_bytes": process.memory_info().rss})
        stop.set()
        await service
    await side.town.storage.close()
    async with take_plainly(side) as plain_port:
        say(plain_port)
        await lines.readline()


def say(found: object) -> None:
    """Say something to the main process."""
    print(json.dumps(found), flush=True)


def read_cpu_s(process: psutil.Process) -> float:
    """Return the processor's time of a process."""
    return sum(process.cpu_times()[:2])


async def heal(parent: ParentProcess, child: Side, backlog: Backlog) -> dict[str, object]:
    """Let the parent be there again and return what happened until both had all."""
    stop, process = asyncio.Event(), psutil.Process()
    async with asyncio.TaskGroup() as group:
        service = group.create_task(child.build_service().run(stop))
        # Long enough to have dialled in vain, and to be at the pauses of one that does.
        await asyncio.sleep(VAIN_S)
        await child.town.put(LetterKind.OFFER, NEWEST, b"1")
        cpu_s = read_cpu_s(process)
        parent.tell("listen")
        began_s = await parent.hear()
        course = await parent.hear(HEAL_S_MAX)
        async with asyncio.timeout(HEAL_S_MAX):
            await wait_for_letters(child, backlog.batches)
        converged_s, cpu_s = time.monotonic() - began_s, read_cpu_s(process) - cpu_s
        parent.tell("stop")
        used = await parent.hear()
        stop.set()
        await service
    return {
        "heal_to_converged_s": round(converged_s, 2),
        "first_letter_s": round(course["first_s"], 2),
        "newest_state_s": round(course["state_s"], 2),
        "all_applied_s": round(course["came_s"], 2),
        "letters_per_s": round(backlog.letters / converged_s),
        "letters_per_s_by_quarter": course["quarters_per_s"],
        "child_cpu_us_per_letter": round(cpu_s / backlog.letters * 1e6),
        "parent_cpu_us_per_letter": round(used["cpu_s"] / backlog.letters * 1e6),
        "parent_resident_bytes": used["resident_bytes"],
    }


async def measure(backlog: Backlog) -> dict[str, object]:
    """Write a backlog, heal, check that nothing is missing, and send the same letters plainly."""
    with tempfile.TemporaryDirectory() as name:
        folder, (port,) = Path(name), find_free_ports(1)
        parent, child = await build_pair(folder, port)
        now = datetime.now(UTC)
        await plant_terms(parent, child.town.id, now)
        await plant_terms(child, parent.town.id, now)
        await parent.town.storage.close()
        tell(f"bench: {backlog.hours} h of {backlog.batches_per_h} batches are written")
        written_s = time.monotonic()
        await write_backlog(child, parent.town.id, backlog)
        written_s = time.monotonic() - written_s
        async with open_parent(folder, port, backlog.letters) as process:
            tell("bench: the link heals")
            found = await heal(process, child, backlog)
            lots = await read_lots(child)
            plain_s = await send_plainly(child, await process.hear(), lots)
            process.tell("end")
        await child.town.storage.close()
        check_held((parent, child), backlog)
    return {
        "hours": backlog.hours,
        "letters": backlog.letters,
        "letter_bytes": round(sum(len(letter) for lot in lots for letter in lot) / backlog.letters),
        "written_s": round(written_s, 1),
        **found,
        "plain_s": round(plain_s, 3),
        "ratio_to_plain": round(float(str(found["heal_to_converged_s"])) / plain_s, 1),
    }


def check_held(sides: tuple[Side, Side], backlog: Backlog) -> None:
    """Check that both have all that was told, once; raises AssertionError."""
    records = backlog.batches * BATCH_RECORDS
    told = {"records": records, "settled": records, "totals": backlog.hours, "batches": backlog.batches, "refused": 0}
    for side in sides:
        held = count_held(side)
        assert held == told, f"{side.town.name} has {held} of {told}"


def compute_growth(steps: Sequence[dict[str, object]], name: str) -> float:
    """Return how much more one letter takes of something after the longest cut than after the shortest."""
    first, last = (float(str(steps[at][name])) for at in (0, -1))
    return round(last / first, 2)


async def run_bench(batches_per_h: int) -> dict[str, object]:
    """Return all figures."""
    steps = [await measure(Backlog(hours, batches_per_h)) for hours in HOURS]
    return {
        "bench": "federation_heal",
        "n": len(steps),
        "batches_per_h": batches_per_h,
        "records_per_batch": BATCH_RECORDS,
        "steps": steps,
        "growth_of_parent_cpu_per_letter": compute_growth(steps, "parent_cpu_us_per_letter"),
        "growth_of_child_cpu_per_letter": compute_growth(steps, "child_cpu_us_per_letter"),
    }


def main() -> None:
    """Run the bench, or be its parent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute, with fewer letters an hour")
    parser.add_argument("--parent", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.parent:
        folder, port, letters = given.parent
        asyncio.run(run_parent(Path(folder), int(port), int(letters)))
        return
    print(json.dumps(asyncio.run(run_bench(QUICK_BATCHES_PER_H if given.quick else BATCHES_PER_H))))


if __name__ == "__main__":
    main()
