"""What somebody with the database's file could do behind all rules, done by `keisan demo nation --sabotage` to be found out.

Nothing else imports it. It works on SQLite, whose guards whoever owns the file can take away.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

BUSY_S = 30.0


def add_to_balance(path: Path, organization_id: UUID, amount_nano: int) -> None:
    """Change the balance of an organization's first account without an entry; raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection, connection:
        query = "SELECT id, balance_nano FROM account WHERE organization_id = ? ORDER BY id"
        account_id, balance_nano = connection.execute(query, (organization_id.hex,)).fetchone()
        change = "UPDATE account SET balance_nano = ? WHERE id = ?"
        connection.execute(change, (str(int(balance_nano) + amount_nano), account_id))


def change_signature(path: Path, entry_id: UUID) -> None:
    """Change one bit of an entry's signature; raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection, connection:
        query = "SELECT signature FROM entry WHERE id = ?"
        (signature,) = connection.execute(query, (entry_id.hex,)).fetchone()
        guards = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entry'"
        ).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        change = "UPDATE entry SET signature = ? WHERE id = ?"
        connection.execute(change, (bytes([signature[0] ^ 1]) + signature[1:], entry_id.hex))
        for _, text in guards:
            connection.execute(text)
