"""`keisan demo nation` on the command line: its options are listed, and what is wrong is told."""

import subprocess
import sys
from pathlib import Path

OPTIONS = ("--data-directory", "--provinces", "--json", "--check", "--sabotage", "--cut")
COMMAND = [sys.executable, "-m", "keisan.daemon.main", "demo", "nation"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_option() -> None:
    told = run("--help").stdout
    assert [option for option in OPTIONS if option not in told] == []


def test_there_are_ten_provinces() -> None:
    done = run("--provinces", "11")
    assert (done.returncode, "--provinces" in done.stderr) == (2, True)


def test_sabotage_without_a_check_is_refused() -> None:
    done = run("--sabotage", "usage")
    assert (done.returncode, "only for --check" in done.stderr) == (2, True)


def test_cut_is_for_watching() -> None:
    done = run("--check", "--cut", "CN-SX", "60s")
    assert (done.returncode, "for watching" in done.stderr) == (2, True)


def test_cut_of_what_is_not_there_names_its_option(tmp_path: Path) -> None:
    done = run("--provinces", "1", "--data-directory", str(tmp_path / "nation"), "--cut", "CN-LN", "60s")
    assert (done.returncode, "expected one of CN-SX, got 'CN-LN'" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "nation").exists(), "nothing was made"
