"""What a person judges of records that suspense paid for, and of records that were refused.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
ROWS_AT_ONCE = 1000
JUDGED = (("judged_by", ID), ("judged_at", INSTANT))
# The currency of a record that left the database before is told by suspense's account, which is one on nearly any platform.
FIND_CURRENCY = (
    "UPDATE suspended_record SET currency = COALESCE("
    "(SELECT usage_context.currency FROM usage_record JOIN usage_context ON usage_context.id = usage_record.context_id "
    "WHERE usage_record.day = suspended_record.day AND usage_record.id = suspended_record.record_id), "
    "(SELECT MIN(currency) FROM account WHERE kind = 'suspense'), '')"
)


def upgrade() -> None:
    add_judged("suspended_record", "suspended", ("currency", TEXT))
    op.execute(FIND_CURRENCY)
    require("suspended_record", ("currency", TEXT))
    op.add_column("suspended_record", sa.Column("entry_id", ID, nullable=True))
    op.add_column("suspended_record", sa.Column("entry_sequence", INTEGER, nullable=True))
    add_judged("quarantined_record", "quarantined", ("id", ID))
    name_quarantined()
    require("quarantined_record", ("id", ID))
    with op.batch_alter_table("quarantined_record") as batch:
        batch.create_unique_constraint("uq_quarantined_record_id", ["id"])


def downgrade() -> None:
    judged = ("state", "note", "judged_by", "judged_at")
    with op.batch_alter_table("quarantined_record") as batch:
        batch.drop_constraint("uq_quarantined_record_id", type_="unique")
        for name in (*judged, "id"):
            batch.drop_column(name)
    with op.batch_alter_table("suspended_record") as batch:
        for name in (*judged, "currency", "entry_id", "entry_sequence"):
            batch.drop_column(name)


def add_judged(table: str, state: str, own: tuple[str, sa.types.TypeEngine[Any]]) -> None:
    """Add what is judged, the column `own` without values yet; what is there waits for a judgement."""
    for name, column_type in (own, ("state", TEXT), ("note", TEXT), *JUDGED):
        op.add_column(table, sa.Column(name, column_type, nullable=True))
    op.execute(sa.table(table, sa.column("state", TEXT), sa.column("note", TEXT)).update().values(state=state, note=""))


def require(table: str, own: tuple[str, sa.types.TypeEngine[Any]]) -> None:
    with op.batch_alter_table(table) as batch:
        for name, column_type in (own, ("state", TEXT), ("note", TEXT)):
            batch.alter_column(name, existing_type=column_type, nullable=False)


def name_quarantined() -> None:
    """Give each row the first half of its digest as its id."""
    rows = sa.table("quarantined_record", sa.column("digest", TEXT), sa.column("id", ID))
    connection = op.get_bind()
    unnamed = sa.select(rows.c.digest).where(rows.c.id.is_(None)).limit(ROWS_AT_ONCE)
    while digests := connection.scalars(unnamed).all():
        named = rows.update().where(rows.c.digest == sa.bindparam("named")).values(id=sa.bindparam("first_half"))
        connection.execute(named, [{"named": digest, "first_half": UUID(hex=digest[:32])} for digest in digests])
