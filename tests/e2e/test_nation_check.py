"""`keisan demo nation --check` on real platforms: what agrees is told, and each sabotage is found by the check that is for it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_nation import list_processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
RUN_S_MAX = 400.0
FOUND_BY = {
    "usage": {"engine's own count"},
    "route": {"engine's own count", "served where the record says"},
    "ledger": {"books balance", "books derived again"},
    "signature": {"receipt", "books derived again"},
    "unknown-as-zero": {"unknown is not nought"},
}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """What is compiled is compiled once for all runs."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        found = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        yield found | {"PYTHONPYCACHEPREFIX": folder}


def run_check(environment: dict[str, str], *options: str) -> tuple[int, dict[str, Any]]:
    """Run a nation of two provinces in a folder of its own to its end; nothing of it may be left."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        root = Path(folder) / "nation"
        keisan = Path(sys.executable).with_name("keisan")
        command = [str(keisan), "demo", "nation", "--check", "--provinces", "2", "--data-directory", str(root)]
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
        )
        assert done.stdout.count("\n") == 1, done.stderr
        assert not list_processes(root)
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return done.returncode, told


def list_not_held(told: dict[str, Any]) -> dict[str, str]:
    return {line["name"]: line["said"] for line in told["checks"] if not line["held"]}


def test_all_agrees(environment: dict[str, str]) -> None:
    code, told = run_check(environment)
    assert list_not_held(told) == {}, told
    assert len(told["checks"]) == 11
    assert (code, told["held"], told["sabotage"]) == (0, True, None)


@pytest.mark.parametrize("sabotage", FOUND_BY)
def test_sabotage_is_found_out(sabotage: str, environment: dict[str, str]) -> None:
    code, told = run_check(environment, "--sabotage", sabotage)
    assert list_not_held(told).keys() == FOUND_BY[sabotage], list_not_held(told)
    assert (code, told["held"], told["sabotage"]) == (1, False, sabotage)
