"""A template holds a schema and nothing else, and no database that is there is ever written over."""

import sqlite3
from pathlib import Path

from keisan.daemon.database_template import copy_template, ensure_template
from keisan.kit.clock import SystemClock
from keisan.storage.schema import metadata
from keisan.storage.sqlite import open_sqlite


async def test_copy_is_current_empty_and_a_file_of_its_own(tmp_path: Path) -> None:
    template = await ensure_template(tmp_path / "template", SystemClock())
    assert [path.name for path in template.parent.iterdir()] == [template.name], "nothing unfinished, no log beside it"
    made_ns = template.stat().st_mtime_ns
    assert await ensure_template(tmp_path / "template", SystemClock()) == template
    assert template.stat().st_mtime_ns == made_ns
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        assert copy_template(template, folder)
    copies = [folder / "keisan.db" for folder in folders]
    assert len({path.stat().st_ino for path in (template, *copies)}) == 3
    assert {path.stat().st_mode & 0o777 for path in (template, *copies)} == {0o600}
    storage = open_sqlite(copies[0], SystemClock())
    await storage.check()
    await storage.close()
    with sqlite3.connect(copies[1]) as connection:
        # What every schema holds from its first migration on, as any database that a platform migrates itself does.
        filled = {name for name in metadata.tables if connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]}
    connection.close()
    assert filled == await list_filled(tmp_path / "plain.db")
    assert not filled & {"platform", "organization", "key", "machine", "entry", "event"}


async def list_filled(path: Path) -> set[str]:
    """Return the tables with rows of a database that was migrated in the usual way."""
    storage = open_sqlite(path, SystemClock())
    await storage.migrate()
    await storage.close()
    with sqlite3.connect(path) as connection:
        found = {name for name in metadata.tables if connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]}
    connection.close()
    return found


async def test_database_that_is_there_stays(tmp_path: Path) -> None:
    template = await ensure_template(tmp_path / "template", SystemClock())
    (tmp_path / "keisan.db").write_bytes(b"mine")
    assert not copy_template(template, tmp_path)
    assert (tmp_path / "keisan.db").read_bytes() == b"mine"


async def test_what_was_left_by_a_crash_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    for name in ("unfinished.db", "unfinished.db-wal"):
        (tmp_path / "template" / name).write_bytes(b"torn")
    template = await ensure_template(tmp_path / "template", SystemClock())
    (tmp_path / "keisan.db.copy").write_bytes(b"torn")
    assert copy_template(template, tmp_path)
    assert (tmp_path / "keisan.db").read_bytes() == template.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keisan.db", "template"]
