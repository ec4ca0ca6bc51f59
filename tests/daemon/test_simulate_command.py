"""`keisan simulate fleet` on the command line: its options are listed, and what is wrong is told in one line."""

import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "keisan.daemon.main", "simulate", "fleet"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_option() -> None:
    told = run("--help").stdout
    for option in (
        "--regions",
        "--devices",
        "--rate",
        "--sites",
        "--seed",
        "--duration",
        "--cut",
        "--no-faults",
        "--json",
    ):
        assert option in told


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--regions", "40"), "expected 1 to 31 regions, got 40"), (("--rate", "soon"), "expected a duration like 10s")],
)
def test_what_is_wrong_is_told(options: tuple[str, ...], told: str) -> None:
    done = run("--url", "http://127.0.0.1:9", "--key", "sk-keisan-none", *options)
    assert done.returncode != 0
    assert told in done.stderr
