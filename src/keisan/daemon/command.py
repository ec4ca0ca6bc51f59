"""The commands that run processes, and their options; each builds its process only when it is called."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer

from keisan.cli.exit_code import ExitCode
from keisan.daemon.folder import lock_folder, prepare_folder
from keisan.daemon.memory import prepare_allocators
from keisan.daemon.serving import run_process, tell_fault
from keisan.daemon.settings import Settings, load_settings
from keisan.domain.errors import KeisanError, SettingsInvalid

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data directory.", show_default="~/.local/share/keisan")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
LogOption = Annotated[Path | None, typer.Option("--log", help="Log file, bounded; standard error without it.")]
ListenOption = Annotated[str | None, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one.")]
PlatformUrlOption = Annotated[str | None, typer.Option("--platform-url", help="Where the platform answers.")]
TokenOption = Annotated[Path | None, typer.Option("--join-token", help="File with the one-time join token.")]
CaOption = Annotated[Path | None, typer.Option("--ca", help="Certificate to trust when calling the platform.")]
CertificateOption = Annotated[Path | None, typer.Option("--certificate", help="Certificate chain (PEM).")]
CertificateKeyOption = Annotated[Path | None, typer.Option("--certificate-key", help="Key of the certificate (PEM).")]
UpstreamCaOption = Annotated[Path | None, typer.Option("--upstream-ca", help="Certificate to trust at doors of sites.")]
SiteOption = Annotated[Path | None, typer.Option("--site", help="The agent's directory.", show_default="DATA/site")]
DoorUrlOption = Annotated[str | None, typer.Option("--door-url", help="Where gateways find the site's door.")]
DoorCaOption = Annotated[Path | None, typer.Option("--door-ca", help="Certificates to trust at the site's door.")]
InsecureOption = Annotated[bool, typer.Option("--insecure", help="Listen beyond this host without a certificate.")]
Table = dict[str, object]
PANEL = "Processes"


def find_data_directory() -> Path:
    """Return the data directory that is used when none is named (XDG base directories)."""
    home = os.environ.get("XDG_DATA_HOME")
    return Path(home) / "keisan" if home else Path.home() / ".local" / "share" / "keisan"


def read_settings(data: Path | None, config: Path | None, tables: dict[str, Table]) -> Settings:
    """Return the settings of a process; raises typer.Exit with 2, all faults printed, when there are any."""
    options: Table = {name: {key: value for key, value in table.items() if value} for name, table in tables.items()}
    if data is not None:
        options["data_directory"] = data
    try:
        return load_settings(options, os.environ, config, {"data_directory": find_data_directory()})
    except SettingsInvalid as fault:
        raise typer.Exit(tell_fault(fault)) from fault


def add_process_commands(application: typer.Typer) -> None:
    """Add platform, gateway, door, site and node."""
    _add_platform_command(application)
    _add_gateway_command(application)
    _add_door_command(application)
    _add_site_command(application)
    _add_node_command(application)


def _add_platform_command(application: typer.Typer) -> None:
    @application.command("platform", rich_help_panel=PANEL)
    def run_platform(
        data: DataOption = None,
        config: ConfigOption = None,
        log: LogOption = None,
        listen: ListenOption = None,
        certificate: CertificateOption = None,
        certificate_key: CertificateKeyOption = None,
        insecure: InsecureOption = False,
    ) -> None:
        """Run the control plane: API and reconcilers."""
        listener = _list_listener(listen, certificate, certificate_key, insecure)
        settings = read_settings(data, config, {"platform": listener})
        # Each process imports its own rooms and no others: the API's take as long as all else together.
        import uvloop

        # As above.
        from keisan.daemon.platform import serve_platform

        def serve(stop: asyncio.Event) -> Coroutine[None, None, None]:
            return serve_platform(settings, stop)

        raise typer.Exit(run_process("platform", serve, settings.log_level, log, uvloop.new_event_loop))


def _add_gateway_command(application: typer.Typer) -> None:
    @application.command("gateway", rich_help_panel=PANEL)
    def run_gateway(
        data: DataOption = None,
        config: ConfigOption = None,
        log: LogOption = None,
        listen: ListenOption = None,
        platform_url: PlatformUrlOption = None,
        join_token: TokenOption = None,
        ca: CaOption = None,
        upstream_ca: UpstreamCaOption = None,
        certificate: CertificateOption = None,
        certificate_key: CertificateKeyOption = None,
        insecure: InsecureOption = False,
    ) -> None:
        """Run a gateway: /v1 for clients."""
        table = _list_listener(listen, certificate, certificate_key, insecure) | _list_link(
            platform_url, join_token, ca
        )
        table["upstream_ca_path"] = upstream_ca
        settings = read_settings(data, config, {"gateway": table})
        prepare_allocators()
        # As above.
        from keisan.daemon.gateway import serve_gateway

        raise typer.Exit(run_process("gateway", lambda stop: serve_gateway(settings, stop), settings.log_level, log))


def _add_door_command(application: typer.Typer) -> None:
    @application.command("door", rich_help_panel=PANEL)
    def run_door(
        data: DataOption = None,
        config: ConfigOption = None,
        log: LogOption = None,
        listen: ListenOption = None,
        site: SiteOption = None,
        certificate: CertificateOption = None,
        certificate_key: CertificateKeyOption = None,
        insecure: InsecureOption = False,
    ) -> None:
        """Run a site's door: the way to its engines for gateways on other hosts."""
        table = _list_listener(listen, certificate, certificate_key, insecure) | {"site_directory": site}
        settings = read_settings(data, config, {"door": table})
        prepare_allocators()
        # As above.
        from keisan.daemon.door import serve_door

        raise typer.Exit(run_process("door", lambda stop: serve_door(settings, stop), settings.log_level, log))


