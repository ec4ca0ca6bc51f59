"""Platforms as real processes in networks of their own, joined by what people type, and letters that wait on their disks."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from keisan.control.context import Control
from keisan.control.letter import build_draft, send_letters
from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.platform_identity import ensure_identity
from keisan.domain.ids import PlatformId
from keisan.domain.letter import LetterKind
from keisan.kit.clock import SystemClock
from keisan.storage.cross_record import cross_record
from keisan.storage.database import Database
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from tests.deadline import wait_until
from tests.e2e.federation.network import Place, lay_network
from tests.e2e.stack import Program
from tests.storage.rows import fetch_rows

API_PORT, LINK_PORT = 8080, 9443
START_S_MAX, JOIN_S_MAX, COMMAND_S_MAX = 90.0, 90.0, 60
REGIONS = {"sx": "CN-SX", "sh": "CN-SH"}


@dataclass(slots=True)
class Province:
    """A platform process in its namespace."""

    name: str
    place: Place
    folder: DataFolder
    process: subprocess.Popen[bytes] | None = None
    # Of PostgreSQL; None for a file.
    database_url: str | None = None

    @property
    def url(self) -> str:
        return f"http://{self.place.outside}:{API_PORT}"

    @property
    def api_key(self) -> str:
        return str(json.loads(self.folder.operator_path.read_text())["api_key"])

    @property
    def database(self) -> Path:
        return self.folder.platform / "keisan.db"

    @property
    def platform_id(self) -> PlatformId:
        return ensure_identity(self.folder.platform / "identity.pem").link.platform_id

    def start(self) -> None:
        """Start the process; `wait` waits until it answers."""
        command = [*self.place.prefix, sys.executable, "-m", "keisan.daemon.main", "platform"]
        command += ["--data", str(self.folder.root), "--config", str(self.folder.root / "keisan.toml")]
        with (self.folder.root / "log").open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=Program().build_environment(), start_new_session=True
            )

    def wait(self) -> None:
        def answers() -> bool:
            self.check()
            try:
                return httpx.get(f"{self.url}/api/v1/healthz", trust_env=False, timeout=2).is_success
            except httpx.HTTPError:
                return False

        wait_until(answers, f"{self.name} answers", START_S_MAX)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def type(self, *words: str) -> Any:
        """Type a command against this platform, and return what it told as JSON and its exit code."""
        command = [
            sys.executable,
            "-m",
            "keisan.daemon.main",
            *words,
            "--json",
            "--url",
            self.url,
            "--key",
            self.api_key,
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=COMMAND_S_MAX,
            env=Program().build_environment(),
        )
        assert done.stdout, done.stderr.decode()
        return json.loads(done.stdout), done.returncode

    def ask(self, path: str, method: str = "GET", body: Mapping[str, object] | None = None) -> Any:
        """Ask the API as the operator."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        answer = httpx.request(
            method, f"{self.url}/api/v1{path}", headers=headers, json=body, timeout=60, trust_env=False
        )
        assert answer.is_success, answer.text
        return answer.json()

    def read_log(self) -> list[dict[str, Any]]:
        """Return the lines of the process's log that are JSON."""
        lines = (self.folder.root / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def count_closed(self, code: str) -> int:
        """Return how many connections ended for a reason."""
        return sum(line.get("event") == "link.closed" and line.get("code") == code for line in self.read_log())

    def count_kept(self) -> tuple[int, int]:
        """Return how many letters that came are kept, and how many different ones."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as connection:
            found = connection.execute("SELECT count(*), count(DISTINCT letter_id) FROM incoming_letter").fetchone()
        return int(found[0]), int(found[1])

    def check(self) -> None:
        """Raise AssertionError if the process has ended by itself."""
        assert self.process is not None
        ended = self.process.poll()
        assert ended is None, f"{self.name} ended with {ended}: {(self.folder.root / 'log').read_text()[-3000:]}"

    def open_storage(self) -> Database:
        """Open its database beside its process; the caller closes it."""
        clock = SystemClock()
        return (
            open_sqlite(self.database, clock)
            if self.database_url is None
            else open_postgresql(self.database_url, clock)
        )

    async def list_crossed(self) -> list[tuple[str, str, str]]:
        """Return what either end says of calls across platforms, as it is kept here: record id, end, and state."""
        columns = cross_record.c
        storage = self.open_storage()
        try:
            found = await fetch_rows(storage, select(columns.record_id, columns.end, columns.state))
        finally:
            await storage.close()
        return [(str(record_id), end, state) for record_id, end, state in found]

    async def write_letters(self, audience: PlatformId, number: int) -> None:
        """Write letters to another platform on this one's disk, beside its process, each in a transaction of its own."""
        clock, identity = SystemClock(), ensure_identity(self.folder.platform / "identity.pem")
        storage = self.open_storage()
        control = Control(
            storage, clock, identity.link.platform_id, signer=identity.link.signer, identity=identity.link
        )
        try:
            for count in range(number):
                async with storage.write() as transaction:
                    draft = build_draft(control, LetterKind.EVENT, f"{self.name} {count}".encode(), audience)
                    await send_letters(transaction, control, [draft])
        finally:
            await storage.close()


@dataclass(frozen=True, slots=True)
class Land:
    """A nation and its provinces."""

    nation: Province
    provinces: Sequence[Province]

    @property
    def all(self) -> tuple[Province, ...]:
        return self.nation, *self.provinces

    def is_connected(self, province: Province) -> bool:
        """Tell whether a province answers the nation's questions over its link now."""
        found = self.nation.ask("/links/check")["findings"]
        return all(each["state"] != "unknown" for each in found if each["neighbour"] == province.name)


def measure_s(is_met: Callable[[], bool], what: str, deadline_s: float) -> float:
    """Return after how many seconds it is so."""
    begun_s = time.monotonic()
    wait_until(is_met, what, deadline_s)
    return time.monotonic() - begun_s


@contextmanager
def run_land(root: Path) -> Iterator[Land]:
    """Start a nation and two provinces, joined; end everything afterwards."""
    with lay_network(("cn", *REGIONS)) as places:
        members = {name: Province(name, place, prepare_folder(root / name)) for name, place in places.items()}
        land = Land(members["cn"], tuple(members[name] for name in REGIONS))
        try:
            for member in land.all:
                (member.folder.root / "keisan.toml").write_text(_write_settings(member))
                member.start()
            for member in land.all:
                member.wait()
            for province in land.provinces:
                join_province(land.nation, province)
            yield land
        finally:
            for member in land.all:
                member.kill()


def _write_settings(member: Province) -> str:
    own = f'[platform]\nname = "{member.name}"\nlisten = "0.0.0.0:{API_PORT}"\ninsecure = true\n'
    if member.name in REGIONS:
        return own
    return own + f'kind = "national"\n\n[platform.link]\nlisten = "{member.place.address}:{LINK_PORT}"\n'


def join_province(nation: Province, province: Province) -> None:
    """Join a province by what people type."""
    url = f"http://{nation.place.address}:{API_PORT}"
    invited, _ = nation.type("federation", "invite", "--region", REGIONS[province.name], "--parent-url", url)
    province.type("federation", "join", invited["token"])

    def find() -> Any:
        links = nation.ask("/links")["items"]
        return next((each for each in links if each["neighbour_id"] == province.platform_id), None)

    wait_until(lambda: find() is not None, f"{province.name} has asked", JOIN_S_MAX)
    approved, code = nation.type("federation", "approve", find()["id"], "--prefix", province.name)
    assert (code, approved["state"]) == (0, "joined")
