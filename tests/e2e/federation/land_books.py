"""The books of a land whose calls have ended: every call in the books of those whom it concerns, once, and both ends of one mind."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.usage import CallOutcome
from tests.deadline import let_time_pass_async
from tests.e2e.federation.open_load import Load
from tests.e2e.federation.served_land import Member, ServedLand

SETTLED_S_MAX, READ_S = 90.0, 2.0

Tell = Callable[[str, object], None]


async def check_books(load: Load, land: ServedLand, tell: Tell) -> None:
    """Every call that was answered is in the books of those whom it concerns, once, and both ends have settled the same."""
    crossed = {each.record_id for name in ("shared", "alone") for each in load.list_outcomes(name) if each.is_answered}
    inside = {each.record_id for each in load.list_outcomes("inside")}
    served = {member.name: member.count_served() for member in land.all}
    for record in crossed | inside:
        assert sum(counts.get(record, 0) for counts in served.values()) == 1, (
            f"{record} was worked on twice, or by nobody"
        )
    begun_s = time.monotonic()
    while True:
        books = {member.name: await read_books(member) for member in land.all}
        sums = {member.name: await sum_settlements(member) for member in land.all}
        faults = list_faults(crossed, inside, served, books) + list_differences(land, sums)
        if not faults:
            break
        assert time.monotonic() < begun_s + SETTLED_S_MAX, faults
        # To read all books costs the platforms more than some calls.
        await let_time_pass_async(READ_S)
    told = f"{len(crossed)} calls across and {len(inside)} inside"
    tell("books", f"{told} are in all books once, {time.monotonic() - begun_s:.1f} s later")
    lines = Counter(
        (line[0], line[1]) for each in sums["cn"].values() for line, count in each.items() for _ in range(count)
    )
    tell("settlements of the nation", {" ".join(line): count for line, count in sorted(lines.items())})


@dataclass(frozen=True, slots=True)
class Books:
    """What a platform has: calls that it was paid for, by record id, and what is said of calls across, by record id and end."""

    completed: Counter[str]
    crossed: Counter[tuple[str, str, str]]


async def read_books(member: Member) -> Books:
    """Return what the platform's API says it served, and what its database holds of calls across, which no list shows one by one."""
    async with member.open_as_operator() as keisan:
        completed = [str(each.id) async for each in keisan.usage.list() if each.outcome is CallOutcome.COMPLETED]
    return Books(Counter(completed), Counter(await member.province.list_crossed()))


def list_faults(
    crossed: set[str], inside: set[str], served: dict[str, dict[str, int]], books: dict[str, Books]
) -> list[str]:
    """Return what is wrong: a call is paid for where it was served and nowhere else, and both ends of one across are kept by both sides."""
    faults = []
    for record in crossed | inside:
        where = next(name for name, counts in served.items() if record in counts)
        kept = {where, "cn"} if record in crossed else set()
        for name, book in books.items():
            if book.completed[record] != int(name == where):
                faults.append(f"{record}: {name} has it {book.completed[record]} times, and {where} served it")
            for end in RecordEnd:
                if book.crossed[record, end, CrossState.SETTLED] != int(name in kept):
                    faults.append(f"{record}: {name} lacks the {end} end, or has it and should not")
    return faults[:5]


Sums = dict[tuple[str, str, str], Counter[tuple[str, str, int]]]


async def sum_settlements(member: Member) -> Sums:
    """Return by author, audience and period how many records of each end and state a platform has, and what they come to."""
    found: Sums = {}
    async with member.open_as_operator() as keisan:
        for each in [line async for line in keisan.settlements.list()]:
            detail = await keisan.settlements.get(each.id)
            lines = {(str(line.end), str(line.state), line.amount_nano): line.record_count for line in detail.sums}
            found[each.author, each.audience, each.period] = Counter(lines)
    return found


def list_differences(land: ServedLand, sums: dict[str, Sums]) -> list[str]:
    """Return where the two sides of a settlement differ in number, state or amount."""
    faults = []
    for member in (land.cut, land.other):
        own, nation = sums[member.name], sums["cn"]
        both = {member.province.platform_id, land.nation.province.platform_id}
        for key in own | nation:
            if set(key[:2]) == both and own.get(key) != nation.get(key):
                faults.append(f"{key}: {own.get(key)} at {member.name} and {nation.get(key)} at the nation")
    return faults


async def check_invariants(member: Member, tell: Tell) -> None:
    """Have the command that a person types check every invariant; unknown is not held."""
    told, code = await asyncio.to_thread(member.province.type, "federation", "check")
    broken = [each for each in told["findings"] if each["state"] != "held"]
    assert (broken, code) == ([], 0), member.name
    tell(
        f"check of {member.name}",
        " ".join(sorted({f"{each['invariant']}: {each['state']}" for each in told["findings"]})),
    )
