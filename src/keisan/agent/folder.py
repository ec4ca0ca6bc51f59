"""The agent's data directory: what is where, private to its user, and used by one agent at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from keisan.domain.errors import SettingsInvalid, StateConflict
from keisan.domain.limits import UNIX_SOCKET_PATH_BYTES_MAX
from keisan.kit.private_file import create_private_folder

# The end of a UUIDv7 is 48 random bits: enough to tell the replicas of one site apart, and short for sun_path.
SHORT_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class AgentFolder:
    """Paths under one root; `run` holds sockets and configurations, all of running engines and of nothing else."""

    root: Path

    @property
    def identity_path(self) -> Path:
        """Who this agent is, and its secret."""
        return self.root / "identity.json"

    @property
    def state_path(self) -> Path:
        """What it was ordered and what it started."""
        return self.root / "state.json"

    @property
    def devices_path(self) -> Path:
        """Which devices this node was last known to have."""
        return self.root / "devices.json"

    @property
    def frame_numbers_path(self) -> Path:
        """Up to which number frames have been."""
        return self.root / "frames.json"

    @property
    def backlog(self) -> Path:
        """Frames that wait for the platform."""
        return self.root / "backlog"

    @property
    def inventory_path(self) -> Path:
        """Which number each device has in frames."""
        return self.root / "inventory.json"

    @property
    def nodes_path(self) -> Path:
        """Which other nodes have told of themselves."""
        return self.root / "nodes.json"

    @property
    def door_path(self) -> Path:
        """Whom the site's door lets in, and to which engines."""
        return self.root / "door.json"

    @property
    def run(self) -> Path:
        """Sockets and configurations of engines."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Logs of engines."""
        return self.root / "logs"

    @property
    def weights(self) -> Path:
        """Weight files by digest."""
        return self.root / "weights"

    def locate_socket(self, replica_id: UUID) -> Path:
        """Return where a replica's engine listens."""
        return self.run / f"{replica_id.hex[-SHORT_ID_DIGITS:]}.sock"

    def locate_config(self, replica_id: UUID) -> Path:
        """Return where a replica's engine reads its configuration."""
        return self.run / f"{replica_id.hex[-SHORT_ID_DIGITS:]}.json"

    def locate_log(self, replica_id: UUID) -> Path:
        """Return where a replica's engine writes."""
        return self.logs / f"{replica_id.hex[-SHORT_ID_DIGITS:]}.log"


def prepare_folder(root: Path) -> AgentFolder:
    """Return the data directory at `root`, made if missing.

    Raises SettingsInvalid when its path is too long for the sockets in it, or it cannot be made private.
    """
    folder = AgentFolder(root.absolute())
    spare_bytes = UNIX_SOCKET_PATH_BYTES_MAX - len(bytes(folder.locate_socket(UUID(int=0))))
    if spare_bytes < 0:
        room_bytes = len(bytes(folder.root)) + spare_bytes
        raise SettingsInvalid(
            f"expected a data directory whose path has at most {room_bytes} bytes, got {folder.root} with "
            f"{len(bytes(folder.root))}: the sockets in it could not be reached",
            "data_directory",
        )
    try:
        for path in (folder.root, folder.run, folder.logs, folder.weights):
            create_private_folder(path)
        # It may be older than this rule, or made by hand; whoever can enter it can call engines without a key (R9).
        folder.run.chmod(0o700)
    except OSError as failure:
        raise SettingsInvalid(f"the data directory cannot be used: {failure}", "data_directory") from failure
    return folder


@contextmanager
def lock_folder(folder: AgentFolder) -> Iterator[None]:
    """Hold the folder; the lock goes with the process, however it ends. Raises StateConflict when another agent has it."""
    descriptor = os.open(folder.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StateConflict(f"another agent runs in {folder.root}") from None
    try:
        yield
    finally:
        os.close(descriptor)
