"""Templates of supernodes on the wire, each value with its evidence."""

from datetime import datetime
from uuid import UUID

from keisan.domain.evidence import Evidence
from keisan.domain.supernode_template import SupernodeTemplate, TemplateFactName, Wiring
from keisan.domain.verdict import Verdict
from keisan.wire.base import WireInput, WireView
from keisan.wire.evidence import EvidenceView


class TemplateFactView(WireView):
    """Values of one fact: several where sources differ."""

    values: tuple[str | int, ...]
    evidence: EvidenceView


class TierTemplateView(WireView):
    """One tier: for each group of members, in each plane, so many switches. Numbers are from 1, the lowest first."""

    tier: int
    group_members: int
    plane_count: int
    switches_per_plane: int
    switch_count: int
    link_bytes_per_s: int | None


class WiringView(WireView):
    """How members reach each other; `mesh_members` 0: no links from member to member."""

    evidence: EvidenceView
    mesh_members: int
    mesh_bytes_per_s: int | None
    tiers: tuple[TierTemplateView, ...]


class SupernodeTemplateView(WireView):
    """A template as the API shows it; `wiring` null where it is not known."""

    id: str
    name: str
    member_count: int
    evidence: EvidenceView
    facts: dict[TemplateFactName, TemplateFactView]
    wiring: WiringView | None


class SupernodeTemplateList(WireView):
    """All templates, by id."""

    items: tuple[SupernodeTemplateView, ...]


def build_template_view(template: SupernodeTemplate) -> SupernodeTemplateView:
    """Return a template as the API shows it."""
    return SupernodeTemplateView(
        id=template.id,
        name=template.name,
        member_count=template.member_count,
        evidence=_build_evidence(template.evidence),
        facts={
            name: TemplateFactView(values=fact.values, evidence=_build_evidence(fact.evidence))
            for name, fact in template.facts.items()
        },
        wiring=None if template.wiring is None else _build_wiring(template.wiring, template.member_count),
    )


def _build_evidence(evidence: Evidence) -> EvidenceView:
    return EvidenceView(source=evidence.source, grade=evidence.grade, date=evidence.date)


def _build_wiring(wiring: Wiring, member_count: int) -> WiringView:
    return WiringView(
        evidence=_build_evidence(wiring.evidence),
        mesh_members=wiring.mesh_members,
        mesh_bytes_per_s=wiring.mesh_bytes_per_s,
        tiers=tuple(
            TierTemplateView(
                tier=number,
                group_members=tier.group_members,
                plane_count=tier.plane_count,
                switches_per_plane=tier.switches_per_plane,
                switch_count=member_count // tier.group_members * tier.plane_count * tier.switches_per_plane,
                link_bytes_per_s=tier.link_bytes_per_s,
            )
            for number, tier in enumerate(wiring.tiers, start=1)
        ),
    )


class LiveSupernodeQuery(WireInput):
    """Of which site."""

    site_id: UUID


class LiveSupernodeView(WireView):
    """A supernode of a site: how many members are proven to reach each other, how many may, and what bandwidth is left.

    Shares are in millionths of the tier with the least, null where the wiring is not known: `template` names none then.
    """

    name: str
    template: str | None
    member_count: int
    verdict: Verdict
    reasons: tuple[str, ...]
    connected_count: int
    connected_possible_count: int
    left_ppm: int | None
    left_possible_ppm: int | None


class LiveSupernodeList(WireView):
    """All supernodes of a site, as of `taken_at`."""

    taken_at: datetime
    items: tuple[LiveSupernodeView, ...]
