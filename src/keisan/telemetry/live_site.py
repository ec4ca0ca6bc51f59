"""One site, live: its columns, which of its frames have been seen, and the sums of its nodes and supernodes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from keisan.domain.frame import FrameCounts, FrameFault, FrameOutcome
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryMark
from keisan.domain.limits import FRAME_DEVICES_MIN, FRAME_PERIOD_MS_MAX, SITE_BURST_PERIODS, SITE_RATE_MULTIPLE
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.device_digest import DeviceDigests
from keisan.telemetry.device_note import NO_NOTES, DeviceNotes
from keisan.telemetry.group import Groups, group_columns
from keisan.telemetry.node_rows import find_empty
from keisan.telemetry.roll_up import EMPTY, Sums, sum_devices
from keisan.telemetry.rule_frame import (
    Refusal,
    drop_wrong_values,
    find_other_devices,
    find_refusal,
    judge_frame,
)
from keisan.telemetry.sample_budget import SampleBudget, SampleRate
from keisan.telemetry.sequence_set import SequenceSet
from keisan.telemetry.site_columns import NEVER_MS, Codes, Flags, SiteColumns
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

HEALTH = FIELD_INDEX[SampleName.HEALTH]


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by the wall clock in ms since 1970, and by the monotonic one in ms: only the second decides who is heard."""

    wall_ms: int
    monotonic_ms: int


@dataclass(frozen=True, slots=True)
class SitePlace:
    """Where a site stands in the tree."""

    site_id: SiteId
    provider_id: ProviderId
    name: str
    region: str


Keep = Callable[[SitePlace, FrameHead, Numbers, Values], bool]


@dataclass(frozen=True, slots=True)
class Tree:
    """How the devices of a site fall into nodes, the nodes into supernodes, and both into the site.

    `members` are the devices by supernode, None where each node is in one supernode with all of its devices.
    """

    nodes: Groups
    supernodes: Groups
    site: Groups
    members: Groups | None

    @classmethod
    def grow(cls, inventory: Inventory) -> "Tree":
        """Return the tree of an inventory; a node is in the supernode of its first device, where all of them are."""
        head, node = inventory.head, inventory.node
        supernode_of = np.full(len(head.nodes), -1, np.int32)
        # The first of each node's devices is written last.
        supernode_of[node[::-1]] = inventory.supernode[::-1]
        is_nested = bool((supernode_of[node] == inventory.supernode).all())
        return cls(
            group_columns(node, len(head.nodes)),
            group_columns(supernode_of, len(head.supernodes)),
            group_columns(np.zeros(len(head.nodes), np.int32), 1),
            None if is_nested else group_columns(inventory.supernode, len(head.supernodes)),
        )


