"""`keisan telemetry`: the live fleet in tables. What nobody knows is "unknown", never 0."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from keisan.cli.command import add_command
from keisan.cli.history import add_query
from keisan.cli.session import Session
from keisan.cli.site import choose_site
from keisan.cli.table import build_table, format_lines
from keisan.domain.errors import InvalidInput
from keisan.domain.roll_up import CountName, Level
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.units import format_bytes
from keisan.sdk import LiveDeviceQuery, LiveDeviceView, RollUpUpdate, RollUpView, SumView

UNKNOWN = "unknown"
MEBIBYTE = 2**20
ROLL_UP_COLUMNS = (
    "name",
    "verdict",
    "devices",
    "ok",
    "unknown",
    "failed",
    "coverage",
    "in use",
    "memory",
    "power",
    "hottest",
    "tokens/s",
    "age",
    "from",
)
DEVICE_COLUMNS = ("device", "node", "chip", "verdict", "in use", "memory", "power", "heat", "tokens/s", "age")

ByOption = Annotated[Level, typer.Option("--by", help="What devices are summed by.")]
RegionOption = Annotated[str | None, typer.Option(help="Only this region, for example CN-SX.")]
SiteOption = Annotated[str | None, typer.Option(help="Only this site, by name or id; supernode and node need it.")]
SiteArgument = Annotated[str, typer.Argument(help="Name or id of the site.")]


async def show_rollups(
    session: Session, by: ByOption = Level.REGION, region: RegionOption = None, site: SiteOption = None
) -> None:
    """Show the live fleet as of the last second: verdicts, coverage, load, memory, power, heat."""
    site_id = await _find_site(session, by, site)
    found = await session.keisan.telemetry.list_rollups(by, region, site_id)
    if session.output.is_json:
        session.output.show_json(found.model_dump(mode="json"))
        return
    names = await _name_providers(session, by)
    session.output.show_table(ROLL_UP_COLUMNS, (describe_rollup(line, found.taken_at, names) for line in found.items))


async def watch_rollups(
    session: Session,
    by: ByOption = Level.REGION,
    region: RegionOption = None,
    site: SiteOption = None,
    updates: Annotated[int | None, typer.Option(min=1, help="End after so many updates; without it at Ctrl-C.")] = None,
) -> None:
    """Show the live fleet as it changes, second by second; with --json each update is a line."""
    site_id = await _find_site(session, by, site)
    names = await _name_providers(session, by)
    known: dict[str, RollUpView] = {}
    screen = Screen(session)
    count = 0
    with screen:
        async for update in session.keisan.telemetry.stream(by, region, site_id):
            if session.output.is_json:
                session.output.show_json(update.model_dump(mode="json"))
            else:
                merge_update(known, update)
                rows = [describe_rollup(line, update.taken_at, names) for line in known.values()]
                screen.show(f"as of {update.taken_at.astimezone():%H:%M:%S}", rows)
            count += 1
            if count == updates:
                return


async def list_devices(
    session: Session,
    site: SiteArgument,
    node: Annotated[str | None, typer.Option(help="Only devices of this node.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only devices with this verdict.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 500,
) -> None:
    """List a site's devices with their live values."""
    chosen = await choose_site(session, site)
    query = LiveDeviceQuery(site_id=chosen.id, node=node, verdict=verdict, limit=limit)
    found = await session.keisan.telemetry.list_devices(query)
    session.output.show_views(
        found.items, DEVICE_COLUMNS, (describe_device(device, found.taken_at) for device in found.items)
    )
    if found.next_start is not None:
        session.output.tell(f"there are more than {limit}; --limit shows more of them")


async def list_frames(session: Session) -> None:
    """Show what became of each site's frames since the platform's process began."""
    found = await session.keisan.telemetry.list_frames()
    columns = ("site", "region", "live", "late", "duplicate", "refused", "values refused", "clock behind")
    rows = (
        (
            site.site_name,
            site.region,
            *(site.outcomes[name] for name in ("live", "late", "duplicate")),
            ", ".join(f"{count} {fault}" for fault, count in site.faults.items() if count) or "none",
            site.values_refused,
            f"{site.clock_offset_ms} ms" if site.outcomes["live"] else UNKNOWN,
        )
        for site in found.items
    )
    session.output.show_views(found.items, columns, rows)


class Screen:
    """A table that is redrawn on a terminal; elsewhere each one is printed below the last."""

    def __init__(self, session: Session) -> None:
        self._output = session.output
        console = session.output.console
        is_live = console.is_terminal and not session.output.is_json
        self._live = Live(console=console, auto_refresh=False) if is_live else None

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, title: str, rows: Sequence[Sequence[str]]) -> None:
        """Show the rows in place of those before."""
        if self._live is None:
            self._output.show_text(title)
            self._output.show_table(ROLL_UP_COLUMNS, rows)
            return
        table = build_table(ROLL_UP_COLUMNS, rows, self._output.console.width)
        body = table if table is not None else Text(format_lines(ROLL_UP_COLUMNS, rows))
        self._live.update(Group(Text(title), body), refresh=True)


def merge_update(known: dict[str, RollUpView], update: RollUpUpdate) -> None:
    """Bring what is known up to an update; a whole one replaces it."""
    if update.is_whole:
        known.clear()
    known.update({f"{line.provider_id}/{line.site_id}/{line.name}": line for line in update.items})


