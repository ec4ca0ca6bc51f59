"""`keisan challenge`: measure devices by work that the platform times and checks, and see what that verified."""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.serving_challenge import list_serving_challenges, run_serving_challenge
from keisan.cli.session import Session
from keisan.cli.site import choose_site
from keisan.domain.errors import InvalidInput
from keisan.domain.figure import MEGA
from keisan.kit.units import format_rate
from keisan.sdk import ChallengesStarted, ChallengeStart, ChallengeView, Workload

COLUMNS = ("when", "device", "chip", "workload", "measured", "claimed", "peers", "verdict", "flags")
VERIFIED_COLUMNS = ("site", "chip", "workload", "verified", "of", "measured", "claimed", "since")
SiteArgument = Annotated[str, typer.Argument(help="Name or id of the site; may be left out if there is one.")]
WorkloadOption = Annotated[Workload, typer.Option("--precision", help="Precision of the products, or memory.")]
ClaimOption = Annotated[
    float | None, typer.Option("--claim", help="What each device is said to do, in G operations or GB per second.")
]
DisturbOption = Annotated[bool, typer.Option("--disturb", help="Also nodes that run replicas.")]
AllOption = Annotated[bool, typer.Option("--all", help="Not the last of each device alone.")]


async def run_challenges(
    session: Session,
    site: SiteArgument = "",
    workload: WorkloadOption = Workload.FP32,
    claim: ClaimOption = None,
    disturb: DisturbOption = False,
) -> None:
    """Challenge all devices of a site's nodes, each node's at once, and wait for what comes of it."""
    body = ChallengeStart(
        site_id=await _choose_site(session, site),
        workload=workload,
        claim_per_s=None if claim is None else max(round(claim * 1e9), 1),
        may_disturb=disturb,
    )
    started = await session.keisan.challenges.start(body)

    def tell(seen: ChallengeView) -> None:
        session.output.tell(f"{seen.hardware_id}: {seen.state}")

    judged = await session.keisan.challenges.wait_judged(started.challenges, tell)
    if session.output.is_json:
        session.output.show_json(ChallengesStarted(challenges=judged).model_dump(mode="json")["challenges"])
        return
    session.output.show_table(COLUMNS, _build_rows(judged))


async def list_challenges(session: Session, site: SiteArgument = "", is_all: AllOption = False) -> None:
    """List challenges beside what was claimed, the last of each device and workload."""
    site_id = (await choose_site(session, site)).id if site else None
    found = [each async for each in session.keisan.challenges.list(site_id)]
    if not is_all:
        found = list({(each.device_id, each.work.workload): each for each in found}.values())
    session.output.show_views(found, COLUMNS, _build_rows(found))


async def list_verified(session: Session) -> None:
    """List what is verified, by site, chip and workload: sums over the devices that did as claimed."""
    names = {site.id: site.name async for site in session.keisan.sites.list()}
    found = (await session.keisan.challenges.list_verified()).items
    rows = [
        (
            names.get(line.site_id, line.site_id),
            line.chip,
            line.workload,
            line.verified_count,
            line.device_count,
            _format(line.rate_mega_per_s * MEGA, line.workload) if line.verified_count else "",
            "" if line.claim_mega_per_s is None else _format(line.claim_mega_per_s * MEGA, line.workload),
            f"{line.oldest_at:%Y-%m-%d %H:%M}",
        )
        for line in found
    ]
    session.output.show_views(found, VERIFIED_COLUMNS, rows)


async def _choose_site(session: Session, wanted: str) -> UUID:
    if wanted:
        return (await choose_site(session, wanted)).id
    sites = [site async for site in session.keisan.sites.list()]
    if len(sites) != 1:
        raise InvalidInput(f"there are {len(sites)} sites; name one of them", "SITE")
    return sites[0].id


def _build_rows(found: Iterable[ChallengeView]) -> list[tuple[object, ...]]:
    return [
        (
            f"{each.judged_at or each.created_at:%Y-%m-%d %H:%M}",
            each.hardware_id,
            each.chip,
            each.work.workload,
            "" if each.rate_per_s is None else _format(each.rate_per_s, each.work.workload),
            "" if each.claim_per_s is None else _format(each.claim_per_s, each.work.workload),
            "" if each.peers is None else _format(each.peers.median_per_s, each.work.workload),
            each.verdict,
            ", ".join(each.flags) + (f" ({each.message})" if each.message else ""),
        )
        for each in found
    ]


def _format(rate_per_s: int, workload: Workload) -> str:
    units = {Workload.MEMORY: "B/s", Workload.INT8: "OP/s"}
    return format_rate(rate_per_s, units.get(workload, "FLOPS"))


def add_commands(application: typer.Typer) -> None:
    """Add challenge run, list, verified, serve and served."""
    group = typer.Typer(help="Capacity that is believed because it was measured.", no_args_is_help=True)
    add_command(group, "run", run_challenges)
    add_command(group, "list", list_challenges)
    add_command(group, "verified", list_verified)
    add_command(group, "serve", run_serving_challenge)
    add_command(group, "served", list_serving_challenges)
    application.add_typer(group, name="challenge")
