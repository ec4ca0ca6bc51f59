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


def change_signatures(path: Path, table: str) -> None:
    """Change one bit of each signature in a table; raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection, connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        guards = connection.execute(query, (table,)).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        # The one caller names tables, nobody from outside.
        for row_id, signature in connection.execute(f"SELECT rowid, signature FROM {table}").fetchall():  # noqa: S608  # see above
            changed = bytes([signature[0] ^ 1]) + signature[1:]
            connection.execute(f"UPDATE {table} SET signature = ? WHERE rowid = ?", (changed, row_id))  # noqa: S608  # see above
        for _, text in guards:
            connection.execute(text)
