"""`keisan claims`: what owners say that their sites have, the registered capacity."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.csv_upload import CsvOption, FileArgument, describe_upload, read_table
from keisan.cli.session import Session
from keisan.cli.site import SiteArgument, choose_site
from keisan.domain.errors import InvalidInput
from keisan.kit.units import format_bytes, format_gflops
from keisan.sdk import ClaimView, ClaimWrite, Precision
from keisan.wire.claim import CLAIM_CSV, ClaimLine
from keisan.wire.csv_file import write_csv

UNKNOWN = "unknown"
COLUMNS = ("id", "site", "chip", "devices", "standard racks", "memory", "throughput", "claimed at")
ClaimArgument = Annotated[UUID, typer.Argument(help="Its id, from `keisan claims list`.")]
ChipArgument = Annotated[str, typer.Argument(help="Id of the chip, for example nvidia-h20.")]
CountArgument = Annotated[int, typer.Argument(help="How many devices.")]
RacksOption = Annotated[int | None, typer.Option("--racks", help="Standard racks of 2.5 kW.")]
MemoryOption = Annotated[int | None, typer.Option("--memory-bytes", help="Memory of all devices together.")]
BandwidthOption = Annotated[int | None, typer.Option("--bandwidth", help="Bytes per second, of all devices together.")]
GflopsOption = Annotated[list[str] | None, typer.Option("--gflops", help="PRECISION=GFLOPS of all devices together.")]


async def list_claims(session: Session, is_csv: CsvOption = False) -> None:
    """List claims."""
    found = [claim async for claim in session.keisan.claims.list()]
    if is_csv:
        session.output.show_text(write_csv(CLAIM_CSV, map(_build_line, found)), end="")
        return
    names = {site.id: site.name async for site in session.keisan.sites.list()}
    rows = [
        (
            claim.id,
            names.get(claim.site_id, claim.site_id),
            claim.chip,
            claim.device_count,
            UNKNOWN if claim.standard_racks is None else claim.standard_racks,
            UNKNOWN if claim.memory_bytes is None else format_bytes(claim.memory_bytes),
            describe_gflops(claim),
            f"{claim.claimed_at:%Y-%m-%d %H:%M}",
        )
        for claim in found
    ]
    session.output.show_views(found, COLUMNS, rows)


@dataclass(frozen=True)
class ClaimOptions:
    """Sums over all devices; what is left out is not claimed."""

    standard_racks: RacksOption = None
    memory_bytes: MemoryOption = None
    bandwidth_bytes_per_s: BandwidthOption = None
    gflops: GflopsOption = None


async def make_claim(
    session: Session, site: SiteArgument, chip: ChipArgument, device_count: CountArgument, options: ClaimOptions
) -> None:
    """Claim what a site has of a chip, in place of what was claimed of it before."""
    chosen = await choose_site(session, site)
    body = ClaimWrite(
        chip=chip,
        device_count=device_count,
        standard_racks=options.standard_racks,
        memory_bytes=options.memory_bytes,
        bandwidth_bytes_per_s=options.bandwidth_bytes_per_s,
        gflops=dict(map(parse_gflops, options.gflops or [])),
    )
    claim = await session.keisan.claims.make(chosen.id, body)
    session.output.show_view(claim, f"{chosen.name}: {claim.device_count} x {claim.chip}, {describe_gflops(claim)}")


async def withdraw_claim(session: Session, claim_id: ClaimArgument) -> None:
    """Take a claim back."""
    claim = await session.keisan.claims.withdraw(await session.keisan.claims.get(claim_id))
    session.output.show_view(claim, f"withdrawn: {claim.device_count} x {claim.chip}")


async def upload_claims(session: Session, file: FileArgument) -> None:
    """Hand in a table of claims; of a bad table every bad line is told and nothing is taken. `list --csv` shows its columns."""
    answer = await session.keisan.claims.upload(read_table(file))
    session.output.show_view(answer, describe_upload(answer))


def parse_gflops(text: str) -> tuple[Precision, int]:
    """Return throughput as people type it, fp16=128000; raises InvalidInput."""
    name, _, amount = text.partition("=")
    if name not in list(Precision) or not amount.isdecimal():
        raise InvalidInput(f"expected PRECISION=GFLOPS, for example fp16=128000, got '{text}'", "--gflops")
    return Precision(name), int(amount)


def describe_gflops(claim: ClaimView) -> str:
    """Return a claim's throughput in words."""
    return ", ".join(f"{name} {format_gflops(amount)}" for name, amount in claim.gflops.items()) or UNKNOWN


def _build_line(claim: ClaimView) -> ClaimLine:
    told = {name: getattr(claim, name) for name in ClaimLine.model_fields if name != "site"}
    return ClaimLine(site=str(claim.site_id), **told)


def add_commands(application: typer.Typer) -> None:
    """Add claims list, make, withdraw and upload."""
    group = typer.Typer(help="Registered capacity: what owners claim.", no_args_is_help=True)
    add_command(group, "list", list_claims)
    add_command(group, "make", make_claim)
    add_command(group, "withdraw", withdraw_claim)
    add_command(group, "upload", upload_claims)
    application.add_typer(group, name="claims")
