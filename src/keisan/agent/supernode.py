"""Supernodes as the operator set them, made of the devices that this site has; what does not come out as meant is logged once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keisan.domain.inventory import SupernodeEntry
from keisan.domain.supernode_plan import PlannedDevice, SupernodePlan, resolve_plans
from keisan.kit.observe import write_warning
from keisan.wire.node import NodeReport


@dataclass(slots=True)
class SupernodePlans:
    """`member_counts` are the sizes of templates, and `hostnames` the hardware ids of nodes that go by another name.

    `list_nodes` are the site's nodes as they are now.
    """

    plans: tuple[SupernodePlan, ...] = ()
    member_counts: Mapping[str, int] = field(default_factory=dict)
    hostnames: Mapping[str, str] = field(default_factory=dict)
    list_nodes: Callable[[], Sequence[NodeReport]] = tuple
    _told: tuple[SupernodeEntry, ...] = ()

    def resolve(self, devices: Iterable[PlannedDevice]) -> tuple[SupernodeEntry, ...]:
        """Return the supernodes with their members, those that nobody has seen yet too; without plans no device is looked at."""
        if not self.plans:
            return ()
        devices = tuple(devices)
        # Where two nodes have one hostname the first has it, and the agent's own host before all.
        others = {node.hostname: node.hardware_id for node in reversed(self.list_nodes())}
        hostnames = {**others, **self.hostnames}
        entries = resolve_plans(self.plans, devices, hostnames)
        if entries != self._told:
            self._told = entries
            self._tell_doubts({device.hardware_id for device in devices})
        return entries

    def _tell_doubts(self, seen: set[str]) -> None:
        for entry in self._told:
            unseen = [member for member in entry.members if member not in seen]
            if unseen:
                write_warning("supernode.members_unseen", supernode=entry.name, count=len(unseen), first=unseen[0])
            expected, count = self.member_counts.get(entry.template), len(entry.members)
            if expected not in (None, count):
                text = (
                    f"the template {entry.template} has {expected} members, got {count}: its wiring counts as unknown"
                )
                write_warning("supernode.template_unfit", supernode=entry.name, fault=text)


NO_PLANS = SupernodePlans()
