"""`keisan demo nation --cut` as a person uses it, with two provinces: cut, healed and converged; and Ctrl-C in a cut leaves no rule."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.deadline import wait_until
from tests.e2e.test_nation import STOP_S_MAX, list_processes, plant_all_weights

pytestmark = [pytest.mark.e2e, pytest.mark.waits, pytest.mark.timeout(600)]
READY_S_MAX, CUT_S_MAX, TOLD_S_MAX = 240.0, 60.0, 150.0


@dataclass(frozen=True, slots=True)
class Run:
    """A running nation with what it has printed; `screen` is for people."""

    process: subprocess.Popen[bytes]
    output: Path
    screen: Path

    def wait_for(self, text: str, wait_s: float) -> None:
        def is_told() -> bool:
            assert self.process.poll() is None, self.screen.read_text()
            return text in self.screen.read_text()

        wait_until(is_told, f"{text!r} is told (see {self.screen})", wait_s)


@contextmanager
def run_cut(root: Path, *cut: str) -> Iterator[Run]:
    keisan = Path(sys.executable).with_name("keisan")
    command = [str(keisan), "demo", "nation", "--json", "--provinces", "2", "--data-directory", str(root)]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
    output, screen = root.parent / "out", root.parent / "screen"
    plant_all_weights(root)
    with output.open("wb") as out, screen.open("wb") as shown:
        process = subprocess.Popen(
            [*command, "--cut", *cut], stdout=out, stderr=shown, env=environment, start_new_session=True
        )
    try:
        yield Run(process, output, screen)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(STOP_S_MAX)


def list_tables() -> str:
    if os.geteuid() != 0 or shutil.which("nft") is None:
        return ""
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False, timeout=20).stdout


def count_silences(folder: Path, begun_at: datetime, ended_at: datetime) -> int:
    """Return how often a province's platform found its link to the nation silent between two moments."""
    lines = (folder / "logs" / "platform.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    silences = [each for each in told if each["event"] == "link.closed" and each["code"] == "silent"]
    return sum(begun_at <= datetime.fromisoformat(each["time"]) <= ended_at for each in silences)


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_province_is_cut_off_and_comes_back_while_one_watches() -> None:
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        root = Path(folder) / "nation"
        with run_cut(root, "CN-SX", "20s") as run:
            run.wait_for("CN-SX is cut off for 20 s", READY_S_MAX)
            cut_at = datetime.now(UTC)
            run.wait_for("CN-SX is healed", CUT_S_MAX)
            healed_at = datetime.now(UTC)
            run.wait_for("converged", TOLD_S_MAX)
            wait_until(lambda: run.output.read_text().count("\n") == 2, "it is told as JSON")
            _, told = read_lines(run.output)
        assert run.process.returncode == 0, run.screen.read_text()
        assert count_silences(root / "CN-SX", cut_at, healed_at) >= 1, "the platforms' own link was cut"
        assert count_silences(root / "CN-LN", cut_at, healed_at) == 0
        assert (told["cut"], told["broken"]) == ("CN-SX", [])
        assert [phase["name"] for phase in told["phases"]] == ["before", "cut", "healed"]
        inside = [phase["inside"] for phase in told["phases"]]
        assert {name for counts in inside for name in counts} == {"answered"}, "calls inside the province never notice"
        assert inside[1]["answered"] >= 1
        assert not list_processes(root)
        assert "keisan_cut" not in list_tables()
        with run_cut(root, "CN-LN", "5m") as run:
            run.wait_for("CN-LN is cut off for 300 s", READY_S_MAX)
        assert run.process.returncode == 0, run.screen.read_text()
        assert not list_processes(root)
        assert "keisan_cut" not in list_tables(), "Ctrl-C in a cut leaves no rule behind"
