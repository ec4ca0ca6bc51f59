"""How far the deletion of usage records has come, digests of archived files, and triggers that let archived days go.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0010"

# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
IS_ARCHIVED = "EXISTS (SELECT 1 FROM retention WHERE OLD.day <= archived_through)"


def upgrade() -> None:
    op.create_table(
        "retention",
        sa.Column("position", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("closed_through", sa.Date(), nullable=True),
        sa.Column("archived_through", sa.Date(), nullable=True),
        sa.Column("archived_at", INSTANT, nullable=True),
        sa.Column("deleted_through", sa.Date(), nullable=True),
        sa.Column("check", JSON, nullable=True),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_retention"),
        sa.CheckConstraint("position = 1", name="ck_retention_one_retention"),
    )
    op.add_column("archive_file", sa.Column("sha256", sa.Text(), nullable=True))
    if is_postgresql():
        # Of usage records alone, so that nothing else can ever be deleted by it.
        op.execute(
            "CREATE FUNCTION refuse_usage_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'DELETE' AND {IS_ARCHIVED} THEN RETURN OLD; END IF; "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
        )
        replace_postgresql_trigger("refuse_usage_change")
    else:
        replace_sqlite_trigger(f"WHEN NOT {IS_ARCHIVED} ")


def downgrade() -> None:
    if is_postgresql():
        replace_postgresql_trigger("refuse_change")
        op.execute("DROP FUNCTION refuse_usage_change()")
    else:
        replace_sqlite_trigger("")
    op.drop_column("archive_file", "sha256")
    op.drop_table("retention")


def is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


def replace_postgresql_trigger(function: str) -> None:
    op.execute("DROP TRIGGER refuse_change_usage_record ON usage_record")
    op.execute(
        "CREATE TRIGGER refuse_change_usage_record BEFORE UPDATE OR DELETE ON usage_record "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()"
    )


def replace_sqlite_trigger(condition: str) -> None:
    op.execute("DROP TRIGGER refuse_delete_usage_record")
    op.execute(
        f"CREATE TRIGGER refuse_delete_usage_record BEFORE DELETE ON usage_record {condition}"
        "BEGIN SELECT RAISE(ABORT, 'usage_record is append-only'); END"
    )
