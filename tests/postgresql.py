"""A private PostgreSQL server for one test run: own data folder, unix socket only, never as root.

fsync is off: nothing here outlives the run, and no test asserts what survives a power cut.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.deadline import wait_until

START_S_MAX = 60.0
STOP_S_MAX = 30.0
SUPERUSER = "postgres"
SERVER_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A running server; `socket_folder` is where its unix socket is, `programs` where createdb is.

    `command` starts it, `processes` are its first process and those that came after it was killed.
    """

    socket_folder: Path
    programs: Path
    command: tuple[str, ...]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start it, also after it was killed; raises AssertionError if it does not take connections."""
        self._launch()

        def is_up() -> bool:
            # What is left of a server that was killed may hold its memory for a moment, and no other starts meanwhile.
            if self.processes[-1].poll() is not None:
                self._launch()
            return self.is_ready()

        wait_until(is_up, f"PostgreSQL starts (its log: {self._log})", START_S_MAX)

    async def start_beside(self) -> None:
        """Same, and lets the event loop run meanwhile."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        finally:
            # Nothing ends a thread: whoever stops the server waits for it.
            await starting

    def kill(self) -> None:
        """End it as `kill -9` does, with all its processes."""
        os.killpg(self.processes[-1].pid, signal.SIGKILL)
        self.processes[-1].wait(STOP_S_MAX)

    def format_url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database for the asyncpg driver."""
        return f"postgresql+asyncpg://{SUPERUSER}@/{database}?host={self.socket_folder}"

    def create_database(self, database: str) -> None:
        """Create an empty database."""
        self._run_program("createdb", "--template=template0", database)

    def drop_database(self, database: str) -> None:
        """Drop a database, and cut whoever is still connected to it."""
        self._run_program("dropdb", "--force", database)

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        command = [str(self.programs / "pg_isready"), "--quiet", f"--host={self.socket_folder}"]
        return subprocess.run(command, check=False, timeout=START_S_MAX).returncode == 0

    @property
    def _log(self) -> Path:
        return self.socket_folder / "log"

    def _launch(self) -> None:
        with self._log.open("ab") as output:
            self.processes.append(
                subprocess.Popen(
                    self.command, stdout=output, stderr=output, cwd=self.socket_folder, start_new_session=True
                )
            )

    def _run_program(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), f"--host={self.socket_folder}", f"--username={SUPERUSER}", *arguments]
        subprocess.run(command, check=True, timeout=START_S_MAX, capture_output=True)


def find_programs() -> Path | None:
    """Return the folder with initdb and postgres: the newest of Debian's, else that of PATH, else None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _format_launcher() -> list[str]:
    """Return what to put before a command so that it runs as a non-root user and dies with this process."""
    launcher = ["setpriv", "--pdeathsig=INT"]
    if os.geteuid() == 0:
        launcher += [f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}", "--clear-groups"]
    return [*launcher, "--"]


@contextmanager
def run_server(programs: Path, wanted: Sequence[str] = SERVER_OPTIONS) -> Iterator[PostgresqlServer]:
    """Start a server with options in a folder of its own and stop it at the end; raises AssertionError if it does not start."""
    # A short folder under /tmp, because the path of a unix socket ends at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="keisan-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, user=SUPERUSER)
    data = folder / "data"
    launcher = _format_launcher()
    try:
        initdb = [str(programs / "initdb"), f"--pgdata={data}", f"--username={SUPERUSER}"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([*launcher, *initdb], check=True, timeout=START_S_MAX, capture_output=True, cwd=folder)
        options = [part for option in wanted for part in ("-c", option)]
        command = (*launcher, str(programs / "postgres"), "-D", str(data), "-k", str(folder), *options)
        server = PostgresqlServer(folder, programs, command)
        server.start()
        try:
            yield server
        finally:
            server.processes[-1].send_signal(signal.SIGINT)
            server.processes[-1].wait(STOP_S_MAX)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
