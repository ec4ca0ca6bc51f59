"""`keisan facilities`: what owners measured of their sites' buildings, day by day."""

from datetime import datetime
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.csv_upload import CsvOption, FileArgument, describe_upload, read_table
from keisan.cli.session import Session
from keisan.cli.site import SiteArgument, choose_site
from keisan.kit.units import format_bytes, format_percent
from keisan.sdk import FacilityView
from keisan.wire.csv_file import write_csv
from keisan.wire.facility import FACILITY_CSV, FacilityLine

UNKNOWN = "unknown"
PPM_PER_PERMILLE = 1000
DAY_FORMATS = ["%Y-%m-%d"]
RegionOption = Annotated[str | None, typer.Option(help="Only of this region, for example CN-SX.")]
SinceOption = Annotated[datetime | None, typer.Option(help="From this day on.", formats=DAY_FORMATS)]
UntilOption = Annotated[datetime | None, typer.Option(help="Until this day.", formats=DAY_FORMATS)]
COLUMNS = ("day", "site", "racks", "in use", "filled", "power", "PUE", "green", "storage")


async def list_facilities(
    session: Session,
    region: RegionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    is_csv: CsvOption = False,
) -> None:
    """List records of facilities; a standard rack is 2.5 kW of rated power."""
    days = [None if day is None else day.date() for day in (since, until)]
    found = [record async for record in session.keisan.facilities.list(region, *days)]
    if is_csv:
        session.output.show_text(write_csv(FACILITY_CSV, map(_build_line, found)), end="")
        return
    names = {site.id: site.name async for site in session.keisan.sites.list()}
    rows = [
        (
            record.day,
            names.get(record.site_id, record.site_id),
            _show(record.standard_racks),
            _show(record.standard_racks_in_use),
            _show_permille(record.fill_permille),
            UNKNOWN if record.power_w is None else f"{record.power_w} W",
            _show_ratio(record.pue_permille),
            _show_permille(record.green_power_permille),
            UNKNOWN if record.storage_bytes is None else format_bytes(record.storage_bytes),
        )
        for record in found
    ]
    session.output.show_views(found, COLUMNS, rows)


async def show_facility(session: Session, site: SiteArgument) -> None:
    """Show the last record of a site's facility."""
    chosen = await choose_site(session, site)
    record = await session.keisan.facilities.get(chosen.id)
    session.output.show_view(record, f"{chosen.name} on {record.day}\n" + "\n".join(describe_facility(record)))


async def upload_facilities(session: Session, file: FileArgument) -> None:
    """Hand in a table of records; of a bad table every bad line is told and nothing is taken. `list --csv` shows its columns."""
    answer = await session.keisan.facilities.upload(read_table(file))
    session.output.show_view(answer, describe_upload(answer))


def describe_facility(record: FacilityView) -> list[str]:
    """Return a record in words, a line for each that is known or that everybody asks for."""
    place = UNKNOWN
    if record.latitude_microdegrees is not None and record.longitude_microdegrees is not None:
        place = f"{record.latitude_microdegrees / 1e6:.6f}, {record.longitude_microdegrees / 1e6:.6f}"
    latencies = (record.latency_hub_us, record.latency_city_us, record.latency_node_us)
    rings = [
        f"{ring} {UNKNOWN if latency_us is None else f'{latency_us / 1000:g} ms ({verdict})'}"
        for (ring, verdict), latency_us in zip(record.rings.items(), latencies, strict=True)
    ]
    ports = ", ".join(f"{count} x {speed}G" for speed, count in (record.ports or {}).items())
    storage = UNKNOWN if record.storage_bytes is None else format_bytes(record.storage_bytes)
    in_use, fill = _show(record.standard_racks_in_use), _show_permille(record.fill_permille)
    return [
        f"  address         {record.address or UNKNOWN}",
        f"  place           {place}",
        f"  standard racks  {_show(record.standard_racks)} of 2.5 kW, {in_use} in use, {fill} filled",
        f"  power           {_show(record.power_w)} W of {_show(record.rated_power_w)} W",
        f"  PUE             {_show_ratio(record.pue_permille)}",
        f"  WUE             {_show_ratio(record.wue_ml_per_kwh)} l/kWh",
        f"  green power     {_show_permille(record.green_power_permille)}",
        f"  ports           {ports or UNKNOWN}",
        f"  latency         {', '.join(rings)}",
        f"  storage         {storage}",
    ]


def _build_line(record: FacilityView) -> FacilityLine:
    told = {name: getattr(record, name) for name in FacilityLine.model_fields if name != "site"}
    return FacilityLine(site=str(record.site_id), **told)


def _show(count: int | None) -> str:
    return UNKNOWN if count is None else str(count)


def _show_permille(share_permille: int | None) -> str:
    return UNKNOWN if share_permille is None else format_percent(share_permille * PPM_PER_PERMILLE)


def _show_ratio(ratio_permille: int | None) -> str:
    return UNKNOWN if ratio_permille is None else f"{ratio_permille // 1000}.{ratio_permille % 1000:03d}"


def add_commands(application: typer.Typer) -> None:
    """Add facilities list, show and upload."""
    group = typer.Typer(help="Facilities of sites, day by day.", no_args_is_help=True)
    add_command(group, "list", list_facilities)
    add_command(group, "show", show_facility)
    add_command(group, "upload", upload_facilities)
    application.add_typer(group, name="facilities")
