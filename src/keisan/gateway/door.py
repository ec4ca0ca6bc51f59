"""The process of a site's door (R9): it lets gateways through to the engines' sockets, and knows no platform.

Whom it lets in stands in a file that the site's agent writes; the compiled part looks at it with every request.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from keisan.domain.errors import SettingsInvalid
from keisan.gateway.options import Listener, format_path
from keisan.kit.observe import write_log


class Door(Protocol):
    """What the shell needs of the door; keisan._native.Door is the one implementation. Calls may block."""

    def start(self) -> tuple[str, int]:
        """Bind, begin to answer, and return host and port.

        Raises ValueError for unusable certificates, RuntimeError if it cannot bind.
        """
        ...

    def drain(self, timeout_s: float) -> bool:
        """Accept no more and wait for the open calls; return whether all ended in time."""
        ...

    def stop(self) -> None:
        """End everything that is still open and release the address."""
        ...

    def stats(self) -> str:
        """Return counters as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """`access_path` is the agent's file; `limits` are those of the door's options, by name."""

    listener: Listener
    access_path: Path
    worker_threads: int = 1
    limits: Mapping[str, int] = field(default_factory=dict)
    drain_s: float = 30.0


@dataclass(frozen=True, slots=True)
class DoorPorts:
    """What the process takes from outside: the door itself, and whom to tell host and port once it answers."""

    open_door: Callable[[str], Door]
    announce: Callable[[str, int], None]


def format_door_options(options: DoorOptions) -> str:
    """Return the door's options as JSON (schema: keisan._native.Door)."""
    listener = options.listener
    return json.dumps(
        {
            "listen_host": listener.host,
            "listen_port": listener.port,
            "certificate_path": format_path(listener.certificate_path),
            "certificate_key_path": format_path(listener.certificate_key_path),
            "access_path": str(options.access_path),
            "worker_threads": options.worker_threads,
            "limits": dict(options.limits),
        }
    )


async def run_door(options: DoorOptions, ports: DoorPorts, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain, bounded in time; raises SettingsInvalid for an option or the address."""
    try:
        door = ports.open_door(format_door_options(options))
    except ValueError as fault:
        raise SettingsInvalid(f"the door refuses its options:\n{fault}", "door") from fault
    try:
        host, port = await asyncio.to_thread(door.start)
        write_log("door.listening", host=host, port=port, access_fault=json.loads(door.stats())["access_fault"])
        ports.announce(host, port)
        await stop.wait()
        write_log("door.stopped", is_drained=await asyncio.to_thread(door.drain, options.drain_s))
    except (ValueError, RuntimeError) as fault:
        raise SettingsInvalid(f"the door cannot listen: {fault}", "door.listen") from fault
    finally:
        await asyncio.to_thread(door.stop)
