"""`keisan federation exchanges`: what platforms below have told, as a list that is ticked off, and what is counted of each."""

from collections.abc import Iterator
from typing import Annotated

import typer

from keisan.cli.session import Session
from keisan.domain.capacity import CapacityKind
from keisan.domain.errors import NotFound
from keisan.domain.exchange import ExchangeState
from keisan.kit.units import format_percent
from keisan.sdk import ExchangeList, PlatformExchanges

UNKNOWN = "unknown"
COLUMNS = ("platform", "region", "exchange", "state", "since", "missing")
# Surveyed is what is not connected; the others are what is counted of a join.
COUNTED = (CapacityKind.REGISTERED, CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE, CapacityKind.VERIFIED)
COUNT_COLUMNS = ("platform", "sites", *(f"{kind} devices" for kind in COUNTED), "connected share", "counted elsewhere")
WORDS = {ExchangeState.NOT_YET: "not yet", ExchangeState.PARTLY: "partly", ExchangeState.DONE: "done"}
PlatformArgument = Annotated[str | None, typer.Argument(help="Name or id of a platform below; all without one.")]


async def list_exchanges(session: Session, platform: PlatformArgument = None) -> None:
    """Show the five exchanges of each join: how far, since when, what is missing; and what is counted of each platform.

    A site or device that two platforms report is counted once, as whose it was proved to be first. Raises NotFound for an
    unknown platform.
    """
    found = await session.keisan.exchanges.list()
    chosen = [each for each in found.items if platform in (None, each.name, each.platform_id)]
    if platform is not None and not chosen:
        raise NotFound(f"there is no platform {platform} below this one")
    if session.output.is_json:
        session.output.show_json(ExchangeList(items=tuple(chosen)).model_dump(mode="json"))
        return
    session.output.show_table(COLUMNS, [row for each in chosen for row in walk_exchanges(each)])
    session.output.show_table(COUNT_COLUMNS, [describe_counts(each) for each in chosen])
    for each in chosen:
        session.output.show_text("\n".join(walk_shared(each)), end="\n" if each.shared or each.faults else "")


def walk_exchanges(told: PlatformExchanges) -> Iterator[tuple[str, ...]]:
    """Yield a row for each exchange of a platform."""
    for line in told.exchanges:
        since = "now" if line.since is None else f"{line.since.astimezone():%Y-%m-%d %H:%M}"
        yield name_platform(told), told.region or "-", line.exchange, WORDS[line.state], since, ", ".join(line.missing)


def describe_counts(told: PlatformExchanges) -> tuple[str, ...]:
    """Return what is counted of a platform as a row; what it has not told is unknown."""
    counts = [told.device_counts.get(kind) for kind in COUNTED]
    share = UNKNOWN if told.share_ppm is None else format_percent(told.share_ppm)
    shared = sum(each.device_count for each in told.shared)
    return (
        name_platform(told),
        str(told.site_count),
        *(UNKNOWN if count is None else f"{count:,}" for count in counts),
        share,
        f"{shared:,}",
    )


def walk_shared(told: PlatformExchanges) -> Iterator[str]:
    """Yield in words what is another's of what a platform reports, and what it told that could not be read."""
    for each in told.shared:
        what = "the site is" if each.is_whole else f"{each.device_count:,} devices are"
        owners = ", ".join(owner[:12] for owner in each.owner_ids)
        yield f"{name_platform(told)}, site {each.site_id}: {what} counted as {owners}'s"
    for name, fault in told.faults.items():
        yield f"{name_platform(told)}: {name} was not read: {fault}"


def name_platform(told: PlatformExchanges) -> str:
    """Return what to call a platform; one that has not introduced itself is called by its id."""
    return told.name or told.platform_id[:12]
