"""make/tools.sh names all that is missing, with versions, and the Debian line that helps."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEBIAN_LINE = "apt install python3-venv gcc make cargo-web rustc-web"
NEEDED = ("bash", "dirname", "sed", "head", "awk", "sort", "tail", "env", "printf")


def write_program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH of its own on which everything is found and new enough."""
    for name in NEEDED:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found, name
        (tmp_path / name).symlink_to(found)
    write_program(tmp_path, "python3", 'case "$*" in *--version*) echo Python 3.11.2;; esac; exit 0')
    write_program(tmp_path, "gcc", "exit 0")
    for name in ("cargo", "rustc"):
        write_program(tmp_path, name, f"echo {name} 9.0.1-nightly")
    return tmp_path


def check_tools(programs: Path) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"} | {"PATH": str(programs)}
    command = [str(ROOT / "make/tools.sh")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    return result.returncode, result.stdout + result.stderr


def test_complete_machine_passes_silently(programs: Path) -> None:
    assert check_tools(programs) == (0, "")


def test_all_that_is_missing_is_said_at_once(programs: Path) -> None:
    for name in ("gcc", "cargo", "rustc"):
        (programs / name).unlink()
    status, output = check_tools(programs)
    assert status == 1
    assert re.search(r"- gcc\n  - cargo >= [\d.]+\n  - rustc >= [\d.]+\n", output), output
    assert output.rstrip().endswith(DEBIAN_LINE)


def test_old_python_is_named_with_its_version(programs: Path) -> None:
    write_program(programs, "python3", 'case "$*" in *--version*) echo Python 3.9.2; exit 0;; esac; exit 1')
    status, output = check_tools(programs)
    assert status == 1
    assert "- Python >= 3.11, got: Python 3.9.2" in output


def test_python_without_venv_is_named(programs: Path) -> None:
    write_program(programs, "python3", 'case "$*" in *ensurepip*) exit 1;; *--version*) echo Python 3.11.2;; esac')
    status, output = check_tools(programs)
    assert status == 1
    assert "venv and pip, which Python 3.11.2 lacks" in output


def test_old_rust_is_named_with_both_versions(programs: Path) -> None:
    write_program(programs, "rustc", "echo 'rustc 1.63.0 (Debian)'")
    status, output = check_tools(programs)
    assert status == 1
    assert re.search(r"- rustc >= 1\.\d+, got 1\.63\.0", output), output
    assert "cargo >=" not in output
