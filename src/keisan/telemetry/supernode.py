"""Supernodes of a site, live: who of the members still reaches whom, by what was heard of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from keisan.domain.inventory import SupernodeEntry
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SampleName
from keisan.domain.supernode import Supernode
from keisan.domain.supernode_assessment import LinkCount, SupernodeAssessment, SupernodeState, assess_supernode
from keisan.domain.supernode_template import SupernodeTemplate, expand_template
from keisan.domain.verdict import Verdict
from keisan.telemetry.live_site import LiveSite


@dataclass(frozen=True, slots=True)
class LiveSupernode:
    """`template` is empty where none is named, or the one that is does not fit: then the wiring is not known."""

    name: str
    template: str
    member_count: int
    assessment: SupernodeAssessment


def assess_supernodes(site: LiveSite, templates: Mapping[str, SupernodeTemplate]) -> Iterator[LiveSupernode]:
    """Yield a site's supernodes that have members, as of the last roll-up; members are the devices by hardware id.

    A member that no driver has seen is unknown: that it was meant to be there proves nothing.
    """
    inventory = site.columns.inventory
    for place, entry in enumerate(inventory.head.supernodes):
        numbers = np.flatnonzero(inventory.supernode == place).tolist()
        found = {inventory.hardware_ids[number].as_py(): number for number in numbers}
        members = entry.members or tuple(found)
        removed = frozenset(member for member, number in found.items() if site.retired[number])
        if not removed.issuperset(members):
            yield _assess_entry(site, entry, templates.get(entry.template), _Members(members, found, removed))


@dataclass(frozen=True, slots=True)
class _Members:
    """Who is meant to be in a supernode, and the numbers of those that are known."""

    names: tuple[str, ...]
    numbers: Mapping[str, int]
    removed: frozenset[str]


def _assess_entry(
    site: LiveSite, entry: SupernodeEntry, template: SupernodeTemplate | None, members: _Members
) -> LiveSupernode:
    verdicts = {name: site.verdicts[number] for name, number in members.numbers.items()}
    unseen = [name for name in members.names if name not in members.numbers]
    state = SupernodeState(
        failed=_choose(verdicts, Verdict.FAILED),
        unknown=_choose(verdicts, Verdict.UNKNOWN).union(unseen),
        removed=members.removed,
        links=dict(_count_links(site, entry, members)),
    )
    is_fitting = template is not None and template.member_count == len(members.names)
    supernode = (
        expand_template(template, entry.name, members.names)
        if template is not None and is_fitting
        else Supernode(entry.name, members.names)
    )
    assessment = assess_supernode(supernode, state)
    if unseen:
        more = f"no driver has seen {len(unseen)} of the members, {unseen[0]} the first"
        assessment = replace(assessment, reasons=(*assessment.reasons, more))
    count = len(members.names) - len(members.removed)
    return LiveSupernode(entry.name, entry.template if is_fitting else "", count, assessment)


def _count_links(site: LiveSite, entry: SupernodeEntry, members: _Members) -> Iterator[tuple[str, LinkCount]]:
    """Yield the links that members tell to be up, of as many as the site says that each has; of others nothing is known."""
    told = site.columns.values[FIELD_INDEX[SampleName.LINK_UP_COUNT]]
    for name, number in members.numbers.items():
        up, is_heard = int(told[number]), site.verdicts[number] != HEALTH_CODES[Verdict.UNKNOWN]
        if entry.links_per_member and up != MISSING and is_heard:
            yield name, LinkCount(min(up, entry.links_per_member), entry.links_per_member)


def _choose(found: Mapping[str, np.int8], verdict: Verdict) -> frozenset[str]:
    return frozenset(member for member, code in found.items() if code == HEALTH_CODES[verdict])
