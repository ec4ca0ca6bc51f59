"""Supernodes of a site, live: who of the members still reaches whom, by what was heard of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from keisan.domain.sample import HEALTH_CODES
from keisan.domain.supernode import Supernode
from keisan.domain.supernode_assessment import SupernodeAssessment, SupernodeState, assess_supernode
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
    """Yield a site's supernodes that have members, as of the last roll-up; members are the devices by hardware id."""
    inventory = site.columns.inventory
    hardware_ids = inventory.hardware_ids
    for place, entry in enumerate(inventory.head.supernodes):
        numbers = np.flatnonzero((inventory.supernode == place) & ~inventory.is_retired)
        if not len(numbers):
            continue
        members = tuple(hardware_ids[int(number)].as_py() for number in numbers)
        found = dict(zip(members, site.verdicts[numbers].tolist(), strict=True))
        state = SupernodeState(failed=_choose(found, Verdict.FAILED), unknown=_choose(found, Verdict.UNKNOWN))
        template = templates.get(entry.template)
        is_fitting = template is not None and template.member_count == len(members)
        supernode = (
            expand_template(template, entry.name, members)
            if template is not None and is_fitting
            else Supernode(entry.name, members)
        )
        yield LiveSupernode(
            entry.name, entry.template if is_fitting else "", len(members), assess_supernode(supernode, state)
        )


def _choose(found: Mapping[str, int], verdict: Verdict) -> frozenset[str]:
    return frozenset(member for member, code in found.items() if code == HEALTH_CODES[verdict])
