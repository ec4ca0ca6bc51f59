"""Budgets and what was spent of them, the time zones of organizations, and whose tickets are.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")
# What a ticket may be leased for beside a whole organization.
PARTS = ("project", "key")


def upgrade() -> None:
    """Tickets that are open are their whole organization's, as they were leased; months begin in UTC."""
    create_budget()
    create_budget_step()
    op.add_column("organization", sa.Column("time_zone", TEXT))
    op.execute(sa.table("organization", sa.column("time_zone", TEXT)).update().values(time_zone="UTC"))
    with op.batch_alter_table("organization") as batch:
        batch.alter_column("time_zone", existing_type=TEXT, nullable=False)
    with op.batch_alter_table("ticket") as batch:
        for part in PARTS:
            batch.add_column(sa.Column(f"{part}_id", ID, nullable=True))
            batch.create_foreign_key(f"fk_ticket_{part}_id_{part}", part, [f"{part}_id"], ["id"])


def downgrade() -> None:
    """What tickets of projects and keys hold stays set aside from the wallet, as their organization's."""
    with op.batch_alter_table("ticket") as batch:
        for part in PARTS:
            batch.drop_constraint(f"fk_ticket_{part}_id_{part}", type_="foreignkey")
            batch.drop_column(f"{part}_id")
    with op.batch_alter_table("organization") as batch:
        batch.drop_column("time_zone")
    op.drop_table("budget_step")
    op.drop_table("budget")


def create_budget() -> None:
    op.create_table(
        "budget",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=True),
        sa.Column("key_id", ID, nullable=True),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_nano", EXACT, nullable=False),
        sa.Column("period", TEXT, nullable=False),
        sa.Column("window_s", INTEGER, nullable=True),
        sa.Column("holder_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_budget_organization_id_organization"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_budget_project_id_project"),
        sa.ForeignKeyConstraint(["key_id"], ["key.id"], name="fk_budget_key_id_key"),
        sa.UniqueConstraint("holder_id", "currency", "period", name="uq_budget_holder_id_currency_period"),
    )


def create_budget_step() -> None:
    op.create_table(
        "budget_step",
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("step", INTEGER, nullable=False),
        sa.Column("spent_nano", EXACT, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "step", name="pk_budget_step"),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name="fk_budget_step_budget_id_budget"),
    )
