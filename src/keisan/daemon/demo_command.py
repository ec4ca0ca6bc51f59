"""`keisan demo nation`: its options; what runs is imported only when it is called."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from keisan.cli.exit_code import ExitCode
from keisan.daemon.command import find_data_directory
from keisan.daemon.serving import tell_fault
from keisan.domain.errors import KeisanError

PROVINCES_MAX = 10


def add_demo_commands(application: typer.Typer) -> None:
    """Add demo nation."""
    group = typer.Typer(no_args_is_help=True, help="See on one machine what usually takes many.")

    @group.callback()
    def hold_group() -> None:
        """See on one machine what usually takes many."""

    @group.command("nation")
    def run_nation(
        data: Annotated[
            Path | None,
            typer.Option("--data-directory", help="Where all of it is kept.", show_default="beside keisan's own"),
        ] = None,
        provinces: Annotated[int, typer.Option(min=1, max=PROVINCES_MAX, help="How many provinces.")] = PROVINCES_MAX,
        is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object when ready.")] = False,
        is_checking: Annotated[
            bool, typer.Option("--check", help="Check from outside that all agrees, print one JSON line, and end.")
        ] = False,
        sabotage: Annotated[
            str | None,
            typer.Option(help="With --check: usage, ledger, signature, route or unknown-as-zero, to be found out."),
        ] = None,
        cut: Annotated[
            tuple[str, str] | None,
            typer.Option(
                metavar="PROVINCE DURATION", help="Cut a province off once all are up, for example CN-SX 60s."
            ),
        ] = None,
    ) -> None:
        """Start a national platform and ten provincial ones as real processes that share nothing, until Ctrl-C.

        Each has a site with simulated devices, two have a real model on the CPU. The next start in the folder keeps all.
        """
        root = (data or find_data_directory().with_name("keisan-nation")).expanduser().absolute()
        if sabotage is not None and not is_checking:
            raise typer.BadParameter("it is only for --check", param_hint="--sabotage")
        if cut is not None and is_checking:
            raise typer.BadParameter("it is for watching, and not for --check", param_hint="--cut")
        chosen = {"is_json": is_json, "is_checking": is_checking, "sabotage": sabotage, "cut": cut}
        raise typer.Exit(_run({"root": root, "province_count": provinces, **chosen}))

    application.add_typer(group, name="demo", rich_help_panel="Processes")


def _run(chosen: Mapping[str, Any]) -> ExitCode:
    # Only for this command: the client library and the terminal's colours.
    from keisan.daemon.nation_start import NationOptions, start_nation

    try:
        return asyncio.run(start_nation(NationOptions(**chosen)))
    except KeisanError as fault:
        return tell_fault(fault)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
