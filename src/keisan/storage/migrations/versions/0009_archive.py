"""The archive's cursor, and the list of its files.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("position", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("reached_at", INSTANT, nullable=True),
        sa.Column("is_before_done", sa.Boolean(), nullable=False),
        sa.Column("before_day", sa.Date(), nullable=True),
        sa.Column("before_id", sa.Uuid(), nullable=True),
        sa.Column("archived_at", INSTANT, nullable=True),
        sa.Column("swept_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("position", name="pk_archive"),
        sa.CheckConstraint("position = 1", name="ck_archive_one_archive"),
    )
    op.create_table(
        "archive_file",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("record_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("replaced_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_archive_file"),
    )
    op.create_index("ix_archive_file_day", "archive_file", ["day"])


def downgrade() -> None:
    op.drop_table("archive_file")
    op.drop_table("archive")
