"""A real platform process on a database of the test's choice: killed and started again as the test wants."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keisan.daemon.folder import DataFolder, prepare_folder
from tests.deadline import wait_until
from tests.e2e.stack import Program

START_S_MAX = 60.0
# Characters: a fault and what it came of.
LOG_SHOWN = 20_000
# The key of the tests' own platform.
PLATFORM_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


class Platform:
    """A platform process that may be killed and started again; by default always on another port."""

    def __init__(
        self, folder: DataFolder, listen: str = "127.0.0.1:0", environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder, self._listen = folder, listen
        # Without what a person may have set for keisan, or for the tests.
        self._environment = Program().build_environment() | dict(environment or {})
        self.url = ""
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start it and wait until it says where it answers."""
        log = self._log
        command = [sys.executable, "-m", "keisan.daemon.main", "platform", "--data", str(self._folder.root)]
        command += ["--config", str(self._folder.root / "keisan.toml"), "--listen", self._listen]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=self._environment, start_new_session=True
            )

        def find_url() -> bool:
            self.check()
            said = [line for line in log.read_text().splitlines() if '"ready"' in line or "http://127.0.0.1:" in line]
            urls = [word.strip('",}') for line in said for word in line.split() if "http://127.0.0.1:" in word]
            self.url = urls[-1] if urls else ""
            return bool(urls)

        wait_until(find_url, f"the platform answers (its log: {log})", START_S_MAX)

    def check(self) -> None:
        """Raise AssertionError if it has ended, which it does only when it is killed."""
        ended = self.process.poll()
        assert ended is None, f"the platform ended with {ended}:\n{self._log.read_text()[-LOG_SHOWN:]}"

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    @property
    def _log(self) -> Path:
        return self._folder.root / "log"


def prepare_data(root: Path, url: str) -> DataFolder:
    """Make a data directory for a platform whose books are planted already."""
    folder = prepare_folder(root)
    pem = PLATFORM_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder.platform / "identity.pem").write_bytes(pem)
    (folder.platform / "identity.pem").chmod(0o600)
    (root / "keisan.toml").write_text(f"[platform]\ndatabase_url = {json.dumps(url)}\n")
    return folder
