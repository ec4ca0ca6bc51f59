"""One site, live: its columns, which of its frames have been seen, and the sums of its nodes and supernodes."""

from dataclasses import dataclass, field

import numpy as np

from keisan.domain.frame import FrameCounts, FrameFault, FrameOutcome
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryMark
from keisan.domain.sample import HEALTH_CODES, FrameHead
from keisan.domain.verdict import Verdict
from keisan.telemetry.device_note import NO_NOTES, DeviceNotes
from keisan.telemetry.group import Groups, group_columns
from keisan.telemetry.roll_up import EMPTY, Sums, sum_devices
from keisan.telemetry.rule_frame import Refusal, drop_wrong_values, find_refusal, judge_frame
from keisan.telemetry.sequence_set import SequenceSet
from keisan.telemetry.site_columns import NEVER_MS, Codes, SiteColumns
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory


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


@dataclass(frozen=True, slots=True)
class Tree:
    """How the devices of a site fall into nodes, the nodes into supernodes, and both into the site."""

    nodes: Groups
    supernodes: Groups
    site: Groups

    @classmethod
    def grow(cls, inventory: Inventory) -> "Tree":
        """Return the tree of an inventory; a node is in the supernode of its first device."""
        head, node = inventory.head, inventory.node
        supernode_of = np.full(len(head.nodes), -1, np.int32)
        # The first of each node's devices is written last.
        supernode_of[node[::-1]] = inventory.supernode[::-1]
        return cls(
            group_columns(node, len(head.nodes)),
            group_columns(supernode_of, len(head.supernodes)),
            group_columns(np.zeros(len(head.nodes), np.int32), 1),
        )


@dataclass(slots=True)
class LiveSite:
    """Sums and verdicts are as of the last roll-up, `verdicts_before` as of the one before.

    `sampled_at_ms` is the newest frame's stamp, by the site's clock; `due_ms` when silence alone will change a verdict.
    """

    place: SitePlace
    columns: SiteColumns
    tree: Tree
    seen: SequenceSet = field(default_factory=SequenceSet)
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
    is_changed: bool = True
    notes: DeviceNotes = NO_NOTES
    due_ms: int = NEVER_MS

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
        return cls(place, columns, Tree.grow(columns.inventory), verdicts=_begin_verdicts(columns))

    def find_refusal(self, head: FrameHead, numbers: Numbers, now: Moment) -> Refusal | None:
        """Return why a frame is not taken, None if it is; the reason is counted."""
        active_count = int(np.count_nonzero(~self.columns.inventory.is_retired))
        refusal = find_refusal(head, numbers, self.mark, active_count, now.wall_ms)
        if refusal is not None:
            self.faults[refusal.fault] += 1
        return refusal

    def judge(self, head: FrameHead) -> FrameOutcome:
        """Return what becomes of a frame that is not refused; nothing is changed."""
        return judge_frame(head, self.seen)

    def take(self, head: FrameHead, numbers: Numbers, values: Values, now: Moment) -> FrameOutcome:
        """See a frame that is not refused; wrong values turn into missing ones, in place.

        A live frame's devices are proven as of its stamp, and never later than now: a site whose clock is behind may look
        silent, none looks fresher than it is.
        """
        outcome = self.judge(head)
        self.outcomes[outcome] += 1
        if outcome is FrameOutcome.DUPLICATE:
            return outcome
        self.seen.add(head.sequence)
        self.values_refused += drop_wrong_values(numbers, values, self.columns.inventory)
        if outcome is FrameOutcome.LIVE and len(numbers):
            self.clock_offset_ms = now.wall_ms - head.sampled_at_ms
            sampled_ms = now.monotonic_ms - max(0, self.clock_offset_ms)
            self.columns.take(numbers, values, sampled_ms, head.period_ms)
            self.sampled_at_ms = head.sampled_at_ms
            self.is_changed = True
        return outcome

    def grow(self, columns: SiteColumns) -> None:
        """Go on with the columns of another inventory; what is known of the same devices stays."""
        known = self.columns
        is_same = known.inventory.head.incarnation == columns.inventory.head.incarnation
        if is_same:
            columns.keep(known)
        else:
            self.seen = SequenceSet()
        verdicts = _begin_verdicts(columns)
        if is_same:
            verdicts[: len(self.verdicts)] = self.verdicts
        self.columns, self.tree, self.verdicts, self.is_changed = columns, Tree.grow(columns.inventory), verdicts, True
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
        self.supernodes = self.nodes.merge(self.tree.supernodes)
        self.whole = self.nodes.merge(self.tree.site)
        self.verdicts_before, self.verdicts = self.verdicts, self.columns.judge(reporting)
        self.is_changed = False
        return True


def _begin_verdicts(columns: SiteColumns) -> Codes:
    return np.full(columns.inventory.device_count, HEALTH_CODES[Verdict.UNKNOWN], np.int8)
