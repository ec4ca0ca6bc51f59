"""The data directory of `keisan up`: what is where, and the lock that keeps a second one out."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keisan.domain.errors import SettingsInvalid, StateConflict
from keisan.kit.private_file import create_private_folder


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths under one root; each process has a folder of its own, and only its own user may enter any."""

    root: Path

    @property
    def operator_path(self) -> Path:
        """What the command line reads by default: both URLs and the operator's key."""
        return self.root / "operator.json"

    @property
    def platform(self) -> Path:
        """The control plane's identity, database and first start."""
        return self.root / "platform"

    @property
    def archive(self) -> Path:
        """Usage records as Parquet files, unless the settings say where else; made with the first one."""
        return self.root / "archive"

    @property
    def history(self) -> Path:
        """The journal of frames, and history's files unless the settings say where else; made with the first frame."""
        return self.root / "history"

    @property
    def gateway(self) -> Path:
        """The gateway's identity, snapshot and spool."""
        return self.root / "gateway"

    @property
    def site(self) -> Path:
        """The agent's identity, sockets and weights."""
        return self.root / "site"

    @property
    def processes(self) -> Path:
        """One file per living child: who it is."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One bounded log per child."""
        return self.root / "logs"

    def locate_log(self, name: str) -> Path:
        """Return where a child's log is."""
        return self.logs / f"{name}.log"

    def locate_join_token(self, name: str) -> Path:
        """Return where the one-time token of the gateway or the site is kept."""
        return self.root / name / "join_token"


def prepare_folder(root: Path) -> DataFolder:
    """Return the data directory at `root`, made if missing; raises SettingsInvalid if it cannot be."""
    folder = DataFolder(root.expanduser().absolute())
    try:
        for path in (folder.root, folder.platform, folder.gateway, folder.site, folder.processes, folder.logs):
            create_private_folder(path)
    except OSError as fault:
        raise SettingsInvalid(f"the data directory cannot be used: {fault}", "data_directory") from fault
    return folder


@contextmanager
def lock_folder(folder: DataFolder) -> Iterator[None]:
    """Hold the folder; the lock goes with the process, however it ends. Raises StateConflict if another has it."""
    descriptor = os.open(folder.root / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateConflict(f"another `keisan up` runs in {folder.root}; stop it, or choose --data") from None
        yield
    finally:
        os.close(descriptor)
