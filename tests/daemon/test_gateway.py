"""Building the gateway: settings become its room's options, and it loads neither web framework nor database."""

import resource
import subprocess
import sys
from pathlib import Path

from keisan.daemon.gateway import build_options, raise_open_files
from keisan.daemon.settings import load_settings

CLEAN = """
import sys
from keisan.daemon import main
import keisan.daemon.gateway
loaded = sorted({name.split(".")[0] for name in sys.modules} & {"fastapi", "sqlalchemy", "starlette", "alembic", "uvicorn"})
raise SystemExit(f"the gateway process imports {loaded}" if loaded else 0)
"""


def test_process_loads_neither_web_framework_nor_database() -> None:
    done = subprocess.run([sys.executable, "-c", CLEAN], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_only_limits_that_were_set_reach_the_relay(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("jt-keisan-x\n")
    table = {
        "listen": "127.0.0.1:9",
        "limits": {"body_bytes_max": 5},
        "join_token_path": tmp_path / "token",
        "worker_threads": 2,
        "otlp_url": "http://127.0.0.1:4318/otlp",
        "trace_sample_ppm": 7,
    }
    own = load_settings({"data_directory": tmp_path, "gateway": table}, {}, None).gateway
    options = build_options(own, tmp_path / "gateway")
    assert options.relay_limits == {"body_bytes_max": 5}
    assert (options.listener.host, options.listener.port, options.worker_threads) == ("127.0.0.1", 9, 2)
    assert (options.otlp_url, options.trace_sample_ppm) == ("http://127.0.0.1:4318/otlp", 7)
    assert options.join_token is not None
    assert options.join_token.reveal() == "jt-keisan-x"


def test_open_files_are_raised_to_the_hard_limit() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        raise_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
