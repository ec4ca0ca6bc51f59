"""The nation from its options: its folder is private, and a second one in it is refused before anything starts."""

from pathlib import Path

import pytest

from keisan.daemon.nation import hold_folders
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.nation_sabotage import Sabotage
from keisan.daemon.nation_start import NationOptions, read_sabotage, start_nation
from keisan.domain.errors import InvalidInput, StateConflict


async def test_second_nation_in_a_folder_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "nation"
    with hold_folders(root, plan_nation(1)), pytest.raises(StateConflict):
        await start_nation(NationOptions(root, 1, is_json=True))
    assert root.stat().st_mode & 0o777 == 0o700
    assert (root / "nation.log").exists()
    assert not (root / "template").exists()


def test_sabotage_is_one_of_five(tmp_path: Path) -> None:
    options = [NationOptions(tmp_path, 2, is_checking=True, sabotage=name) for name in (None, *Sabotage, "weather")]
    assert [read_sabotage(each) for each in options[:-1]] == [None, *Sabotage]
    with pytest.raises(InvalidInput, match="expected one of usage, ledger, signature, route, unknown-as-zero"):
        read_sabotage(options[-1])
