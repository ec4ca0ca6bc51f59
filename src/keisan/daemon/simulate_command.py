"""`keisan simulate fleet`: its options; what plays is imported only when it is called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from keisan.cli.extension import add_session_command
from keisan.cli.session import Session


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What the command line says of the fleet."""

    regions: Annotated[int, typer.Option(help="How many of the 31 provincial regions.")] = 31
    devices: Annotated[int, typer.Option(help="How many devices in all.")] = 10_000
    period: Annotated[str, typer.Option("--rate", help="How often each device is read, for example 10s.")] = "10s"
    sites: Annotated[int, typer.Option(help="Sites per region.")] = 8
    seed: Annotated[int, typer.Option(help="The same seed plays the same fleet.")] = 1
    duration: Annotated[
        str | None, typer.Option(help="For how long, for example 60s or 10m; without it until Ctrl-C.")
    ] = None
    cut: Annotated[
        list[str] | None, typer.Option(help="REGION:FROM:TO, seconds of the run during which a region is cut off.")
    ] = None
    no_faults: Annotated[bool, typer.Option("--no-faults", help="No device ever fails.")] = False
    truth: Annotated[
        Path | None,
        typer.Option(help="Write what each frame held, a JSON line each, for a reader of one's own; nothing is shown."),
    ] = None


def add_simulate_commands(application: typer.Typer) -> None:
    """Add simulate fleet."""
    group = typer.Typer(no_args_is_help=True, help="Play what is too large to have at hand.")

    @group.callback()
    def hold_group() -> None:
        """Play what is too large to have at hand."""

    add_session_command(group, "fleet", simulate_fleet)
    application.add_typer(group, name="simulate")


async def simulate_fleet(session: Session, options: FleetOptions) -> None:
    """Play a nation's devices against a running platform: simulated values, the real way in.

    Sites join as any site does. The figures shown come back from the platform's live API.
    """
    # Only for this command: Arrow and numpy.
    from keisan.daemon.simulate import run_simulation

    await run_simulation(session, options)
