"""The import contracts of pyproject.toml see what they forbid: planted imports in a copy of the rooms are reported."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent.name for path in (ROOT / "src/keisan").glob("*/__init__.py"))
LINT_S_MAX = 60

# (importer, imported, the contract that must name the pair)
PLANTED = [
    ("kit.planted", "domain", "layers"),
    ("domain.planted", "wire", "layers"),
    ("wire.planted", "storage", "layers"),
    ("storage.planted", "ledger", "layers"),
    ("storage.planted", "engines", "layers"),
    ("weights.planted", "catalog", "layers"),
    ("ledger.planted", "placement", "layers"),
    ("placement.planted", "control", "layers"),
    ("control.planted", "api", "layers"),
    ("agent.planted", "gateway", "layers"),
    ("gateway.planted", "api", "layers"),
    ("api.planted", "sdk", "layers"),
    ("sdk.planted", "cli", "layers"),
    ("cli.planted", "daemon", "layers"),
    ("cli.planted", "api", "people-speak-http"),
    ("sdk.planted", "storage", "people-speak-http"),
    ("gateway.planted", "storage", "gateway-alone"),
    ("gateway.planted", "ledger", "gateway-alone"),
    ("gateway.planted", "control", "gateway-alone"),
    ("gateway.planted", "placement", "gateway-alone"),
    ("placement.planted", "storage", "placement-values"),
    ("placement.planted", "devices", "placement-values"),
    ("placement.planted", "executors", "placement-values"),
]


def lint(folder: Path) -> tuple[int, str]:
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", "--show-timings"]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "NO_COLOR": "1", "COLUMNS": "200"}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LINT_S_MAX
    )
    return result.returncode, result.stdout + result.stderr


def lay_rooms(folder: Path) -> Path:
    package = folder / "src/keisan"
    for room in ROOMS:
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    (package / "__init__.py").touch()
    return package


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("planted")
    package = lay_rooms(folder)
    for importer, imported, _ in PLANTED:
        with (package / f"{importer.replace('.', '/')}.py").open("a") as file:
            # Inside a function, where a cycle would be hidden.
            file.write(f"def import_{imported}():\n    import keisan.{imported}\n")
    status, output = lint(folder)
    assert status == 1, output
    return output


def find_section(report: str, contract: str) -> str:
    name = re.search(rf'id = "{contract}"\nname = "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert name, f"no contract {contract}"
    broken = report.partition("Broken contracts")[2]
    sections = re.split(r"\n(?=[^\n]+\n-+\n)", broken)
    return next((section for section in sections if section.strip().startswith(name[1])), "")


@pytest.mark.parametrize(("importer", "imported", "contract"), PLANTED)
def test_planted_import_is_reported(report: str, importer: str, imported: str, contract: str) -> None:
    assert f"keisan.{importer} -> keisan.{imported}" in find_section(report, contract), report


def test_undeclared_room_is_reported(tmp_path: Path) -> None:
    package = lay_rooms(tmp_path)
    (package / "lounge").mkdir()
    (package / "lounge/__init__.py").touch()
    status, output = lint(tmp_path)
    assert status == 1
    assert "lounge" in output


def test_clean_rooms_pass(tmp_path: Path) -> None:
    lay_rooms(tmp_path)
    status, output = lint(tmp_path)
    assert status == 0, output
