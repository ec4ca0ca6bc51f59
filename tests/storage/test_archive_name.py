"""Names of files, and what a sweep takes: only what is in no list and old."""

import os
from datetime import date, timedelta
from pathlib import Path

from keisan.storage.archive_name import name_before, name_file, name_folder, sweep_folder
from tests.domain.samples import NOW

DAY = date(2026, 11, 23)


def test_names_sort_as_sequences_do() -> None:
    names = [name_file(DAY, first, first) for first in (2, 10, 2**62)]
    assert names == sorted(names)
    assert names[0] == "usage/day=2026-11-23/0000000000000000002-0000000000000000002.parquet"
    assert name_before(DAY, b"\x01") == "usage/day=2026-11-23/before-01.parquet"


def test_sweep_takes_what_is_in_no_list_and_old(tmp_path: Path) -> None:
    folder = tmp_path / name_folder(DAY)
    folder.mkdir(parents=True)
    for name in ("listed.parquet", "left.parquet", ".left.parquet.1.partial", "new.parquet", "notes.txt"):
        (folder / name).touch()
        old = NOW - timedelta(days=1)
        instant = (NOW if name.startswith("new") else old).timestamp()
        os.utime(folder / name, (instant, instant))
    assert sweep_folder(tmp_path, [f"{name_folder(DAY)}/listed.parquet"], NOW - timedelta(hours=1)) == 2
    assert {path.name for path in folder.iterdir()} == {"listed.parquet", "new.parquet", "notes.txt"}
    assert sweep_folder(tmp_path / "none", [], NOW) == 0
