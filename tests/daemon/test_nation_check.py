"""What the check of a nation reads: answers and refusals of calls, and scripts that end or hang."""

import pytest

from keisan.daemon import nation_check
from keisan.daemon.nation_check import run_script

SAY = "import os, sys; print(os.environ['SAID']); sys.exit(3)"


async def test_script_s_end_and_words_are_told_and_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await run_script({"SAID": "seen"}, "-c", SAY) == (3, "seen\n")
    monkeypatch.setattr(nation_check, "SCRIPT_S_MAX", 0.3)
    assert await run_script({}, "-c", "import time; time.sleep(600)") == (1, "nothing after 0.3 s")
