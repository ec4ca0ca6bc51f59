"""Rolls files up into coarser tiers, and merges small ones: one group of files at a time, months and spans in turn."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from keisan.domain.history import HOUR_MS, SPANS_MS, HistoryFile, Month, Tier
from keisan.telemetry.history_fold import merge_tier, roll_hours, roll_samples
from keisan.telemetry.history_folding import WindowFolding
from keisan.telemetry.history_shelf import HistoryShelf, find_span
from keisan.telemetry.rule_history import choose_turns, list_merges, list_rolls

# Whose turn it is: a month, and in it a tier and a span.
Turn = tuple[Month, Tier, int]
Choice = Callable[[Iterable[HistoryFile], int], Iterator[Sequence[HistoryFile]]]


@dataclass(slots=True)
class FileRolling:
    """What a window that is on time will hold goes up with the rest of its hour."""

    shelf: HistoryShelf
    folding: WindowFolding
    _rolled: Turn | None = None
    _merged: Turn | None = None

    def roll_next(self) -> bool:
        """Roll one group of files up, and tell whether there may be more; raises OSError."""
        awaited = {(each.region, each.start_ms // HOUR_MS) for each in self.folding.waiting}
        groups = self._list(list_rolls)
        ready = [turn for turn in groups if turn[1] is not Tier.SAMPLE or (turn[0].region, turn[2]) not in awaited]
        for turn in choose_turns(ready, self._rolled):
            self._rolled = turn
            self._roll(turn[0], groups[turn])
        return bool(ready)

    def merge_next(self) -> bool:
        """Merge one group of files, and tell whether there may be more; raises OSError."""
        groups = self._list(list_merges)
        for turn in choose_turns(groups, self._merged):
            self._merged = turn
            self._merge(turn[0], groups[turn])
        return bool(groups)

    def _list(self, choose: Choice) -> dict[Turn, Sequence[HistoryFile]]:
        now_ms = self.shelf.now_ms()
        return {
            (month, files[0].tier, files[0].start_ms // SPANS_MS[files[0].tier]): files
            for month, manifest in self.shelf.manifests.items()
            for files in choose(manifest.files, now_ms)
        }

    def _merge(self, month: Month, files: Sequence[HistoryFile]) -> None:
        tier = files[0].tier
        with self.shelf.open_files(month.region, [tier]) as making:
            merge_tier(tier, self.shelf.read(files), making.writers[tier].add)
            added = making.put(find_span(files), rolled=[tier])
        self.shelf.replace(self.shelf.find(month), added=added, removed=files)

    def _roll(self, month: Month, files: Sequence[HistoryFile]) -> None:
        tier, span = files[0].tier, find_span(files)
        tiers = [Tier.HOUR, Tier.DAY]
        if tier is Tier.SAMPLE:
            tiers = [Tier.SAMPLE, Tier.MINUTE, Tier.HOUR, Tier.SITE_HOUR]
        with self.shelf.open_files(month.region, tiers) as making:
            sinks = {each: making.writers[each].add for each in tiers}
            (roll_samples if tier is Tier.SAMPLE else roll_hours)(self.shelf.read(files), sinks)
            # Hours go into days later; all else is at its end.
            added = making.put(span, rolled=[each for each in tiers if each is not Tier.HOUR or tier is Tier.HOUR])
        self.shelf.replace(self.shelf.find(month), added=added, removed=files)
