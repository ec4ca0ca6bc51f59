"""Alternating rounds: every subject in each, in turned order, so that what drifts on the host meets all alike."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from stage.cache import tell
from stage.load import Shape
from stage.subject import Subject
from stage.window import Stage, Window, measure_window

TRIES = 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. `rounds_by_subject` bounds how often a subject is measured; by default in every round."""

    name: str
    shape: Shape
    pace_us: int = 0
    is_direct_measured: bool = False
    rounds_by_subject: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and how far they lie apart."""

    middle: float
    least: float
    most: float

    def format(self, digits: int = 2) -> list[float]:
        """Return median, minimum and maximum, rounded."""
        return [round(self.middle, digits), round(self.least, digits), round(self.most, digits)]


def compute_spread(values: Iterable[float]) -> Spread | None:
    """Return the spread of values, None if there are none."""
    known = sorted(values)
    return Spread(median(known), known[0], known[-1]) if known else None


@dataclass
class Table:
    """The windows of one scenario by subject and round."""

    windows: dict[str, dict[int, Window]] = field(default_factory=dict)

    def compute(self, subject: str, read: Callable[[Window], float | None]) -> Spread | None:
        """Return the spread of one figure of a subject."""
        values = (read(window) for window in self.windows.get(subject, {}).values())
        return compute_spread(value for value in values if value is not None)

    def compute_ratio(self, subject: str, reference: str, read: Callable[[Window], float | None]) -> Spread | None:
        """Return the spread of the ratio to the reference, each taken within one round."""
        ratios = []
        for number, window in self.windows.get(subject, {}).items():
            beside = self.windows.get(reference, {}).get(number)
            above, below = read(window), read(beside) if beside else None
            if above is not None and below:
                ratios.append(above / below)
        return compute_spread(ratios)

    def compute_least_ratio(self, subject: str, reference: str, read: Callable[[Window], float | None]) -> float | None:
        """Return the ratio of both's least values, which may be of different rounds."""
        own, beside = self.compute(subject, read), self.compute(reference, read)
        return None if own is None or beside is None else round(own.least / beside.least, 2)

    def compute_added(self, subject: str, read: Callable[[Window], float | None]) -> Spread | None:
        """Return the spread of what a subject adds to the engine itself, each taken within one round."""
        return compute_spread(self._list_added(subject, read).values())

    def compute_added_ratio(
        self, subject: str, reference: str, read: Callable[[Window], float | None]
    ) -> Spread | None:
        """Return the spread of the ratio of what both add, each taken within one round."""
        own, beside = self._list_added(subject, read), self._list_added(reference, read)
        return compute_spread(own[number] / beside[number] for number in own.keys() & beside.keys() if beside[number])

    def _list_added(self, subject: str, read: Callable[[Window], float | None]) -> dict[int, float]:
        direct, added = self.windows.get("direct", {}), {}
        for number, window in self.windows.get(subject, {}).items():
            with_it, without = read(window), read(direct[number]) if number in direct else None
            if with_it is not None and without is not None:
                added[number] = with_it - without
        return added


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and until when a spoilt window is still measured again."""

    rounds: int
    retry_until_s: float


def measure_scenario(stage: Stage, scenario: Scenario, plan: Plan) -> Table:
    """Measure all rounds of a scenario."""
    table = Table()
    stage.engine.set_pace_us(scenario.pace_us)
    for number in range(plan.rounds):
        turned = list(stage.subjects) if number % 2 == 0 else list(reversed(stage.subjects))
        for subject in _select_subjects(turned, scenario, number):
            window = _measure_clean(stage, subject, scenario.shape, plan)
            table.windows.setdefault(subject.name, {})[number] = window
            tell(_format_window(scenario, number, window))
    return table


def _select_subjects(subjects: Sequence[Subject], scenario: Scenario, number: int) -> list[Subject]:
    return [
        subject
        for subject in subjects
        if number < scenario.rounds_by_subject.get(subject.name, number + 1)
        and (subject.pinned is not None or scenario.is_direct_measured)
    ]


def _measure_clean(stage: Stage, subject: Subject, shape: Shape, plan: Plan) -> Window:
    """Measure again while others' CPU spoils the window; the least spoilt one counts, and stays marked if it is."""
    best = measure_window(stage, subject, shape)
    for _ in range(TRIES - 1):
        if not best.is_spoilt or time.monotonic() > plan.retry_until_s:
            break
        again = measure_window(stage, subject, shape)
        best = min(best, again, key=lambda window: window.foreign_share)
    return best


def _format_window(scenario: Scenario, number: int, window: Window) -> str:
    cpu = "" if window.cpu_us_per_call is None else f" {window.cpu_us_per_call:9.1f} us CPU/call"
    p50_us, p99_us = window.load.get_us("latency", "p50") or 0, window.load.get_us("latency", "p99") or 0
    spoilt = f"  SPOILT {window.foreign_share:.0%}" if window.is_spoilt else ""
    late = f"  behind {window.behind} unsettled {window.unsettled}" if window.behind or window.unsettled else ""
    return (
        f"{scenario.name:>14} round {number} {window.subject:>13}{cpu} {window.load.per_s:9.0f}/s"
        f" p50 {p50_us:8.0f} us p99 {p99_us:8.0f} us{late}{spoilt}"
    )
