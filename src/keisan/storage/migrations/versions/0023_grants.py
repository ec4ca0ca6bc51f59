"""Grants of a child's capacity to its parent, the parent's wants, and the fences of start orders.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"

ID = sa.Uuid()
TEXT = sa.Text()
COUNT = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
STRUCTURE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _build_scope() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("chip", TEXT, nullable=True),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("duration_s", COUNT, nullable=False),
        sa.Column("on_expiry", TEXT, nullable=False),
    )


def upgrade() -> None:
    _create_grants()
    op.create_table(
        "grant_want",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("child_id", TEXT, nullable=False),
        sa.Column("epoch", COUNT, nullable=False),
        *_build_scope(),
        sa.Column("renewal", COUNT, nullable=False),
        sa.Column("sendings", STRUCTURE, nullable=False),
        sa.Column("work", STRUCTURE, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("answer", STRUCTURE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_grant_want"),
    )
    op.create_index("ix_grant_want_child_id", "grant_want", ["child_id"])
    op.add_column("deployment", sa.Column("fence", COUNT, nullable=True))
    op.execute(sa.text("UPDATE deployment SET fence = 0"))
    with op.batch_alter_table("deployment") as batch:
        batch.alter_column("fence", existing_type=COUNT, nullable=False)
        batch.add_column(sa.Column("grant_id", ID, nullable=True))
        batch.create_foreign_key("fk_deployment_grant_id_capacity_grant", "capacity_grant", ["grant_id"], ["id"])


def _create_grants() -> None:
    op.create_table(
        "grant_terms",
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("epoch", COUNT, nullable=False),
        sa.Column("last_number", COUNT, nullable=False),
        sa.Column("automatic_count", COUNT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("platform_id", name="pk_grant_terms"),
    )
    op.create_table(
        "capacity_grant",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("parent_id", TEXT, nullable=False),
        sa.Column("want_id", ID, nullable=False),
        sa.Column("epoch", COUNT, nullable=False),
        sa.Column("number", COUNT, nullable=False),
        *_build_scope(),
        sa.Column("renewal", COUNT, nullable=False),
        sa.Column("reckoned_from", INSTANT, nullable=False),
        sa.Column("offset_ms", COUNT, nullable=True),
        sa.Column("device_ids", STRUCTURE, nullable=False),
        sa.Column("work", STRUCTURE, nullable=True),
        sa.Column("deployment_id", ID, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_capacity_grant"),
    )
    op.create_index("ix_capacity_grant_want_id", "capacity_grant", ["want_id"])
    op.create_index("ix_capacity_grant_state", "capacity_grant", ["state"])


def downgrade() -> None:
    with op.batch_alter_table("deployment") as batch:
        batch.drop_constraint("fk_deployment_grant_id_capacity_grant", type_="foreignkey")
        batch.drop_column("grant_id")
        batch.drop_column("fence")
    for table in ("grant_want", "capacity_grant", "grant_terms"):
        op.drop_table(table)
