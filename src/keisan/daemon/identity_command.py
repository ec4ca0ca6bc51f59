"""`keisan identity`: the keys of this host's platform, shown and rotated where they lie; no key leaves the host."""

import json
from typing import Annotated

import typer

from keisan.cli.exit_code import ExitCode
from keisan.daemon.command import ConfigOption, DataOption, read_settings
from keisan.daemon.folder import DataFolder
from keisan.daemon.serving import tell_fault
from keisan.domain.errors import KeisanError
from keisan.domain.key_chain import KeyChain

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_identity_commands(application: typer.Typer) -> None:
    """Add identity show and rotate."""
    room = typer.Typer(no_args_is_help=True, help="The keys of this machine's platform.")

    @room.command("show")
    def show(data: DataOption = None, config: ConfigOption = None, is_json: JsonOption = False) -> None:
        """Show the platform's id and its public keys, oldest first."""
        raise typer.Exit(_run(data, config, is_json=is_json, is_rotation=False))

    @room.command("rotate")
    def rotate(data: DataOption = None, config: ConfigOption = None, is_json: JsonOption = False) -> None:
        """Make a newer key, vouched for by the one before; the platform speaks with it from its next start on."""
        raise typer.Exit(_run(data, config, is_json=is_json, is_rotation=True))

    application.add_typer(room, name="identity")


def _run(data: DataOption, config: ConfigOption, *, is_json: bool, is_rotation: bool) -> ExitCode:
    path = DataFolder(read_settings(data, config, {}).data_directory).platform / "identity.pem"
    # Only for these commands: keys and their files.
    from keisan.daemon.platform_identity import read_identity, rotate_identity

    try:
        chain = rotate_identity(path) if is_rotation else read_identity(path).link.keys
    except KeisanError as fault:
        return tell_fault(fault)
    _tell(chain, is_json=is_json, is_rotation=is_rotation)
    return ExitCode.OK


def _tell(chain: KeyChain, *, is_json: bool, is_rotation: bool) -> None:
    keys = [key.hex() for key in chain.keys]
    if is_json:
        typer.echo(json.dumps({"platform_id": chain.platform_id, "public_keys": keys}))
        return
    typer.echo(f"platform {chain.platform_id}")
    for number, key in enumerate(keys):
        typer.echo(f"  key {number}: {key}")
    if is_rotation:
        typer.echo("Start the platform again: its neighbours learn of the newer key by themselves.")
