"""Builds the door process from settings. It needs nothing but the file that the site's agent keeps beside its state."""

import asyncio
from pathlib import Path

from keisan.agent.folder import AgentFolder
from keisan.daemon.gateway import raise_open_files
from keisan.daemon.memory import limit_threads, settle_objects
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import DoorSettings, Settings
from keisan.daemon.settings_address import Address
from keisan.gateway.door import DoorOptions, DoorPorts, run_door
from keisan.gateway.native import open_door
from keisan.gateway.options import Listener


async def serve_door(settings: Settings, stop: asyncio.Event) -> None:
    """Run the door until `stop` is set; raises as run_door does."""
    own = settings.door
    raise_open_files()
    limit_threads()

    def announce(host: str, port: int) -> None:
        settle_objects()
        scheme = "https" if own.certificate else "http"
        announce_ready(url=f"{scheme}://{Address(host, port)}")

    options = build_door_options(own, own.site_directory or settings.data_directory / "site")
    await run_door(options, DoorPorts(open_door, announce), stop)


def build_door_options(own: DoorSettings, site_directory: Path) -> DoorOptions:
    """Return what the gateway room is told of the door to the site whose agent keeps its state in `site_directory`."""
    return DoorOptions(
        listener=Listener(own.listen.host, own.listen.port, own.certificate, own.certificate_key),
        access_path=AgentFolder(site_directory.absolute()).door_path,
        worker_threads=own.worker_threads,
        limits=own.limits.model_dump(exclude_none=True),
        drain_s=own.drain_s,
    )
