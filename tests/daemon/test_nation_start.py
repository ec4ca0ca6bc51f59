"""The nation from its options: its folder is private, and a second one in it is refused before anything starts."""

from pathlib import Path

import pytest

from keisan.daemon.nation import hold_folders
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.nation_start import start_nation
from keisan.domain.errors import StateConflict


async def test_second_nation_in_a_folder_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "nation"
    with hold_folders(root, plan_nation(1)), pytest.raises(StateConflict):
        await start_nation(root, 1, is_json=True)
    assert root.stat().st_mode & 0o777 == 0o700
    assert (root / "nation.log").exists()
    assert not (root / "template").exists()