def _add_site_command(application: typer.Typer) -> None:
    @application.command("site", rich_help_panel=PANEL)
    def run_site(
        data: DataOption = None,
        config: ConfigOption = None,
        log: LogOption = None,
        platform_url: PlatformUrlOption = None,
        join_token: TokenOption = None,
        ca: CaOption = None,
        door_url: DoorUrlOption = None,
        door_ca: DoorCaOption = None,
        stop_replicas: Annotated[bool, typer.Option("--stop-replicas", help="End engines with the agent.")] = False,
    ) -> None:
        """Run a site's agent: devices and engines."""
        table = _list_link(platform_url, join_token, ca) | {
            "door_url": door_url,
            "door_ca_path": door_ca,
            "stop_replicas_on_exit": stop_replicas,
        }
        settings = read_settings(data, config, {"site": table})
        # As above.
        from keisan.daemon.site import serve_site

        raise typer.Exit(run_process("site", lambda stop: serve_site(settings, stop), settings.log_level, log))


def _add_node_command(application: typer.Typer) -> None:
    @application.command("node", rich_help_panel=PANEL)
    def run_node(
        data: DataOption = None,
        config: ConfigOption = None,
        log: LogOption = None,
        site_url: Annotated[str | None, typer.Option("--site-url", help="Where the site's agent listens.")] = None,
        secret: Annotated[Path | None, typer.Option("--secret", help="File with the secret of its nodes.")] = None,
        ca: Annotated[Path | None, typer.Option("--ca", help="Certificate to trust at the site's agent.")] = None,
    ) -> None:
        """Tell a site's agent of this host's devices; for sites of many hosts, on each but the agent's own."""
        table: Table = {"site_url": site_url, "secret_path": secret, "ca_path": ca}
        settings = read_settings(data, config, {"node": table})
        # As above.
        from keisan.daemon.node import serve_node

        raise typer.Exit(run_process("node", lambda stop: serve_node(settings, stop), settings.log_level, log))


def add_up_command(application: typer.Typer) -> None:
    """Add up."""

    @application.command("up", rich_help_panel=PANEL)
    def up(
        data: DataOption = None,
        config: ConfigOption = None,
        gateway: Annotated[str | None, typer.Option(help="HOST:PORT of the gateway; port 0 takes a free one.")] = None,
        platform: Annotated[str | None, typer.Option(help="HOST:PORT of the platform; port 0: a free one.")] = None,
        certificate: CertificateOption = None,
        certificate_key: CertificateKeyOption = None,
        insecure: InsecureOption = False,
        is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object when ready.")] = False,
    ) -> None:
        """Start a whole platform on this machine and keep it running until Ctrl-C."""
        shared = _list_listener(None, certificate, certificate_key, insecure)
        tables = {"gateway": {**shared, "listen": gateway}, "platform": {**shared, "listen": platform}}
        settings = read_settings(data, config, tables)
        options: list[str] = ["--config", str(config.absolute())] if config else []
        raise typer.Exit(_run_up(settings, tuple(options), is_json))


def add_ledger_commands(application: typer.Typer) -> None:
    """Add what works on the ledger itself."""
    room = typer.Typer(no_args_is_help=True, help="The books of this machine's platform.")

    @room.callback()
    def hold_room() -> None:
        """The books of this machine's platform."""

    @room.command("audit")
    def audit(
        data: DataOption = None,
        config: ConfigOption = None,
        is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Derive every balance and every root again from raw records, and name the first difference."""
        settings = read_settings(data, config, {})
        # Only for this command: storage and the ledger.
        from keisan.daemon.audit import run_audit

        raise typer.Exit(_run_local(run_audit(settings, is_json=is_json)))

    @room.command("retention")
    def retention(
        data: DataOption = None,
        config: ConfigOption = None,
        is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show what would be deleted, and why what is held is held; nothing is changed."""
        settings = read_settings(data, config, {})
        # As above.
        from keisan.daemon.retention import run_retention

        raise typer.Exit(_run_local(run_retention(settings, is_json=is_json)))

    application.add_typer(room, name="ledger")


def _run_local(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run what works on the database itself, and tell what is wrong in one line."""
    try:
        return asyncio.run(work)
    except KeisanError as fault:
        return tell_fault(fault)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _run_up(settings: Settings, options: tuple[str, ...], is_json: bool) -> ExitCode:
    # Only for this command: the client library and the terminal's colours.
    from keisan.daemon.up import start_up

    try:
        folder = prepare_folder(settings.data_directory)
        with lock_folder(folder):
            return asyncio.run(start_up(settings, folder, options, is_json))
    except KeisanError as fault:
        return tell_fault(fault)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _list_listener(listen: str | None, certificate: Path | None, certificate_key: Path | None, insecure: bool) -> Table:
    return {"listen": listen, "certificate": certificate, "certificate_key": certificate_key, "insecure": insecure}


def _list_link(platform_url: str | None, join_token: Path | None, ca: Path | None) -> Table:
    return {"platform_url": platform_url, "join_token_path": join_token, "ca_path": ca}
