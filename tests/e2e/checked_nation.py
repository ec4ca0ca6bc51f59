"""One run of `keisan demo nation --check`, to its end."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.test_nation import list_processes, plant_all_weights

RUN_S_MAX = 400.0


def build_environment() -> dict[str, str]:
    """Return what a nation runs in: no settings of keisan's, and what is compiled is kept for the next run."""
    left_out = ("KEISAN_", "PYTHONDONTWRITEBYTECODE")
    return {name: text for name, text in os.environ.items() if not name.startswith(left_out)}


def run_check(
    environment: dict[str, str], *options: str, provinces: int = 2, is_downloading: bool = False
) -> tuple[int, dict[str, Any]]:
    """Run a nation in a folder of its own to its end; nothing of it may be left. Its weights are there unless it downloads them."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        root = Path(folder) / "nation"
        if not is_downloading:
            plant_all_weights(root)
        keisan = Path(sys.executable).with_name("keisan")
        command = [str(keisan), "demo", "nation", "--check", "--data-directory", str(root)]
        command += ["--provinces", str(provinces)]
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
        )
        assert done.stdout.count("\n") == 1, done.stderr
        assert not list_processes(root)
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return done.returncode, told


def list_not_held(told: dict[str, Any]) -> dict[str, str]:
    """Return what each check that did not hold said, by its name."""
    return {line["name"]: line["said"] for line in told["checks"] if not line["held"]}
