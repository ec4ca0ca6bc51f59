"""Models that are made late check as much as those that are made at once."""

import subprocess
import sys

LATE = """
from keisan.wire.late import defer_models
defer_models()
from keisan.wire.organization import OrganizationCreate
assert not OrganizationCreate.__pydantic_complete__
assert OrganizationCreate(name="one").name == "one" and OrganizationCreate.__pydantic_complete__
try:
    OrganizationCreate(name="")
except ValueError:
    print("refused")
"""


def test_model_is_made_when_one_first_comes_and_checks_all_the_same() -> None:
    # In a process of its own: all models of this one would be late too.
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
