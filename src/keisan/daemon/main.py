"""The console script `keisan`: the cli's commands, and those that run processes: up, platform, gateway, door, site, node.

A supervised process loads nothing of the command line but its own options, so that it starts quickly.
"""

import sys
from typing import TYPE_CHECKING

import typer

from keisan.daemon.command import add_ledger_commands, add_process_commands, add_up_command
from keisan.daemon.light_start import begin_imports

if TYPE_CHECKING:
    from keisan.cli.session import ConnectionOptions, Target

PROCESSES = frozenset({"platform", "gateway", "door", "site", "node"})


def main() -> None:
    """Run the command of sys.argv."""
    is_process = len(sys.argv) > 1 and sys.argv[1] in PROCESSES
    if is_process:
        begin_imports()
    application = typer.Typer(
        name="keisan",
        help="A federated AI-compute platform: many owners' compute as one pool behind one OpenAI-compatible API.",
        no_args_is_help=True,
        add_completion=not is_process,
        pretty_exceptions_enable=False,
    )
    add_process_commands(application)
    if not is_process:
        add_people_commands(application)
    application(obj=find_target)


def add_people_commands(application: typer.Typer) -> None:
    """Add what people use; a process does without, because it takes as long to import as a gateway takes to start."""
    # As the docstring says.
    from keisan.cli.application import add_commands

    # As above.
    from keisan.daemon.demo_command import add_demo_commands

    # As above.
    from keisan.daemon.identity_command import add_identity_commands

    # As above.
    from keisan.daemon.simulate_command import add_simulate_commands

    add_up_command(application)
    add_identity_commands(application)
    add_ledger_commands(application)
    add_commands(application)
    add_simulate_commands(application)
    add_demo_commands(application)


def find_target(options: "ConnectionOptions") -> "Target":
    """Return whom a command speaks to; raises KeisanError if nobody is known."""
    # Only commands of people ask.
    from keisan.daemon.connection import resolve_target

    return resolve_target(options)


if __name__ == "__main__":
    main()
