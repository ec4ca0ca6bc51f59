"""What a process leaves out is not there, stands for nothing, and takes nothing from what is there."""

import subprocess
import sys

HOLLOW = """
import gc
from keisan.daemon.light_start import begin_imports, end_imports
begin_imports()
assert not gc.isenabled()
import httpx, uvicorn.server, sqlalchemy.ext.asyncio
import sqlalchemy.ext.asyncio.session as session
from fastapi import FastAPI
assert isinstance(session.AsyncSession, type) and session.AsyncSession.__module__ == session.__name__
try:
    session.__nothing__
except AttributeError:
    pass
else:
    raise SystemExit("it has what no module has")
from keisan.wire.organization import OrganizationCreate
assert not OrganizationCreate.__pydantic_complete__
end_imports()
assert gc.isenabled() and gc.get_freeze_count() > 1_000
import sys
print(sorted({name.partition(".")[0] for name in sys.modules} & {"rich", "pygments", "click", "alembic", "jinja2"}))
print([name for name in sys.modules if name.startswith(("sqlalchemy.orm", "pydantic.v1.", "sqlalchemy.dialects.postgresql"))])
"""


def test_what_is_left_out_is_not_loaded_and_the_collector_works_again() -> None:
    done = subprocess.run([sys.executable, "-c", HOLLOW], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "[]"]
