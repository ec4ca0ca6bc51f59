"""Brings a database's schema up and down, one revision of migrations/versions after the other.

Alembic's own runner is not used: it wants a module of a fixed name and settings of its own, and the history is a line.
"""

from functools import cache

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from keisan.domain.errors import InvariantBroken, StorageUnavailable
from keisan.storage.migration import MIGRATIONS


@cache
def load_history() -> ScriptDirectory:
    """Return the revisions, which stand beside this file and in the wheel."""
    return ScriptDirectory(str(MIGRATIONS))


def list_revisions() -> list[Script]:
    """Return all revisions, oldest first; raises InvariantBroken if the history is not a line."""
    heads = load_history().get_heads()
    if len(heads) != 1:
        raise InvariantBroken("the migrations are not a line", f"heads {heads}")
    return list(reversed(list(load_history().walk_revisions())))


def run_upgrade(connection: Connection) -> None:
    """Run every revision the database lacks; raises StorageUnavailable if it is at one this code does not know."""
    context, position = _find_position(connection)
    for revision in list_revisions()[position:]:
        with Operations.context(context):
            revision.module.upgrade()
        context.stamp(load_history(), revision.revision)


def run_downgrade(connection: Connection, target: str) -> None:
    """Undo every revision after the target, or all of them for "base"; raises as run_upgrade does."""
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
