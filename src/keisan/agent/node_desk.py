"""What a site's agent does with what its other nodes send: the platform's rules for sites, and one frame of it all.

A row is sent once. What came late goes to history with its own moment, together with what others measured in that period.
What a node tells while a frame is made that has no number for its devices yet waits for the next, and for no other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from keisan.agent.frame_desk import FrameDraft
from keisan.agent.host_book import HostBook, Sender
from keisan.agent.inventory import InventoryRow
from keisan.domain.errors import InvalidInput, Postponed, StateConflict
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryMark
from keisan.domain.limits import FRAME_DEVICES_MAX, FRAME_DEVICES_MIN
from keisan.domain.sample import MISSING, FrameHead
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_warning
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import LiveSite, Moment, SitePlace
from keisan.telemetry.node_rows import NodeRows, begin_values, fill_rows, find_unplaced, list_places
from keisan.telemetry.rule_inventory import check_growth
from keisan.telemetry.sample_budget import SampleBudget, SampleRate
from keisan.wire.device import DeviceReport
from keisan.wire.frame import Numbers, Values, decode_frame
from keisan.wire.inventory import decode_inventory
from keisan.wire.node import HostReport, HostTaken, NodeReport

REPORT_PERIOD_S = 10.0
# Of one node's reports and inventories: one a second, sixteen at once. A budget counts each as the smallest frame.
TALK_RATE = SampleRate(FRAME_DEVICES_MIN, 16 * FRAME_DEVICES_MIN)
# Between two frames of the site a node has one or two of its own; if the site makes none, the oldest go.
PENDING_MAX = 4
# What came late and waits for the site's next frame: 6.5 MB of rows at most.
LATE_ROWS_MAX = FRAME_DEVICES_MAX
MOMENTS_MAX = 65_536


@dataclass(frozen=True, slots=True)
class LateRows:
    """Rows that came after newer ones of their node; `sampled_ms` of them is by the node's wall clock."""

    rows: NodeRows
    period_ms: int


@dataclass(slots=True)
class Moments:
    """Which stamps frames have: history takes two frames of one moment for one."""

    _taken: dict[int, None] = field(default_factory=dict)

    def take(self, at_ms: int) -> int:
        """Return the first moment from `at_ms` on that no frame has, and give it away."""
        while at_ms in self._taken:
            at_ms += 1
        self._taken[at_ms] = None
        if len(self._taken) > MOMENTS_MAX:
            del self._taken[next(iter(self._taken))]
        return at_ms


