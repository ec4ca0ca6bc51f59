"""What an operator says of supernodes of a site, checked against templates, and made into members of those devices that are known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keisan.domain.engine import CPU_CHIP_PREFIX
from keisan.domain.inventory import SupernodeEntry
from keisan.domain.supernode import MEMBERS_MAX
from keisan.domain.supernode_template import SupernodeTemplate


@dataclass(frozen=True, slots=True)
class SupernodePlan:
    """`members` are hardware ids in the order of the cabinet; or `nodes`, by hardware id or hostname, have the devices.

    `template` is an id of the catalogue, empty where none fits. `links_per_member` is of how many links a device tells that
    they are up, 0 where that is not known.
    """

    name: str
    template: str = ""
    members: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    links_per_member: int = 0


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """What is asked of a device to know whose member it is; `node` is a hardware id."""

    hardware_id: str
    node: str
    chip: str


def list_plan_faults(plans: Sequence[SupernodePlan], templates: Mapping[str, SupernodeTemplate]) -> Iterator[str]:
    """Yield what contradicts itself or a template, as "path: expected X, got Y", paths from an item's number on."""
    names: dict[str, int] = {}
    owners: dict[tuple[str, str], tuple[int, int]] = {}
    for number, plan in enumerate(plans):
        if names.setdefault(plan.name, number) != number:
            yield f"{number}.name: expected a name of its own, got '{plan.name}', the name of supernode {names[plan.name]}"
        if bool(plan.members) == bool(plan.nodes):
            yield f"{number}: expected members or nodes, got {'both' if plan.members else 'neither'}"
        for kind, parts in (("members", plan.members), ("nodes", plan.nodes)):
            for place, part in enumerate(parts):
                first, at = owners.setdefault((kind, part), (number, place))
                if (first, at) != (number, place):
                    text = f"expected each of the {kind} once, got '{part}', which is in supernode {first}"
                    yield f"{number}.{kind}.{place}: {text}"
        yield from _list_template_faults(number, plan, templates)


def _list_template_faults(
    number: int, plan: SupernodePlan, templates: Mapping[str, SupernodeTemplate]
) -> Iterator[str]:
    template = templates.get(plan.template)
    if template is None:
        if plan.template:
            yield f"{number}.template: expected one of {', '.join(sorted(templates))}, got '{plan.template}'"
        if len(plan.members) > MEMBERS_MAX:
            yield f"{number}.members: expected at most {MEMBERS_MAX}, got {len(plan.members)}"
        return
    if len(plan.members) > template.member_count:
        yield (
            f"{number}.members: expected at most the {template.member_count} of the template {template.id}, "
            f"got {len(plan.members)}"
        )
    least = count_member_links(template)
    if 0 < plan.links_per_member < least:
        yield (
            f"{number}.links_per_member: expected at least the {least} links that a member has in the template "
            f"{template.id}, got {plan.links_per_member}"
        )


def count_member_links(template: SupernodeTemplate) -> int:
    """Return how many links end at a member, 0 where the wiring is not known."""
    wiring = template.wiring
    if wiring is None:
        return 0
    mesh = wiring.mesh_members - 1 if wiring.mesh_members else 0
    return mesh + sum(tier.plane_count * tier.switches_per_plane for tier in wiring.tiers[:1])


def resolve_plans(
    plans: Iterable[SupernodePlan], devices: Sequence[PlannedDevice], hostnames: Mapping[str, str]
) -> tuple[SupernodeEntry, ...]:
    """Return the supernodes with their members: of a node all accelerators that no plan names, in the order of `devices`.

    `hostnames` has the hardware ids of nodes that go by another name. A member that nobody knows stays one; so does a node
    without devices, under its own name: both are missing, which is not the same as not being meant.
    """
    listed = tuple(plans)
    named = {member for plan in listed for member in plan.members}
    of_nodes: dict[str, list[str]] = {}
    for device in devices:
        if device.hardware_id not in named and not device.chip.startswith(CPU_CHIP_PREFIX):
            of_nodes.setdefault(device.node, []).append(device.hardware_id)
    # What goes by the name of a node that is missing must be nothing else.
    known = named.union(device.hardware_id for device in devices)
    taken: set[str] = set()
    entries: list[SupernodeEntry] = []
    for plan in listed:
        members = list(plan.members)
        for node in plan.nodes:
            place = hostnames.get(node, node)
            # A node that is named twice, by its id and by its hostname, gives its devices once.
            missing = [] if node in known else [node]
            members += of_nodes.get(place, missing) if place not in taken else []
            taken.add(place)
        if members:
            entries.append(SupernodeEntry(plan.name, plan.template, tuple(members), plan.links_per_member))
    return tuple(entries)
