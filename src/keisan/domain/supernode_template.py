"""A template of supernodes: what is known of a product, each value with its evidence, and how its members are wired.

What is not known is left out. Where sources differ, a fact has several values, and the worst grade among their sources.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence
from keisan.domain.supernode import Cooling, Supernode, SupernodeLink, SupernodeSwitch, check_supernode


class TemplateFactName(StrEnum):
    """What a template may say beside its size and wiring; units stand last. `TEXT_FACTS` have texts, all others numbers."""

    BUILDER = "builder"
    CHIP = "chip"
    COOLING = "cooling"
    NODE_COUNT = "node_count"
    CPU_COUNT = "cpu_count"
    CABINET_COUNT = "cabinet_count"
    OPTICAL_MODULE_COUNT = "optical_module_count"
    RATED_POWER_W = "rated_power_w"
    PUE_PERMILLE = "pue_permille"
    MEMORY_BYTES = "memory_bytes"
    GFLOPS_FP16 = "gflops_fp16"
    MEMBER_BYTES_PER_S = "member_bytes_per_s"
    LATENCY_NS = "latency_ns"


TEXT_FACTS = frozenset({TemplateFactName.BUILDER, TemplateFactName.CHIP, TemplateFactName.COOLING})


@dataclass(frozen=True, slots=True)
class TemplateFact:
    """Values of one fact: texts or whole numbers; several where sources differ, or where several are meant."""

    values: tuple[str, ...] | tuple[int, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class TierTemplate:
    """One tier of switches. Each group of `group_members` members has, in each plane, `switches_per_plane` switches.

    In tier 1 every member is linked to every switch of its group; above, every switch of the tier below to every switch of
    its plane and group. `link_bytes_per_s` is one such link, one direction, None where it is not known.
    """

    group_members: int
    plane_count: int
    switches_per_plane: int
    link_bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """`mesh_members` are linked directly, each to each, group by group; 0 for none. Tiers stand lowest first."""

    evidence: Evidence
    mesh_members: int = 0
    mesh_bytes_per_s: int | None = None
    tiers: tuple[TierTemplate, ...] = ()


@dataclass(frozen=True, slots=True)
class SupernodeTemplate:
    """`evidence` is that of the entry and of its size; `wiring` None: not known."""

    id: str
    name: str
    member_count: int
    evidence: Evidence
    facts: Mapping[TemplateFactName, TemplateFact]
    wiring: Wiring | None = None


def check_template(template: SupernodeTemplate) -> None:
    """Raise InvalidInput unless its wiring divides its members evenly and its supernode passes check_supernode."""
    wiring = template.wiring
    if wiring is not None:
        sizes = [wiring.mesh_members] if wiring.mesh_members else []
        for size in (*sizes, *(tier.group_members for tier in wiring.tiers)):
            if size < 1 or template.member_count % size:
                raise InvalidInput(f"{template.member_count} members do not divide into groups of {size}", "wiring")
        for lower, higher in zip(wiring.tiers, wiring.tiers[1:], strict=False):
            if higher.group_members % lower.group_members or higher.plane_count != lower.plane_count:
                raise InvalidInput(
                    "a tier's groups are made of whole groups of the tier below, in its planes", "wiring"
                )
        if not wiring.tiers and not wiring.mesh_members:
            raise InvalidInput("a wiring has a mesh or tiers; what is not known is left out", "wiring")
    check_supernode(expand_template(template, template.id, [str(n) for n in range(template.member_count)]))


def expand_template(template: SupernodeTemplate, name: str, members: Sequence[str]) -> Supernode:
    """Return the supernode that a template describes, of these members in order.

    Raises InvalidInput unless there are as many as the template has. A switch is named S<tier>.<group>.<plane>.<number>, a
    link by its two ends.
    """
    if len(members) != template.member_count:
        raise InvalidInput(
            f"the template {template.id} has {template.member_count} members, got {len(members)}", "members"
        )
    wiring = template.wiring
    switches: list[SupernodeSwitch] = []
    links = [] if wiring is None else list(_walk_mesh(wiring, members))
    for number, tier in enumerate(wiring.tiers if wiring else (), start=1):
        lower = wiring.tiers[number - 2] if wiring and number > 1 else None
        switches += _walk_switches(number, tier, len(members))
        links += (
            _walk_member_links(tier, members) if lower is None else _walk_switch_links(number, lower, tier, members)
        )
    return Supernode(
        name=name,
        members=tuple(members),
        switches=tuple(switches),
        links=tuple(links),
        template=template.id,
        cooling=_read_cooling(template),
        rated_power_w=_read_most(template, TemplateFactName.RATED_POWER_W),
    )


def _walk_mesh(wiring: Wiring, members: Sequence[str]) -> Iterator[SupernodeLink]:
    if wiring.mesh_members:
        for start in range(0, len(members), wiring.mesh_members):
            for ends in combinations(members[start : start + wiring.mesh_members], 2):
                yield _link(ends, wiring.mesh_bytes_per_s)


def _walk_switches(number: int, tier: TierTemplate, member_count: int) -> Iterator[SupernodeSwitch]:
    groups = range(member_count // tier.group_members)
    for group, plane, place in product(groups, range(tier.plane_count), range(tier.switches_per_plane)):
        yield SupernodeSwitch(_name_switch(number, group, plane, place), number, plane)


def _walk_member_links(tier: TierTemplate, members: Sequence[str]) -> Iterator[SupernodeLink]:
    for place, member in enumerate(members):
        for plane, switch in product(range(tier.plane_count), range(tier.switches_per_plane)):
            yield _link((member, _name_switch(1, place // tier.group_members, plane, switch)), tier.link_bytes_per_s)


def _walk_switch_links(
    number: int, lower: TierTemplate, tier: TierTemplate, members: Sequence[str]
) -> Iterator[SupernodeLink]:
    lower_groups = range(len(members) // lower.group_members)
    below, above = range(lower.switches_per_plane), range(tier.switches_per_plane)
    for group, plane, low, high in product(lower_groups, range(tier.plane_count), below, above):
        group_above = group * lower.group_members // tier.group_members
        ends = (_name_switch(number - 1, group, plane, low), _name_switch(number, group_above, plane, high))
        yield _link(ends, tier.link_bytes_per_s)


def _link(ends: tuple[str, str], bandwidth_bytes_per_s: int | None) -> SupernodeLink:
    return SupernodeLink(f"{ends[0]}~{ends[1]}", ends, bandwidth_bytes_per_s)


def _name_switch(tier: int, group: int, plane: int, place: int) -> str:
    return f"S{tier}.{group}.{plane}.{place}"


def _read_cooling(template: SupernodeTemplate) -> Cooling | None:
    fact = template.facts.get(TemplateFactName.COOLING)
    return Cooling(str(fact.values[0])) if fact is not None and len(fact.values) == 1 else None


def _read_most(template: SupernodeTemplate, name: TemplateFactName) -> int | None:
    """Return the most of the values in dispute: what is beyond it is beyond all of them."""
    fact = template.facts.get(name)
    numbers = [value for value in fact.values if isinstance(value, int)] if fact is not None else []
    return max(numbers, default=None)
