"""Builds the agent of a node from settings, and the listener of a site's agent for those of its nodes."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from keisan.agent.node_loop import NodeAgentSettings, run_node
from keisan.daemon.device import build_drivers
from keisan.daemon.server import Server, build_config
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import Settings, SiteNodesSettings
from keisan.daemon.settings_address import Address
from keisan.domain.errors import SettingsInvalid
from keisan.domain.key import Secret
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.observe import write_log

# 128 bits as hex digits; what is shorter may be guessed.
SECRET_CHARACTERS_MIN: Final = 32
CONNECTIONS_MAX: Final = 16_384


def read_nodes_secret(path: Path | None) -> Secret:
    """Return what the nodes of a site show its agent; raises SettingsInvalid without one that will do, and does not quote it."""
    if path is None:
        raise SettingsInvalid("node.secret_path: expected a file with the secret of the site's nodes, got nothing")
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsInvalid(
            f"{path}: expected a file with a secret that can be read", inside=type(fault).__name__
        ) from None
    if len(text) < SECRET_CHARACTERS_MIN or not (text.isascii() and text.isprintable() and " " not in text):
        raise SettingsInvalid(
            f"{path}: expected a secret of at least {SECRET_CHARACTERS_MIN} visible ASCII characters, got something else"
        )
    return Secret(text)


class UvicornNodeListener:
    """Serves the routes for nodes on a bound socket, with the certificate that the settings name.

    Raises SettingsInvalid for one that it cannot show.
    """

    def __init__(self, own: SiteNodesSettings, listener: socket.socket, clock: Clock) -> None:
        self._own = own
        self._listener = listener
        self._clock = clock
        # Here, before any engine is started, and not when the first node calls.
        build_config(Starlette(), own, "site.nodes")

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._listener.getsockname()[:2]
        return f"{'http' if self._own.certificate is None else 'https'}://{Address(host, port)}"

    async def serve(self, routes: Starlette, stop: asyncio.Event) -> None:
        """Answer until `stop` is set."""
        config = build_config(routes, self._own, "site.nodes", CONNECTIONS_MAX)
        write_log("nodes.listening", url=self.url)
        server = Server(config)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(server.follow_certificate(self._clock))
            await server.answer(self._listener, stop)
            following.cancel()


async def serve_node(settings: Settings, stop: asyncio.Event) -> None:
    """Run a node's agent until `stop` is set; raises SettingsInvalid for settings that cannot be, and what run_node does."""
    own = settings.node
    clock = SystemClock()
    told = NodeAgentSettings(
        site_url=own.site_url,
        secret=read_nodes_secret(own.secret_path),
        data_directory=settings.data_directory / "node",
        ca_path=str(own.ca_path) if own.ca_path else None,
        machine_id=own.machine_id,
    )
    drivers = build_drivers(os.environ, clock, own.simulated, "node")
    announce_ready(site_url=own.site_url)
    await run_node(told, drivers, clock, stop)
