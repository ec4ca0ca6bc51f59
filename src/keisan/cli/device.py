"""`keisan device`: which there are and how they are, and closing one to work, clearing, opening or retiring it."""

from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, NotFound, StateConflict, VersionMismatch
from keisan.domain.verdict import Verdict
from keisan.sdk import DeviceUse, DeviceView

DeviceArgument = Annotated[str, typer.Argument(help="Id, or hardware id, of the device.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the audit log and whoever asks.")]
TRIES_MAX = 4


async def list_devices(session: Session) -> None:
    """List devices: what they are, how they are, and whether they get work."""
    devices = [device async for device in session.keisan.devices.list()]
    if session.output.is_json:
        session.output.show_json([device.model_dump(mode="json") for device in devices])
        return
    rows = [(device.id, device.hardware_id, device.chip, device.name, device.verdict, device.use) for device in devices]
    session.output.show_table(("id", "hardware id", "chip", "name", "verdict", "use"), rows)


async def show_device(session: Session, device: DeviceArgument) -> None:
    """Show a device with all that its tool says of it."""
    chosen = await choose_device(session, device)
    session.output.show_view(chosen, describe_device(chosen))


async def cordon_device(session: Session, device: DeviceArgument, reason: ReasonOption) -> None:
    """Close a device to new work; what runs there stays."""
    await _change_use(session, device, DeviceUse.CORDONED, reason)


async def drain_device(session: Session, device: DeviceArgument, reason: ReasonOption) -> None:
    """Close a device to new work, and have what runs there move: each replica stops once another is ready in its place."""
    await _change_use(session, device, DeviceUse.DRAINING, reason)


async def uncordon_device(session: Session, device: DeviceArgument, reason: ReasonOption = "") -> None:
    """Open a device to work again."""
    await _change_use(session, device, DeviceUse.OPEN, reason)


async def retire_device(session: Session, device: DeviceArgument, reason: ReasonOption) -> None:
    """Count a device no more: one that failed or is gone, or is closed and runs nothing. Its history stays."""
    await _change_use(session, device, DeviceUse.RETIRED, reason)


async def reinstate_device(session: Session, device: DeviceArgument, reason: ReasonOption) -> None:
    """Count a retired device again; it is cordoned until somebody opens it."""
    _check_retired(await choose_device(session, device))
    await _change_use(session, device, DeviceUse.CORDONED, reason)


async def choose_device(session: Session, wanted: str) -> DeviceView:
    """Return the device of an id or hardware id; raises NotFound, or InvalidInput if several sites have that hardware id."""
    found = [each async for each in session.keisan.devices.list() if wanted in (str(each.id), each.hardware_id)]
    if not found:
        raise NotFound(f"there is no device '{wanted}'; `keisan device list` shows those there are")
    if len(found) > 1:
        raise InvalidInput(f"several devices have the hardware id '{wanted}'; name one by its id", "DEVICE")
    return found[0]


def _check_retired(device: DeviceView) -> None:
    if device.use is not DeviceUse.RETIRED:
        raise StateConflict(f"{device.hardware_id} is not retired; `keisan device cordon` closes one to new work")


async def _change_use(session: Session, wanted: str, use: DeviceUse, reason: str) -> None:
    for tries_left in reversed(range(TRIES_MAX)):
        chosen = await choose_device(session, wanted)
        try:
            changed = await session.keisan.devices.change_use(chosen, use, reason)
        except VersionMismatch:
            # Its site reports every second, and any report may have changed it; what is wanted of it is the same.
            if tries_left == 0:
                raise
        else:
            session.output.show_view(changed, f"{changed.hardware_id} is {changed.use}")
            return


def describe_device(device: DeviceView) -> str:
    """Return a device in words, a fact a line."""
    lines = [
        f"{device.hardware_id}: {device.name}",
        f"  chip       {device.chip}",
        f"  memory     {device.memory_bytes // 2**20} MiB",
        f"  verdict    {device.verdict}",
        f"  use        {device.use}{f' ({device.use_reason}; {device.use_actor})' if device.use_actor else ''}",
    ]
    if device.use is DeviceUse.RETIRED and device.verdict is Verdict.OK:
        lines.append("  contradiction: it is retired, and its site reports that it is there and well")
    return "\n".join([*lines, *(f"  {name}: {text}" for name, text in device.facts.items())])


def add_commands(application: typer.Typer) -> None:
    """Add devices list, show, cordon, drain, uncordon, retire and reinstate."""
    group = typer.Typer(help="Devices of the platform's sites.", no_args_is_help=True)
    add_command(group, "list", list_devices)
    add_command(group, "show", show_device)
    add_command(group, "cordon", cordon_device)
    add_command(group, "drain", drain_device)
    add_command(group, "uncordon", uncordon_device)
    add_command(group, "retire", retire_device)
    add_command(group, "reinstate", reinstate_device)
    application.add_typer(group, name="device")
