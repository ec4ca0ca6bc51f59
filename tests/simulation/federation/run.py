"""Many schedules on all cores: what was tried, what was reached, and how to play again what failed.

python -m tests.simulation.federation.run --schedules 9800 --nations 200
python -m tests.simulation.federation.run --replay 4711
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.federation.counter import Tally
from tests.simulation.federation.schedule import Outcome, run_schedule

FAILED_SEEDS = Path(__file__).with_name("failed_seeds.txt")
NATION = "nation"
CHUNK = 8


@dataclass
class Report:
    """What many schedules came to."""

    tally: Tally = field(default_factory=Tally)
    failed: list[Outcome] = field(default_factory=list)
    schedules: int = 0
    nations: int = 0
    events: int = 0
    wall_s: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.tally.add(outcome.tally)
        self.schedules += not outcome.is_nation
        self.nations += outcome.is_nation
        self.events += outcome.events
        if outcome.problems:
            self.failed.append(outcome)

    def list_lines(self) -> list[str]:
        """Return what a person wants to know of the run."""
        lines = [
            f"{self.schedules} schedules on random trees, {self.nations} on 31 regions: {self.events} events in {self.wall_s:.0f} s",
            "faults with traffic in flight: " + _describe(self.tally.faults),
            "states reached: " + _describe(self.tally.states),
            "work: " + _describe(self.tally.work),
        ]
        for outcome in self.failed:
            lines.append(
                f"FAILED seed {name_seed(outcome.seed, is_nation=outcome.is_nation)}: {'; '.join(outcome.problems[:3])}"
            )
            lines.append(
                f"  again: python -m tests.simulation.federation.run --replay {name_seed(outcome.seed, is_nation=outcome.is_nation)}"
            )
        return lines


def name_seed(seed: int, *, is_nation: bool) -> str:
    """Return how a schedule is called in reports and in the list of those that ever failed."""
    return f"{NATION}:{seed}" if is_nation else str(seed)


def read_seed(name: str) -> tuple[int, bool]:
    """Return the seed of a schedule by its name, and whether it is on the nation."""
    kind, _, number = name.rpartition(":")
    return int(number), kind == NATION


def list_failed_seeds() -> list[tuple[int, bool]]:
    """Return the schedules that ever failed: they are played in every run."""
    lines = (line.partition("#")[0].strip() for line in FAILED_SEEDS.read_text().splitlines())
    return [read_seed(line) for line in lines if line]


def run_many(plays: Iterable[tuple[int, bool]], processes: int | None = None) -> Report:
    """Play schedules on several processes; the order in which they end changes nothing."""
    report, began_s = Report(), time.monotonic()
    for outcome in _play_all(list(plays), processes or os.cpu_count() or 1):
        report.add(outcome)
    report.failed.sort(key=lambda outcome: outcome.seed)
    report.wall_s = time.monotonic() - began_s
    return report


def _play_all(plays: list[tuple[int, bool]], processes: int) -> Iterator[Outcome]:
    # Spawned, not forked: a fork of pytest would carry its threads and its open files.
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _keep_what_is_loaded) as pool:
        yield from pool.imap_unordered(_play, plays, chunksize=CHUNK)


def _keep_what_is_loaded() -> None:
    """Look for garbage less often, and not among what was imported: that is a twentieth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)


def _play(play: tuple[int, bool]) -> Outcome:
    seed, is_nation = play
    return run_schedule(seed, is_nation=is_nation)


def list_plays(first_seed: int, schedules: int, nations: int) -> list[tuple[int, bool]]:
    """Return schedules by seed; those on the nation first, since one of them takes longer than ten others."""
    return [(first_seed + number, True) for number in range(nations)] + [
        (first_seed + number, False) for number in range(schedules)
    ]


def _describe(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def main() -> int:
    """Run from the command line; exits 1 if anything failed, or a fault or a state was never seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=9_800)
    parser.add_argument("--nations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", help="a seed, or nation:SEED")
    options = parser.parse_args()
    if options.replay:
        seed, is_nation = read_seed(options.replay)
        outcome = run_schedule(seed, is_nation=is_nation)
        print(*outcome.problems or ["all held"], f"trace {outcome.trace:08x}, {outcome.events} events", sep="\n")  # noqa: T201  # speaks to a person
        return bool(outcome.problems)
    report = run_many(list_plays(options.seed, options.schedules, options.nations))
    missing = report.tally.list_missing()
    print(*report.list_lines(), *(f"NEVER SEEN: {name}" for name in missing), sep="\n")  # noqa: T201  # speaks to a person
    return bool(report.failed or missing)


if __name__ == "__main__":
    sys.exit(main())
