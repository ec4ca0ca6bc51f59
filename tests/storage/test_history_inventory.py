"""Inventories beside history's files: plain names, the note in the file itself."""

from pathlib import Path

import pyarrow as pa

from keisan.storage.history_inventory import name_inventory, read_inventory, read_note, write_inventory
from tests.storage.test_history_store import create_inventory


def test_a_file_says_whose_it_is(tmp_path: Path) -> None:
    note, inventory = create_inventory()
    path = tmp_path / "a.parquet"
    write_inventory(path, note, inventory)
    with pa.OSFile(str(path)) as file:
        assert read_note(file) == note
    with pa.OSFile(str(path)) as file:
        assert read_inventory(file)["memory_mib"].to_pylist() == [65_536] * 3


def test_no_incarnation_leads_out_of_its_folder() -> None:
    names = {name_inventory("s", text) for text in ("a-1", "../x", "a/b", "", "x" * 300)}
    assert len(names) == 5
    assert all(name.count("/") == 2 and ".." not in name for name in names)