def describe_rollup(line: RollUpView, taken_at: datetime, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return a roll-up as a row of ROLL_UP_COLUMNS."""
    counts, sums = line.counts, line.sums
    coverage = line.coverage_permille
    return (
        names.get(line.name, line.name) or "all",
        str(line.verdict),
        f"{counts[CountName.DEVICES]:,}",
        *(f"{counts[name]:,}" for name in (CountName.OK, CountName.UNKNOWN, CountName.FAILED)),
        UNKNOWN if coverage is None else _format_permille(coverage),
        _format_mean(sums[SampleName.UTILIZATION_PERMILLE]),
        _format_memory(sums[SampleName.MEMORY_USED_MIB], counts[CountName.MEMORY_MIB]),
        _format_total(sums[SampleName.POWER_MILLIWATTS], format_power),
        _format_heat(line.temperature_most_millicelsius),
        _format_total(sums[SampleName.TOKENS_PER_S], lambda total: f"{total:,}"),
        format_age(line.proven_at, taken_at),
        describe_sources(line, taken_at),
    )


def describe_sources(line: RollUpView, taken_at: datetime) -> str:
    """Return which platforms told a roll-up, and of one that is not heard any more how long ago it was."""
    told = sum(source.device_count for source in line.sources)
    own = ["here"] if told < line.counts[CountName.DEVICES] or not line.sources else []
    others = [
        source.platform_name if source.is_heard else f"{source.platform_name} ({format_age(source.heard_at, taken_at)})"
        for source in line.sources
    ]
    return ", ".join((*own, *others))


def describe_device(device: LiveDeviceView, taken_at: datetime) -> tuple[str, ...]:
    """Return a device as a row of DEVICE_COLUMNS; of one that is silent only what never changes is known."""
    # What it said last is no longer known to be so.
    values = device.values if device.verdict is not Verdict.UNKNOWN else {}
    used, memory_mib = values.get(SampleName.MEMORY_USED_MIB), device.memory_mib or 0
    utilization = values.get(SampleName.UTILIZATION_PERMILLE)
    power = values.get(SampleName.POWER_MILLIWATTS)
    tokens = values.get(SampleName.TOKENS_PER_S)
    return (
        device.hardware_id,
        device.node,
        device.chip,
        f"{device.verdict}, cordoned" if device.is_cordoned else str(device.verdict),
        UNKNOWN if utilization is None else _format_permille(utilization),
        _format_memory(SumView(total=used or 0, devices=int(used is not None), mean=None), memory_mib),
        UNKNOWN if power is None else format_power(power),
        _format_heat(values.get(SampleName.TEMPERATURE_MILLICELSIUS)),
        UNKNOWN if tokens is None else f"{tokens:,}",
        format_age(device.proven_at, taken_at),
    )


def format_power(milliwatts: int) -> str:
    """Return a power in W, kW or MW with one decimal."""
    watts = milliwatts / 1000
    for unit, scale in (("MW", 1e6), ("kW", 1e3)):
        if watts >= scale:
            return f"{watts / scale:.1f} {unit}"
    return f"{watts:.1f} W"


def format_age(proven_at: datetime | None, taken_at: datetime) -> str:
    """Return how long ago something was heard."""
    if proven_at is None:
        return UNKNOWN
    age_s = max(0.0, (taken_at - proven_at).total_seconds())
    return f"{age_s:.1f} s" if age_s < 120 else f"{age_s / 60:.0f} min" if age_s < 7200 else f"{age_s / 3600:.0f} h"


def _format_permille(permille: int) -> str:
    return f"{permille / 10:.1f}%"


def _format_mean(found: SumView) -> str:
    return UNKNOWN if found.mean is None else _format_permille(found.mean)


def _format_total(found: SumView, describe: Callable[[int], str]) -> str:
    return describe(found.total) if found.devices else UNKNOWN


def _format_memory(used: SumView, memory_mib: int) -> str:
    whole = format_bytes(memory_mib * MEBIBYTE) if memory_mib else UNKNOWN
    return f"{format_bytes(used.total * MEBIBYTE) if used.devices else UNKNOWN} of {whole}"


def _format_heat(millicelsius: int | None) -> str:
    return UNKNOWN if millicelsius is None else f"{millicelsius / 1000:.0f} °C"


async def _find_site(session: Session, by: Level, site: str | None) -> UUID | None:
    if site is not None:
        return (await choose_site(session, site)).id
    if by in (Level.SUPERNODE, Level.NODE):
        raise InvalidInput(f"expected a site to show by {by}", "--site")
    return None


async def _name_providers(session: Session, by: Level) -> dict[str, str]:
    if by is not Level.PROVIDER:
        return {}
    return {str(provider.id): provider.name async for provider in session.keisan.providers.list()}


def add_commands(application: typer.Typer) -> None:
    """Add telemetry show, watch, devices, frames and query."""
    group = typer.Typer(help="The fleet: live, and as it was.", no_args_is_help=True)
    add_command(group, "show", show_rollups)
    add_command(group, "watch", watch_rollups)
    add_command(group, "devices", list_devices)
    add_command(group, "frames", list_frames)
    add_query(group)
    application.add_typer(group, name="telemetry")
