"""How far two joined platforms are, and what they hold at the end: looked up on their disks, where all of a link is."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypedDict

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import LetterKind
from keisan.domain.link_log import LinkLog
from stage.link_pair import Side

EVERYTHING = PlatformScope()
LOOK_S = 0.1
NEWEST = "newest"
COUNTS = {
    "records": "SELECT count(DISTINCT record_id) FROM cross_record",
    "settled": "SELECT count(*) FROM cross_record WHERE state = 'settled'",
    "totals": "SELECT count(*) FROM hourly_total",
    "batches": "SELECT count(*) FROM cross_batch WHERE countersignature IS NOT NULL",
    "refused": "SELECT count(*) FROM refused_letter",
}


class Course(TypedDict):
    """What came of a healing, as its parent saw it: seconds since it began, and letters a second in each quarter of them."""

    first_s: float
    state_s: float
    came_s: float
    quarters_per_s: list[int]


@dataclass(slots=True)
class Progress:
    """When how many letters were applied, since the healing began (monotonic seconds)."""

    began_s: float
    samples: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])
    state_s: float | None = None

    def note(self, applied: int) -> None:
        """Note how many letters are applied now."""
        self.samples.append((time.monotonic() - self.began_s, applied))

    def describe(self, letters: int) -> Course:
        """Return the course, once all letters have come."""
        assert self.state_s is not None
        begins_s = max(at_s for at_s, applied in self.samples if not applied)
        ends_s = [
            next(at_s for at_s, applied in self.samples if 4 * applied >= part * letters) for part in (1, 2, 3, 4)
        ]
        # What came between two looks took a look's time at most.
        quarters = [round(letters / 4 / max(end - start, LOOK_S)) for start, end in pairwise((begins_s, *ends_s))]
        first_s = next(at_s for at_s, applied in self.samples if applied)
        return Course(first_s=first_s, state_s=self.state_s, came_s=ends_s[-1], quarters_per_s=quarters)


async def count_applied(side: Side, link_id: LinkId) -> int:
    """Return how many letters of its neighbour a platform has applied."""
    async with side.town.storage.read() as view:
        cursor = await view.incoming_logs.get_cursor(EVERYTHING, link_id, LinkLog.LEDGER)
    return 0 if cursor is None else cursor.sequence


async def is_newest_there(side: Side) -> bool:
    """Tell whether a platform has the register that its neighbour put last."""
    async with side.town.storage.read() as view:
        return any(each.name == NEWEST for each in await view.registers.list_kind(EVERYTHING, LetterKind.OFFER))


async def watch_progress(side: Side, letters: int, progress: Progress) -> None:
    """Look until so many letters and the newest state are there."""
    link_id, applied = (await side.get_link()).id, 0
    while applied < letters or progress.state_s is None:
        await asyncio.sleep(LOOK_S)
        applied = await count_applied(side, link_id)
        progress.note(applied)
        if progress.state_s is None and await is_newest_there(side):
            progress.state_s = time.monotonic() - progress.began_s


async def wait_for_letters(side: Side, letters: int) -> None:
    """Wait until a platform has applied so many letters."""
    link_id, applied = (await side.get_link()).id, 0
    while applied < letters:
        await asyncio.sleep(LOOK_S)
        applied = await count_applied(side, link_id)


def count_held(side: Side) -> dict[str, int]:
    """Return what a platform holds, as its file says it."""
    with closing(sqlite3.connect(side.folder / "keisan.db")) as database:
        return {name: int(database.execute(query).fetchone()[0]) for name, query in COUNTS.items()}