@dataclass(slots=True)
class LiveSite:
    """Sums, verdicts and who is `retired` are as of the last roll-up, `verdicts_before` as of the one before.

    `seen` are the frames that history has, and `newest` is the one that is live, whether history has it or not.
    `sampled_at_ms` is the newest frame's stamp, by the site's clock; `due_ms` when silence alone will change a verdict.
    """

    place: SitePlace
    columns: SiteColumns
    tree: Tree
    seen: SequenceSet = field(default_factory=SequenceSet)
    newest: int = -1
    budget: SampleBudget = field(default_factory=SampleBudget)
    outcomes: dict[FrameOutcome, int] = field(default_factory=lambda: dict.fromkeys(FrameOutcome, 0))
    faults: dict[FrameFault, int] = field(default_factory=lambda: dict.fromkeys(FrameFault, 0))
    values_refused: int = 0
    clock_offset_ms: int = 0
    sampled_at_ms: int = NEVER_MS
    nodes: Sums = EMPTY
    supernodes: Sums = EMPTY
    whole: Sums = EMPTY
    verdicts: Codes = field(default_factory=lambda: np.zeros(0, np.int8))
    verdicts_before: Codes = field(default_factory=lambda: np.zeros(0, np.int8))
    retired: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    is_changed: bool = True
    notes: DeviceNotes = NO_NOTES
    due_ms: int = NEVER_MS
    digests: DeviceDigests = field(default_factory=DeviceDigests)

    @property
    def mark(self) -> InventoryMark:
        """How far this site's inventory is known."""
        inventory = self.columns.inventory
        return InventoryMark(inventory.head.incarnation, inventory.head.version, inventory.device_count)

    @property
    def counts(self) -> FrameCounts:
        """What has been counted of its frames."""
        return FrameCounts(dict(self.outcomes), dict(self.faults), self.values_refused, self.clock_offset_ms)

    @classmethod
    def begin(cls, place: SitePlace, columns: SiteColumns) -> "LiveSite":
        """Return a site of whose devices nothing is known yet."""
        tree, verdicts = Tree.grow(columns.inventory), _begin_verdicts(columns)
        return cls(place, columns, tree, verdicts=verdicts, retired=columns.is_retired.copy())

    def find_refusal(self, head: FrameHead, numbers: Numbers, now: Moment) -> Refusal | None:
        """Return why a frame is not taken, None if it is; the reason is counted."""
        inventory = self.columns.inventory
        other = find_other_devices(head, numbers, self.mark, lambda count: self.digests.find(inventory, count))
        refusal = other or find_refusal(head, numbers, self.mark, self.columns.active_count, now.wall_ms)
        if refusal is not None:
            self.faults[refusal.fault] += 1
        return refusal

    def judge(self, head: FrameHead) -> FrameOutcome:
        """Return what becomes of a frame that is not refused; nothing is changed."""
        return judge_frame(head, self.seen, self.newest)

    def find_wait_s(self, now: Moment) -> float:
        """Return after how long the next live frame may be taken, 0 for now.

        So it is bounded by what the devices make at the site's own period, before a frame is even read.
        """
        due = max(self.columns.active_count, FRAME_DEVICES_MIN)
        period_s = (self.columns.period_ms or FRAME_PERIOD_MS_MAX) / 1000
        rate = SampleRate(SITE_RATE_MULTIPLE * due / period_s, SITE_BURST_PERIODS * due)
        return self.budget.find_wait_s(rate, now.monotonic_ms / 1000)

    def take(
        self, head: FrameHead, numbers: Numbers, values: Values, now: Moment, keep: Keep | None = None
    ) -> FrameOutcome | Literal[FrameFault.HISTORY_FULL]:
        """See a frame that is not refused; wrong values turn into missing ones, in place, and `keep` hands it to history.

        A live frame's devices are proven as of its stamp, and never later than now: a site whose clock is behind may look
        silent, none looks fresher than it is. Of a frame that history has no room for nothing but what is live is taken: it
        may come again, and is late then.
        """
        outcome = self.judge(head)
        if outcome is FrameOutcome.DUPLICATE:
            self.outcomes[outcome] += 1
            return outcome
        wrong_count = drop_wrong_values(numbers, values, self.columns.inventory)
        if (values[HEALTH] == MISSING).any():
            # A row that tells nothing stands for no reading: it only makes a frame as large as the rules want it.
            told = np.flatnonzero(~find_empty(values))
            numbers, values = numbers[told], values[:, told]
        is_kept = keep is None or not len(numbers) or keep(self.place, head, numbers, values)
        if is_kept:
            self.outcomes[outcome] += 1
            self.values_refused += wrong_count
            self.seen.add(head.sequence)
        else:
            self.faults[FrameFault.HISTORY_FULL] += 1
        if outcome is FrameOutcome.LIVE:
            self._show(head, numbers, values, now)
        return outcome if is_kept else FrameFault.HISTORY_FULL

    def _show(self, head: FrameHead, numbers: Numbers, values: Values, now: Moment) -> None:
        self.newest = head.sequence
        if len(numbers):
            self.clock_offset_ms = now.wall_ms - head.sampled_at_ms
            sampled_ms = now.monotonic_ms - max(0, self.clock_offset_ms)
            self.columns.take(numbers, values, sampled_ms, head.period_ms)
            self.sampled_at_ms = head.sampled_at_ms
            self.is_changed = True

    def grow(self, columns: SiteColumns) -> None:
        """Go on with the columns of another inventory; what is known of the same devices stays."""
        known = self.columns
        is_same = known.inventory.head.incarnation == columns.inventory.head.incarnation
        if is_same:
            columns.keep(known)
        else:
            self.seen, self.newest = SequenceSet(), -1
        verdicts, retired = _begin_verdicts(columns), columns.is_retired.copy()
        if is_same:
            verdicts[: len(self.verdicts)] = self.verdicts
            retired[: len(self.retired)] = self.retired
        self.verdicts, self.retired = verdicts, retired
        self.columns, self.tree, self.is_changed = columns, Tree.grow(columns.inventory), True
        self.notes.write(columns)
        # Sums of groups that have other names now are nobody's.
        self.nodes = self.supernodes = EMPTY

    def note_devices(self, notes: DeviceNotes) -> None:
        """Take in what was said of the devices, also of those that the inventory will have later."""
        self.notes = notes
        self.is_changed |= notes.write(self.columns)

    def roll_up(self, now_ms: int) -> bool:
        """Add up anew if something came, or has been silent or unread for too long; tell whether that was needed."""
        if not self.is_changed and now_ms < self.due_ms:
            return False
        forget_ms = self.columns.forget_dear(now_ms)
        reporting, silent_ms = self.columns.find_reporting(now_ms)
        self.due_ms = min(forget_ms, silent_ms)
        self.nodes = sum_devices(self.columns, reporting, self.tree.nodes)
        members = self.tree.members
        self.supernodes = (
            self.nodes.merge(self.tree.supernodes) if members is None else sum_devices(self.columns, reporting, members)
        )
        self.whole = self.nodes.merge(self.tree.site)
        self.verdicts_before, self.verdicts = self.verdicts, self.columns.judge(reporting)
        self.retired = self.columns.is_retired.copy()
        self.is_changed = False
        return True


def _begin_verdicts(columns: SiteColumns) -> Codes:
    return np.full(columns.inventory.device_count, HEALTH_CODES[Verdict.UNKNOWN], np.int8)
