"""Answers questions to history: picks the tier and the files, and says how much of the fleet an answer is of, and how old."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from keisan.domain.errors import StorageUnavailable
from keisan.domain.history import QUERY_TIMEOUT_S, InventoryNote
from keisan.domain.history_question import HistoryPlan, HistoryQuestion, plan_question
from keisan.kit.clock import to_milliseconds
from keisan.storage.base_history import HistoryReader, HistorySelection
from keisan.telemetry.history_keeper import HistoryKeeper
from keisan.telemetry.rule_history import choose_files

QUERIES_AT_ONCE_MAX = 2


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """Rows of a plan. `device_count` is how many devices the inventories of the sites asked for name, without those gone.

    `covered_ms` is the time that their samples stand for, of `device_count` x `span_ms`; None where not all devices of
    those sites are asked for, or samples as they are. Without rows, `reached_ms` is None: the newest sample in them.
    """

    plan: HistoryPlan
    rows: pa.Table
    device_count: int
    span_ms: int
    covered_ms: int | None
    reached_ms: int | None
    taken_ms: int

    @property
    def coverage_permille(self) -> int | None:
        """Return the share of what would be there if every device reported each period, at most all of it."""
        expected_ms = self.device_count * self.span_ms
        if self.covered_ms is None or not expected_ms:
            return None
        return min(1000, self.covered_ms * 1000 // expected_ms)

    @property
    def age_ms(self) -> int | None:
        """Return how old the newest sample is."""
        return None if self.reached_ms is None else max(0, self.taken_ms - self.reached_ms)


@dataclass(slots=True)
class HistoryAnswerer:
    """Asks one reader at a time for each of a few questions; others wait for their turn."""

    keeper: HistoryKeeper
    open_reader: Callable[[], HistoryReader]
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_AT_ONCE_MAX))

    async def ask(self, question: HistoryQuestion) -> HistoryAnswer:
        """Return the answer.

        Raises InvalidInput for a question that makes no sense, LimitExceeded for too large an answer, StorageUnavailable.
        """
        now_ms = to_milliseconds(self.keeper.clock.now())
        plan = plan_question(question, self.keeper.terms, now_ms)
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_S), self._turns:
                notes = await asyncio.to_thread(self._list_notes, question)
                selection = self._select(question, plan, notes)
                rows = await self.open_reader().read(selection)
        except TimeoutError as fault:
            raise StorageUnavailable(f"history took longer than {QUERY_TIMEOUT_S} s to answer") from fault
        return describe_answer(selection, rows, now_ms)

    def _list_notes(self, question: HistoryQuestion) -> list[InventoryNote]:
        self.keeper.load()
        sites = None if question.sites is None else {str(each) for each in question.sites}
        return [
            note
            for note in self.keeper.notes.values()
            if (sites is None or note.site in sites) and (question.regions is None or note.region in question.regions)
        ]

    def _select(self, question: HistoryQuestion, plan: HistoryPlan, notes: Sequence[InventoryNote]) -> HistorySelection:
        listed = [
            each
            for month, manifest in self.keeper.manifests.items()
            if question.regions is None or month.region in question.regions
            for each in choose_files(manifest.files, plan.tier)
            if each.start_ms < plan.until_ms and each.until_ms > plan.since_ms
        ]
        return HistorySelection(question, plan, listed, notes)


def describe_answer(selection: HistorySelection, rows: pa.Table, now_ms: int) -> HistoryAnswer:
    """Return rows with what they are of."""
    question, plan = selection.question, selection.plan
    newest: dict[str, InventoryNote] = {}
    for note in sorted(selection.notes, key=lambda each: each.received_ms):
        newest[note.site] = note
    span_ms = max(0, min(plan.until_ms, now_ms) - plan.since_ms)
    is_whole = plan.step_ms and question.node is None and question.device is None and question.supernode is None
    # A platform that starts does without.
    import pyarrow.compute as pc

    stamps = rows["last_ms" if plan.step_ms else "at_ms"]
    return HistoryAnswer(
        plan,
        rows,
        sum(note.device_count for note in newest.values()),
        span_ms,
        (pc.sum(rows["covered_ms"]).as_py() or 0) if is_whole else None,
        pc.max(stamps).as_py(),
        now_ms,
    )
