"""Building the door: settings become its room's options, and it loads neither web framework nor database."""

import subprocess
import sys
from pathlib import Path

from keisan.daemon.door import build_door_options
from keisan.daemon.settings import load_settings

CLEAN = """
import sys
from keisan.daemon import main
import keisan.daemon.door
loaded = sorted({name.split(".")[0] for name in sys.modules} & {"fastapi", "sqlalchemy", "starlette", "alembic", "uvicorn"})
raise SystemExit(f"the door process imports {loaded}" if loaded else 0)
"""


def test_process_loads_neither_web_framework_nor_database() -> None:
    done = subprocess.run([sys.executable, "-c", CLEAN], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_only_limits_that_were_set_reach_the_door(tmp_path: Path) -> None:
    table = {"listen": "127.0.0.1:9", "limits": {"body_bytes_max": 5_000}, "worker_threads": 2, "drain_s": 3}
    own = load_settings({"data_directory": tmp_path, "door": table}, {}, None).door
    options = build_door_options(own, tmp_path / "site")
    assert options.limits == {"body_bytes_max": 5_000}
    assert (options.listener.host, options.listener.port, options.worker_threads) == ("127.0.0.1", 9, 2)
    assert (options.access_path, options.drain_s) == (tmp_path / "site" / "door.json", 3.0)
