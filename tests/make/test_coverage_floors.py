"""Coverage floors: whole for decisions and money, nine tenths elsewhere, counted over lines and branches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "make/coverage_floors.py"


def build_report(path: str, lines: tuple[int, int], branches: tuple[int, int]) -> str:
    summary = {
        "covered_lines": lines[0],
        "num_statements": lines[1],
        "covered_branches": branches[0],
        "num_branches": branches[1],
    }
    return json.dumps({"files": {path: {"summary": summary}}})


@pytest.mark.parametrize(
    ("path", "lines", "branches", "status"),
    [
        ("src/keisan/ledger/a.py", (10, 10), (4, 4), 0),
        ("src/keisan/ledger/a.py", (10, 10), (3, 4), 1),
        ("src/keisan/domain/a.py", (999, 1000), (4, 4), 1),
        ("src/keisan/api/a.py", (90, 100), (0, 0), 0),
        ("src/keisan/api/a.py", (90, 100), (5, 10), 1),
        ("src/keisan/api/empty.py", (0, 0), (0, 0), 0),
    ],
)
def test_floor_of_a_room(
    tmp_path: Path, path: str, lines: tuple[int, int], branches: tuple[int, int], status: int
) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(build_report(path, lines, branches))
    command = [sys.executable, str(SCRIPT), str(report)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == status, result.stdout + result.stderr
    assert ("TOO LOW" in result.stdout) == bool(status)
