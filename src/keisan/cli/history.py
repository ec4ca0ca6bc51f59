"""`keisan telemetry query`: what devices, and all above them, were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.archive import replace_file
from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.cli.site import choose_site
from keisan.sdk import HistoryGroup, HistoryQuery, HistoryRows

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
PANEL = "Of what, and when"


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """What is not named is all of it."""

    region: Annotated[str | None, typer.Option(help="Only this region.", rich_help_panel=PANEL)] = None
    site: Annotated[str | None, typer.Option(help="Only this site, by name or id.", rich_help_panel=PANEL)] = None
    node: Annotated[str | None, typer.Option(help="Only this node, by hardware id.", rich_help_panel=PANEL)] = None
    device: Annotated[str | None, typer.Option(help="Only this device, by hardware id.", rich_help_panel=PANEL)] = None


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """From when until when, in which steps."""

    since: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, help="First moment (UTC), default an hour before the last.", rich_help_panel=PANEL),
    ] = None
    until: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="Last moment (UTC), default now.", rich_help_panel=PANEL)
    ] = None
    step: Annotated[
        int | None, typer.Option(help="Seconds of a row; 0 for samples, of devices only.", rich_help_panel=PANEL)
    ] = None


@dataclass(frozen=True, slots=True)
class ShownOptions:
    """What a row is of, and what it shows."""

    by: Annotated[HistoryGroup, typer.Option(help="What rows are summed over.")] = HistoryGroup.REGION
    fields: Annotated[str | None, typer.Option(help="Fields of a sample, with commas; a few without.")] = None
    arrow: Annotated[
        Path | None, typer.Option(help="Write the rows as an Arrow stream into this file.", dir_okay=False)
    ] = None


FEW_FIELDS, EVERYWHERE, LAST_HOUR = ShownOptions(), PlaceOptions(), TimeOptions()
# Shown as they are; all other columns of a table are sums, shown as means.
LABELS = ("region", "site", "node", "supernode", "hardware_id")


async def query_history(
    session: Session,
    shown: ShownOptions = FEW_FIELDS,
    place: PlaceOptions = EVERYWHERE,
    time: TimeOptions = LAST_HOUR,
) -> None:
    """Show what devices, nodes, sites or regions were, from when until when."""
    site_id = (await choose_site(session, place.site)).id if place.site else None
    asked: dict[str, object] = {
        "by": shown.by,
        "fields": shown.fields,
        "region": place.region,
        "site_id": site_id,
        "node": place.node,
        "device": place.device,
        "since": _to_utc(time.since),
        "until": _to_utc(time.until),
        "step_s": time.step,
    }
    query = HistoryQuery.model_validate({name: each for name, each in asked.items() if each is not None})
    if shown.arrow is not None:
        with replace_file(shown.arrow) as sink:
            await session.keisan.history.download(query, sink.write)
        session.output.show_text(f"{shown.arrow}: {shown.arrow.stat().st_size:,} bytes")
        return
    answer = await session.keisan.history.query(query)
    if session.output.is_json:
        session.output.show_json(answer.model_dump(mode="json"))
        return
    session.output.show_text(describe_reach(answer))
    columns = list(_choose_columns(answer.columns))
    session.output.show_table(
        [heading for heading, _ in columns], _list_rows(answer, [places for _, places in columns])
    )


def _to_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def describe_reach(answer: HistoryRows) -> str:
    """Return in a line what rows are of: from when until when, how much of the fleet, how old."""
    coverage = "unknown" if answer.coverage_permille is None else f"{answer.coverage_permille / 10:.1f} %"
    age = "no sample" if answer.age_ms is None else f"newest sample {answer.age_ms / 1000:,.0f} s old"
    step = f"steps of {answer.step_s} s" if answer.step_s else "as sampled"
    span = f"{answer.since:%Y-%m-%d %H:%M:%S} to {answer.until:%Y-%m-%d %H:%M:%S} (UTC)"
    return f"{span}, {step} of tier {answer.tier}: {answer.device_count:,} devices, coverage {coverage}, {age}"


def _choose_columns(names: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield headings with the places of their columns: two where a mean is made of a sum and a count."""
    places = {name: place for place, name in enumerate(names)}
    for name in names:
        field = name.removesuffix("_sum")
        if name.endswith("_sum") and f"{field}_count" in places:
            yield field, (places[name], places[f"{field}_count"])
        elif name.endswith("_growth") or name in LABELS or name == "at_ms":
            yield name.removesuffix("_ms"), (places[name],)
        elif f"{name}_count" not in places and not name.endswith(
            ("_min", "_max", "_count", "_first", "_last", "covered_ms", "last_ms")
        ):
            yield name, (places[name],)


def _list_rows(answer: HistoryRows, columns: Sequence[tuple[int, ...]]) -> Iterator[Sequence[object]]:
    for row in answer.rows:
        yield [_show_cell([row[place] for place in places], answer, answer.columns[places[0]]) for places in columns]


def _show_cell(cells: Sequence[int | str | None], answer: HistoryRows, name: str) -> object:
    first = cells[0]
    if len(cells) == 2:
        total, count = cells
        return f"{total / count:,.0f}" if isinstance(total, int) and isinstance(count, int) and count else ""
    if name == "at_ms" and isinstance(first, int):
        return f"{datetime.fromtimestamp(first / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    if name == "site" and isinstance(first, str):
        return answer.site_names.get(UUID(first), first)
    return "" if first is None else first


def add_query(group: typer.Typer) -> None:
    """Add query to the commands of telemetry."""
    add_command(group, "query", query_history)
