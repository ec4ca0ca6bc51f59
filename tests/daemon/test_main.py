"""The console script: a process loads no command of people, so that it starts quickly."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
sys.argv = ["keisan", {name!r}, "--help"]
from keisan.daemon.main import main
try:
    main()
except SystemExit:
    pass
print("LOADED", "httpx" in sys.modules, "keisan.cli.application" in sys.modules)
"""


@pytest.mark.parametrize(
    ("name", "is_loaded"), [("gateway", False), ("platform", False), ("site", False), ("up", True)]
)
def test_processes_load_no_client(name: str, is_loaded: bool) -> None:  # pytest gives it by name
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == f"LOADED {is_loaded} {is_loaded}"
    assert f"Usage: keisan {name}" in done.stdout
