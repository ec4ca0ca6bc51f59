"""`keisan receipt`: fetch the proof of a usage record, and verify one without asking anybody."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command, add_local_command
from keisan.cli.output import Output
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId, parse_platform_id
from keisan.kit.clock import from_milliseconds
from keisan.kit.units import format_nano
from keisan.sdk import (
    VerifiedReceipt,
    is_cross_receipt,
    parse_cross_receipt,
    parse_receipt,
    verify_cross_receipt,
    verify_receipt,
)

FileArgument = Annotated[Path, typer.Argument(help="File of a receipt, - for standard input.")]
RecordArgument = Annotated[UUID, typer.Argument(help="Id of a usage record: the header keisan-record-id of an answer.")]
PlatformOption = Annotated[str | None, typer.Option("--platform", help="Id of the platform that must have signed.")]


async def fetch_receipt(session: Session, record_id: RecordArgument) -> None:
    """Print the receipt of a usage record, for a file: `keisan receipt get ID > FILE`."""
    receipt = await session.keisan.usage.get_receipt(record_id)
    session.output.show_json(receipt.model_dump(mode="json"))


def check_receipt(output: Output, file: FileArgument, platform_id: PlatformOption = None) -> None:
    """Verify a receipt offline: who signed it, and that the record is among those that were signed."""
    expected = parse_platform_id(platform_id) if platform_id is not None else None
    text = _read_file(file)
    if is_cross_receipt(text):
        _check_cross_receipt(output, text, expected)
        return
    verified = verify_receipt(parse_receipt(text), expected)
    if output.is_json:
        output.show_json({"is_valid": True, "entry": verified.seal.sequence, "record": verified.record})
    else:
        output.show_text(_describe_receipt(verified))


def _check_cross_receipt(output: Output, text: bytes, platform_id: PlatformId | None) -> None:
    receipt = parse_cross_receipt(text)
    usage, header = verify_cross_receipt(receipt, platform_id)
    if output.is_json:
        output.show_json({"is_valid": True, "batch": str(header.id), "record": json.loads(receipt.leaf)})
        return
    lines = {
        "signed by": f"platform {header.author}",
        "and by": f"platform {header.audience}",
        "settlement": header.period,
        "record": f"{usage.record_id}, as its {usage.end} platform tells it",
        "organization": usage.organization_id,
        "model": f"{usage.model} ({usage.model_digest}), {usage.chip} in {usage.region}",
        "price": f"{usage.price_id}, pinned by ticket {usage.ticket_id}",
        "quantities": ", ".join(f"{name} {count}" for name, count in usage.quantities.items()) or "none",
        "amount": format_nano(usage.amount_nano, usage.currency),
    }
    output.show_text(_show_lines("this receipt is good", lines))


def _show_lines(title: str, lines: Mapping[str, object]) -> str:
    width = max(map(len, lines)) + 2
    return "\n".join([title, *(f"  {name:<{width}}{value}" for name, value in lines.items())])


def _read_file(path: Path) -> bytes:
    if str(path) == "-":
        return typer.get_binary_stream("stdin").read()
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}", "file") from fault


def _describe_receipt(verified: VerifiedReceipt) -> str:
    record, seal = verified.record, verified.seal
    quantities = record["quantities"]
    assert isinstance(quantities, dict)
    lines = {
        "signed by": f"platform {seal.platform_id}",
        "entry": f"{seal.sequence} of {from_milliseconds(seal.created_at_ms).isoformat(timespec='milliseconds')}",
        "record": record["record_id"],
        "organization": record["organization_id"],
        "provider": f"{record['provider_id']} at site {record['site_id']}, chip {record['chip']}",
        "model": f"{record['model_id']} ({record['model_digest']})",
        "price": record["price_id"],
        "quantities": ", ".join(f"{name} {count}" for name, count in quantities.items()) or "none",
        "counted by": record["usage_source"],
        "amount": format_nano(int(str(record["amount_nano"])), str(record["currency"])),
    }
    return _show_lines("this receipt is good", lines)


def add_commands(application: typer.Typer) -> None:
    """Add get and verify."""
    room = typer.Typer(no_args_is_help=True, help="Proofs of usage records.")
    add_command(room, "get", fetch_receipt)
    add_local_command(room, "verify", check_receipt)
    application.add_typer(room, name="receipt")
