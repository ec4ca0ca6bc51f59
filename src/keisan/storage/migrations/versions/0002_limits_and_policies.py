"""Limits and policies of organizations, projects and keys, and how an organization pays."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

AnyColumn = sa.Column[Any]

TEXT = sa.Text()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

TABLES = ("organization", "project", "key")


def upgrade() -> None:
    """Rows that exist have no bounds and no policy, and organizations pay afterwards, as they did."""
    add_required("organization", sa.Column("billing", TEXT), "postpaid")
    op.add_column("organization", sa.Column("snapshot_age_s_max", sa.BigInteger(), nullable=True))
    for table in TABLES:
        add_required(table, sa.Column("limits", JSON), {})
        add_required(table, sa.Column("policy", TEXT), "")


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("policy")
            batch.drop_column("limits")
            if table == "organization":
                batch.drop_column("snapshot_age_s_max")
                batch.drop_column("billing")


def add_required(table: str, column: AnyColumn, first: object) -> None:
    """Add a column that is never null: rows that exist get a first value, and later ones must bring their own."""
    op.add_column(table, column)
    op.execute(sa.table(table, sa.column(column.name, column.type)).update().values({column.name: first}))
    with op.batch_alter_table(table) as batch:
        batch.alter_column(column.name, existing_type=column.type, nullable=False)
