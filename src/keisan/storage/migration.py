"""Which revision a database is at and which one this code expects, told without Alembic, which a start seldom needs.

Alembic takes longer to load than the tables of a whole database to make; what runs revisions is in migration_run.py.
"""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def name_newest_revision() -> str:
    """Return the revision this code expects: the one in the name of the last file, as a test compares with the files."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def read_revision(connection: Connection) -> str | None:
    """Return the revision a database is at, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def upgrade_schema(connection: Connection) -> None:
    """Run every revision the database lacks; raises StorageUnavailable if it is at one this code does not know."""
    if read_revision(connection) == name_newest_revision():
        return
    # A database that is current does without Alembic, as the docstring above says.
    from keisan.storage.migration_run import run_upgrade

    run_upgrade(connection)


def downgrade_schema(connection: Connection, target: str) -> None:
    """Undo every revision after the target, or all of them for "base"; raises as upgrade_schema does."""
    # As above.
    from keisan.storage.migration_run import run_downgrade

    run_downgrade(connection, target)
