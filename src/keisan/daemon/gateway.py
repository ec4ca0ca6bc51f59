"""Builds the gateway process from settings. It imports neither the API's framework nor a database."""

import asyncio
import resource
from pathlib import Path

from keisan.daemon.join_token import read_join_token
from keisan.daemon.memory import limit_threads, settle_objects
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import FederationSettings, GatewaySettings, Settings
from keisan.daemon.settings_address import Address
from keisan.gateway.certificate import AUTHORITIES_FILE, CERTIFICATE_FILE, KEY_FILE
from keisan.gateway.native import open_relay
from keisan.gateway.options import FederationOptions, GatewayOptions, Listener
from keisan.gateway.process import GatewayPorts, run_gateway
from keisan.kit.clock import SystemClock


async def serve_gateway(settings: Settings, stop: asyncio.Event) -> None:
    """Run the gateway until `stop` is set; raises as run_gateway does."""
    own = settings.gateway
    raise_open_files()
    limit_threads()

    def announce(host: str, port: int) -> None:
        settle_objects()
        scheme = "https" if own.certificate else "http"
        announce_ready(url=f"{scheme}://{Address(host, port)}")

    options = build_options(own, settings.data_directory / "gateway")
    await run_gateway(options, GatewayPorts(open_relay, SystemClock(), announce), stop)


def raise_open_files() -> None:
    """Allow as many open files as this user may: a call holds two sockets, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def build_options(own: GatewaySettings, folder: Path) -> GatewayOptions:
    """Return what the gateway room is told."""
    listener = Listener(own.listen.host, own.listen.port, own.certificate, own.certificate_key, own.handover_path)
    return GatewayOptions(
        platform_url=own.platform_url,
        ca_path=str(own.ca_path) if own.ca_path else None,
        folder=folder,
        name=own.name,
        join_token=read_join_token(own.join_token_path),
        listener=listener,
        upstream_ca_path=own.upstream_ca_path,
        federation=build_federation(own.federation, folder / "federation"),
        worker_threads=own.worker_threads,
        relay_limits=own.limits.model_dump(exclude_none=True),
        drain_s=own.drain_s,
        otlp_url=own.otlp_url,
        trace_sample_ppm=own.trace_sample_ppm,
    )


def build_federation(own: FederationSettings | None, folder: Path) -> FederationOptions:
    """Return how the gateway speaks with those of other platforms; `folder` is for what its platform gives it."""
    listen = None if own is None or own.listen is None else str(own.listen)
    parents = () if own is None else tuple(str(parent) for parent in own.parents)
    if own is not None and own.certificate and own.certificate_key and own.ca:
        return FederationOptions(own.certificate, own.certificate_key, own.ca, listen, parents)
    return FederationOptions(
        folder / CERTIFICATE_FILE, folder / KEY_FILE, folder / AUTHORITIES_FILE, listen, parents, is_given=True
    )
