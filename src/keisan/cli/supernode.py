"""`keisan supernode`: kinds of supernodes that the catalogue knows, and how they are wired."""

from collections.abc import Iterator
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.cli.site import choose_site
from keisan.kit.units import format_bytes, format_gflops, format_rate
from keisan.sdk import EvidenceView, SupernodeTemplateView, TemplateFactName, TierTemplateView

NameArgument = Annotated[str | None, typer.Argument(help="Show this one, with its evidence.")]
SiteArgument = Annotated[str, typer.Argument(help="The site, by name or id.")]
COLUMNS = ("template", "name", "devices", "chip", "power", "cooling", "wiring")
LIVE_COLUMNS = ("supernode", "template", "reach each other", "bandwidth", "verdict", "why")
PPM_PER_PERCENT = 10_000
UNKNOWN = "unknown"
BOXES_MAX = 8


async def list_templates(session: Session, name: NameArgument = None) -> None:
    """List templates of supernodes, or draw one with the evidence of each value."""
    if name is not None:
        template = await session.keisan.supernode_templates.get(name)
        session.output.show_view(template, "\n".join(draw_template(template)))
        return
    found = (await session.keisan.supernode_templates.list()).items
    rows = [
        (
            template.id,
            template.name,
            template.member_count,
            describe_fact(template, TemplateFactName.CHIP),
            describe_fact(template, TemplateFactName.RATED_POWER_W),
            describe_fact(template, TemplateFactName.COOLING),
            _describe_wiring(template),
        )
        for template in found
    ]
    session.output.show_views(found, COLUMNS, rows)


def describe_fact(template: SupernodeTemplateView, name: TemplateFactName) -> str:
    """Return the values of a fact: several numbers as a range."""
    fact = template.facts.get(name)
    if fact is None:
        return UNKNOWN
    numbers = [value for value in fact.values if isinstance(value, int)]
    if not numbers:
        return ", ".join(map(str, fact.values))
    ends = [_format_number(name, value) for value in sorted({min(numbers), max(numbers)})]
    return " to ".join(ends)


def draw_template(template: SupernodeTemplateView) -> Iterator[str]:
    """Yield a template line by line: its facts, its tiers from the highest down, the members last."""
    yield f"{template.id}: {template.name}, {template.member_count} devices ({_cite(template.evidence)})"
    width = max(map(len, template.facts), default=0)
    for name, fact in template.facts.items():
        yield f"  {name:<{width}}  {describe_fact(template, name)}  ({_cite(fact.evidence)})"
    yield ""
    if template.wiring is None:
        yield "  how its devices are wired is not known"
        return
    yield f"  wiring ({_cite(template.wiring.evidence)})"
    for tier in reversed(template.wiring.tiers):
        yield from _draw_tier(template.member_count, tier)
    yield f"  {_draw_boxes(template.member_count, 'o')}"
    yield f"  {template.member_count} devices{_describe_mesh(template)}"


def _draw_tier(member_count: int, tier: TierTemplateView) -> Iterator[str]:
    bandwidth = "" if tier.link_bytes_per_s is None else f", {format_rate(tier.link_bytes_per_s, 'B/s')} a link"
    groups = member_count // tier.group_members
    below = "device" if tier.tier == 1 else f"switch of tier {tier.tier - 1}"
    planes = f"{tier.plane_count} planes x {tier.switches_per_plane}"
    yield f"  tier {tier.tier}: {tier.switch_count} switches = {groups} groups of {tier.group_members} devices x {planes}"
    yield f"  {_draw_boxes(tier.switch_count, '[]')}"
    yield f"    | each {below} to each switch of its group{' and plane' if tier.tier > 1 else ''}{bandwidth}"


def _draw_boxes(count: int, box: str) -> str:
    return " ".join([box] * min(count, BOXES_MAX)) + (f" ... {count}" if count > BOXES_MAX else "")


def _describe_mesh(template: SupernodeTemplateView) -> str:
    size = template.wiring.mesh_members if template.wiring else 0
    if not size:
        return ""
    groups = template.member_count // size
    return ", linked each to each" + (f" in {groups} groups of {size}" if groups > 1 else "")


def _describe_wiring(template: SupernodeTemplateView) -> str:
    if template.wiring is None:
        return UNKNOWN
    parts = [f"mesh of {template.wiring.mesh_members}"] if template.wiring.mesh_members else []
    return ", ".join([*parts, *(f"{tier.switch_count} switches in tier {tier.tier}" for tier in template.wiring.tiers)])


def _format_number(name: TemplateFactName, value: int) -> str:
    match name:
        case TemplateFactName.RATED_POWER_W:
            return f"{value / 1000:g} kW"
        case TemplateFactName.PUE_PERMILLE:
            return f"{value / 1000:g}"
        case TemplateFactName.MEMORY_BYTES:
            return format_bytes(value)
        case TemplateFactName.GFLOPS_FP16:
            return format_gflops(value)
        case TemplateFactName.MEMBER_BYTES_PER_S:
            return format_rate(value, "B/s")
        case TemplateFactName.LATENCY_NS:
            return f"{value} ns"
        case _:
            return str(value)


def _cite(evidence: EvidenceView) -> str:
    return f"{evidence.grade}, {evidence.date}: {evidence.source}"


async def list_supernodes(session: Session, site: SiteArgument) -> None:
    """List the supernodes of a site, and what is left of each."""
    found = (await session.keisan.telemetry.list_supernodes((await choose_site(session, site)).id)).items
    rows = [
        (
            each.name,
            each.template or UNKNOWN,
            f"{each.connected_count} of {each.member_count}",
            UNKNOWN if each.left_ppm is None else f"{each.left_ppm / PPM_PER_PERCENT:.1f} %",
            each.verdict,
            "; ".join(each.reasons),
        )
        for each in found
    ]
    session.output.show_views(found, LIVE_COLUMNS, rows)


def add_commands(application: typer.Typer) -> None:
    """Add supernode templates and list."""
    group = typer.Typer(help="Supernodes: devices in one scale-up domain.", no_args_is_help=True)
    add_command(group, "templates", list_templates)
    add_command(group, "list", list_supernodes)
    application.add_typer(group, name="supernode")
