"""What this host is: its hardware id, name, boot, processors and memory."""

import hashlib
import hmac
import socket
from pathlib import Path

import psutil

from keisan.wire.node import NodeReport

MACHINE_ID_PATHS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")
# machine-id(5): the id itself is confidential; what leaves the host is derived from it with a key of the application's own.
_APPLICATION_KEY = b"keisan node hardware id"


def read_node(made_id: str) -> NodeReport:
    """Return the facts of this host; `made_id` stands in for a machine id where the system has none (small containers)."""
    return NodeReport(
        hardware_id=derive_hardware_id(read_machine_id() or made_id),
        hostname=socket.gethostname() or "localhost",
        boot_id=BOOT_ID_PATH.read_text().strip(),
        cpu_count=count_cpus(),
        memory_bytes=psutil.virtual_memory().total,
    )


def read_machine_id(paths: tuple[Path, ...] = MACHINE_ID_PATHS) -> str:
    """Return systemd's machine id, empty where there is none."""
    for path in paths:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text and text != "uninitialized":
            return text
    return ""


def derive_hardware_id(machine_id: str) -> str:
    """Return 32 hex digits that stand for this host and do not tell its machine id."""
    return hmac.new(_APPLICATION_KEY, machine_id.encode(), hashlib.sha256).hexdigest()[:32]


def count_cpus() -> int:
    """Return how many processors this process may run on."""
    return len(psutil.Process().cpu_affinity()) or 1
