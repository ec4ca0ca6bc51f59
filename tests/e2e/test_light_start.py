"""What the real processes of a running platform have loaded, asked of themselves: a signal has each write its sys.modules."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadline import wait_until
from tests.e2e.stack import Program, start_stack

pytestmark = pytest.mark.e2e

# Python imports a module of this name at its start, before anything else.
SPY = """
import signal
def tell(*_):
    import gc, json, os, sys
    path = os.path.join(os.environ["SPY_FOLDER"], str(os.getpid()))
    with open(path + ".new", "w") as file:
        # One without a spec was never loaded: it stands in for what is left out.
        loaded = [name for name, module in sys.modules.items() if getattr(module, "__spec__", None)]
        json.dump({"modules": loaded, "collects": gc.isenabled()}, file)
    os.rename(path + ".new", path)
signal.signal(signal.SIGUSR2, tell)
"""
WEB, DATABASE = ("fastapi", "starlette", "uvicorn"), ("sqlalchemy", "alembic", "aiosqlite", "asyncpg")
PEOPLE = ("rich", "pygments", "click", "keisan.cli.application")
HEAVY = ("duckdb", "jinja2", "sqlalchemy.orm", "pydantic.v1", "opentelemetry.sdk")
NOT_LOADED = {
    "platform": ("alembic", "asyncpg", "sqlalchemy.dialects.postgresql", *PEOPLE, *HEAVY),
    "gateway": (*WEB, *DATABASE, *PEOPLE, *HEAVY, "numpy", "pyarrow", "keisan.control", "keisan.storage"),
    "site": (*WEB, *DATABASE, *PEOPLE, *HEAVY, "keisan.gateway", "keisan.control", "keisan.storage"),
}


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, dict[str, object]]]:
    """What each process of a second start says, for a first one has a database to make."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        (Path(folder) / "sitecustomize.py").write_text(SPY)
        spied = {
            "PYTHONPATH": os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH")))),
            "SPY_FOLDER": folder,
        }
        program = Program(environment={**os.environ, **spied})
        start_stack(Path(folder) / "data", program).stop()
        stack = start_stack(Path(folder) / "data", program)
        try:
            found = {}
            for name in NOT_LOADED:
                process = stack.find_process(name)
                assert process is not None
                process.send_signal(signal.SIGUSR2)
                path = Path(folder) / str(process.pid)
                wait_until(path.exists, f"the {name} says what it has loaded", 30.0)
                found[name] = json.loads(path.read_text())
            yield found
        finally:
            stack.stop()


@pytest.mark.parametrize("name", NOT_LOADED)
def test_process_has_loaded_nothing_that_it_does_not_need(name: str, told: dict[str, dict[str, object]]) -> None:
    modules = told[name]["modules"]
    assert isinstance(modules, list)
    assert "keisan.daemon.light_start" in modules, "the process was asked, and not another"
    words = NOT_LOADED[name]
    assert [each for each in modules if each in words or each.startswith(tuple(f"{word}." for word in words))] == []
    assert told[name]["collects"] is True