class NodeDesk:
    """Belongs to one event loop. `own_node` is the hardware id of the node on which the site's own agent runs."""

    def __init__(self, hosts: HostBook, own_node: str, clock: Clock) -> None:
        self._hosts = hosts
        self._own_node = own_node
        self._clock = clock
        self._fleet = LiveFleet({})
        self._pending: dict[str, list[NodeRows]] = {}
        self._late: list[LateRows] = []
        self._moments = Moments()
        self._told: set[tuple[str, str]] = set()
        self._talks = {each: SampleBudget() for each in hosts.list_agents()}

    def take_report(self, report: HostReport) -> HostTaken:
        """Take what a host tells of itself; raises as HostBook.take does."""
        self._refuse_often(report.agent_id)
        if self._hosts.take(report, self._clock.monotonic_s()):
            self._pending.pop(report.node.hardware_id, None)
            agents = self._hosts.list_agents()
            self._fleet.sites = {each: site for each, site in self._fleet.sites.items() if each in agents}
            self._talks = {each: self._talks.get(each, SampleBudget()) for each in agents}
        self._talks[report.agent_id].charge(1)
        return HostTaken(next_report_s=REPORT_PERIOD_S)

    def take_inventory(self, sender: Sender, body: bytes) -> InventoryMark:
        """Take a node's inventory.

        Raises InvalidInput for one that is none or is of other nodes alone, StateConflict for one that takes back what was told,
        and what HostBook.hear does.
        """
        node = self._hosts.hear(sender, self._clock.monotonic_s())
        self._refuse_often(sender.agent_id)
        self._talks[sender.agent_id].charge(1)
        inventory = decode_inventory(body)
        # Beside its own it may have devices of what the node was called before, which are in no row of the site.
        if sender.node not in inventory.head.nodes:
            raise InvalidInput("expected devices of the node that tells them", "inventory.nodes")
        known = self._fleet.sites.get(_identify(sender))
        if known is not None:
            check_growth(known.columns.inventory, inventory)
        place = SitePlace(_identify(sender), ProviderId(sender.agent_id), node.hostname, "")
        self._fleet.take_inventory(place, inventory)
        return self._fleet.sites[place.site_id].mark

    def take_frame(self, sender: Sender, body: bytes) -> FrameOutcome:
        """Take a node's frame.

        Raises StateConflict for devices of an inventory that is not known, InvalidInput for a frame that is wrong, Postponed for
        one that is to be sent again, and what HostBook.hear does.
        """
        self._hosts.hear(sender, self._clock.monotonic_s())
        site = self._fleet.sites.get(_identify(sender))
        if site is None:
            raise StateConflict("this node has told no inventory; send it before any frame")
        now = Moment(to_milliseconds(self._clock.now()), round(self._clock.monotonic_s() * 1000))
        if wait_s := site.find_wait_s(now):
            site.faults[FrameFault.OVER_RATE] += 1
            raise Postponed("a node's frames have a rate; send it again later", after_s=wait_s)
        # What is wrong is charged too.
        site.budget.charge(0)
        head, numbers, values = decode_frame(body)
        refusal = site.find_refusal(head, numbers, now)
        if refusal is not None:
            self._tell_fault(sender.node, refusal.fault)
            raise refusal.error
        if site.judge(head) is FrameOutcome.LATE and self._count_late() + len(numbers) > LATE_ROWS_MAX:
            site.faults[FrameFault.POSTPONED] += 1
            raise Postponed("more late frames wait than go into the site's next one; send it again later")
        return self._take(sender.node, site, (head, numbers, values), now)

    def list_nodes(self) -> tuple[NodeReport, ...]:
        """Return the other nodes."""
        return self._hosts.list_nodes()

    def list_devices(self, own: Iterable[DeviceReport]) -> tuple[DeviceReport, ...]:
        """Return the site's devices, `own` those of its own node."""
        return self._hosts.list_devices(own, self._clock.monotonic_s())

    def fill(self, values: Values, rows: Sequence[InventoryRow], now_s: float) -> None:
        """Write what was told since the last time into a site's values, in place (agent/telemetry.py)."""
        self._hosts.save()
        for number, row in enumerate(rows):
            if row.node != self._own_node:
                values[:, number] = MISSING
        places = self._list_places(rows)
        pending, self._pending = self._pending, {}
        for node, told in pending.items():
            for part in told:
                fill_rows(values, places, part, round(now_s * 1000))
                if unplaced := find_unplaced(part, places):
                    self._pending.setdefault(node, []).append(unplaced)
        self._moments.take(to_milliseconds(self._clock.now()))

    def take_late(self, rows: Sequence[InventoryRow]) -> tuple[FrameDraft, ...]:
        """Return what came late, once, a draft for each period in which something was measured."""
        late, self._late = self._late, []
        places = self._list_places(rows)
        by_period: dict[tuple[int, int], list[NodeRows]] = {}
        for each in late:
            key = (each.rows.sampled_ms // each.period_ms, each.period_ms)
            by_period.setdefault(key, []).append(each.rows)
            if unplaced := find_unplaced(each.rows, places):
                self._late.append(replace(each, rows=unplaced))
        drafts = []
        for (_, period_ms), parts in sorted(by_period.items()):
            values = begin_values(len(rows))
            at_ms = self._moments.take(max(part.sampled_ms for part in parts))
            for part in parts:
                fill_rows(values, places, part, at_ms)
            drafts.append(FrameDraft(values, at_ms, period_ms, is_sparse=True))
        return tuple(drafts)

    def _refuse_often(self, agent_id: UUID) -> None:
        talk = self._talks.get(agent_id)
        if talk is not None and (wait_s := talk.find_wait_s(TALK_RATE, self._clock.monotonic_s())):
            raise Postponed(
                "a node tells its devices and its inventory now and then; send it again later", after_s=wait_s
            )

    def _list_places(self, rows: Sequence[InventoryRow]) -> dict[tuple[str, str], int]:
        return list_places((row.node, row.hardware_id) for row in rows)

    def _take(self, node: str, site: LiveSite, frame: tuple[FrameHead, Numbers, Values], now: Moment) -> FrameOutcome:
        taken: list[NodeRows] = []
        head, numbers, values = frame
        offset_ms = max(0, now.wall_ms - head.sampled_at_ms)

        def keep(_place: SitePlace, _head: FrameHead, numbers: Numbers, values: Values) -> bool:
            names = site.columns.inventory.hardware_ids.take(numbers).to_pylist()
            taken.append(NodeRows(node, names, values, now.monotonic_ms - offset_ms))
            return True

        outcome = site.take(head, numbers, values, now, keep)
        assert isinstance(outcome, FrameOutcome), "what is kept in memory is never too much for history"
        site.budget.charge(len(numbers))
        for rows in taken:
            if outcome is FrameOutcome.LATE:
                self._late.append(LateRows(replace(rows, sampled_ms=head.sampled_at_ms), head.period_ms))
            else:
                told = self._pending.setdefault(node, [])
                told.append(rows)
                del told[:-PENDING_MAX]
        return outcome

    def _count_late(self) -> int:
        return sum(len(each.rows.hardware_ids) for each in self._late)

    def _tell_fault(self, node: str, fault: FrameFault) -> None:
        if (node, fault) not in self._told:
            self._told.add((node, fault))
            write_warning("node_frame.refused", node=node, fault=fault)


def _identify(sender: Sender) -> SiteId:
    """Return by which id a node's columns are kept: its agent's, so that another host begins anew."""
    return SiteId(sender.agent_id)
