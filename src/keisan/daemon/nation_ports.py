"""Addresses of a nation's platforms: free ones, chosen once and kept, since provinces find the national platform by its own."""

import json
import socket
from contextlib import ExitStack
from pathlib import Path

from keisan.kit.private_file import write_private_file

HOST = "127.0.0.1"
# The last two are where a province dials that may be cut off.
NAMES = ("platform", "gateway", "link", "federation", "cable_link", "cable_federation")


def hold_ports(path: Path, held: ExitStack) -> dict[str, int]:
    """Return a port for each of NAMES, kept at `path`; raises OSError. One that somebody else has by now is chosen anew.

    Until `held` is closed the system gives them to nobody, while whoever is told one can listen there: a platform does so
    much later, and each connection out of this host takes a port meanwhile.
    """
    kept = _read(path)
    ports = {name: _hold(kept.get(name, 0), held) for name in NAMES}
    if ports != kept:
        write_private_file(path, json.dumps(ports).encode())
    return ports


def _hold(port: int, held: ExitStack) -> int:
    for wanted in (port, 0):
        try:
            holder = held.enter_context(_bind(wanted))
            taken: int = holder.getsockname()[1]
            # Whoever has it may let others bind there too, but not listen.
            with _bind(taken) as listener:
                listener.listen(1)
        except OSError:
            continue
        return taken
    raise OSError(f"there is no free port on {HOST}")


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): port for name, port in found.items() if isinstance(port, int)} if isinstance(found, dict) else {}
