"""Accounts between platforms, admissions, platform tickets, and what records of calls across platforms moved.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")
STRUCTURE = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("account", sa.Column("counterparty_id", TEXT, nullable=True))
    create_admission()
    create_platform_ticket()
    create_cross_charge()


def downgrade() -> None:
    for table in ("cross_charge", "platform_ticket", "admission"):
        op.drop_table(table)
    op.drop_column("account", "counterparty_id")


def create_admission() -> None:
    op.create_table(
        "admission",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("counterparty_id", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("credit_nano_max", EXACT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_admission"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_admission_organization_id_organization"
        ),
    )
    op.create_index("ix_admission_organization_id_counterparty_id", "admission", ["organization_id", "counterparty_id"])


def create_platform_ticket() -> None:
    amounts = ("ceiling", "returned", "spent", "waiting", "charged")
    op.create_table(
        "platform_ticket",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("counterparty_id", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("prices", STRUCTURE, nullable=False),
        sa.Column("rate_ppm", EXACT, nullable=False),
        sa.Column("epoch", INTEGER, nullable=False),
        sa.Column("number", INTEGER, nullable=False),
        *(sa.Column(f"{name}_nano", EXACT, nullable=False) for name in amounts),
        sa.Column("lease_s", INTEGER, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("heard_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_platform_ticket"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_platform_ticket_organization_id_organization"
        ),
    )
    op.create_index("ix_platform_ticket_organization_id_state", "platform_ticket", ["organization_id", "state"])


def create_cross_charge() -> None:
    op.create_table(
        "cross_charge",
        sa.Column("record_id", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("counterparty_id", TEXT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("wholesale_nano", EXACT, nullable=False),
        sa.Column("charged_nano", EXACT, nullable=False),
        sa.Column("tax_nano", EXACT, nullable=False),
        sa.Column("admitted_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("entry_id", ID, nullable=True),
        sa.PrimaryKeyConstraint("record_id", name="pk_cross_charge"),
    )
    op.create_index("ix_cross_charge_ticket_id_record_id", "cross_charge", ["ticket_id", "record_id"])
    op.create_index("ix_cross_charge_entry_id", "cross_charge", ["entry_id"])
    op.create_index("ix_cross_charge_organization_id_admitted_at", "cross_charge", ["organization_id", "admitted_at"])
