"""Brings a database's schema up and down, one revision of migrations/versions after the other.

Alembic's own runner is not used: it wants a module of a fixed name and settings of its own, and the history is a line.
"""

from functools import cache
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from keisan.domain.errors import InvariantBroken, StorageUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def load_history() -> ScriptDirectory:
    """Return the revisions, which stand beside this file and in the wheel."""
    return ScriptDirectory(str(MIGRATIONS))


@cache
def name_newest_revision() -> str:
    """Return the revision this code expects; raises InvariantBroken if the history is not a line."""
    heads = load_history().get_heads()
    if len(heads) != 1:
        raise InvariantBroken("the migrations are not a line", f"heads {heads}")
    return heads[0]


def list_revisions() -> list[Script]:
    """Return all revisions, oldest first."""
    return list(reversed(list(load_history().walk_revisions())))


def read_revision(connection: Connection) -> str | None:
    """Return the revision a database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade_schema(connection: Connection) -> None:
    """Run every revision the database lacks; raises StorageUnavailable if it is at one this code does not know."""
    context, position = _find_position(connection)
    for revision in list_revisions()[position:]:
        with Operations.context(context):
            revision.module.upgrade()
        context.stamp(load_history(), revision.revision)


def downgrade_schema(connection: Connection, target: str) -> None:
    """Undo every revision after the target, or all of them for "base"; raises as upgrade_schema does."""
    context, position = _find_position(connection)
    for revision in reversed(list_revisions()[:position]):
        if revision.revision == target:
            return
        with Operations.context(context):
            revision.module.downgrade()
        context.stamp(load_history(), str(revision.down_revision or "base"))


def _find_position(connection: Connection) -> tuple[MigrationContext, int]:
    """Return the context and how many revisions the database has."""
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    known = [revision.revision for revision in list_revisions()]
    if current is None:
        return context, 0
    if current not in known:
        raise StorageUnavailable("the database has a newer schema than this release", f"revision {current}")
    return context, known.index(current) + 1
