"""Tickets, shares of rate limits, the newest incarnation of each gateway, and the ticket that a usage record names.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    create_ticket()
    create_share()
    create_incarnation()
    create_suspended_record()
    op.add_column("usage_record", sa.Column("ticket_id", ID, nullable=True))


def downgrade() -> None:
    op.drop_column("usage_record", "ticket_id")
    for table in ("suspended_record", "incarnation", "share", "ticket"):
        op.drop_table(table)


def create_ticket() -> None:
    amounts = ("credit", "returned", "spent", "reserved", "posted", "give_back", "wanted")
    op.create_table(
        "ticket",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("gateway_id", ID, nullable=False),
        sa.Column("incarnation", ID, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        *(sa.Column(f"{name}_nano", EXACT, nullable=False) for name in amounts),
        sa.Column("wanting_since", INSTANT, nullable=True),
        sa.Column("is_contested", sa.Boolean(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.ForeignKeyConstraint(["gateway_id"], ["machine.id"], name="fk_ticket_gateway_id_machine"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_ticket_organization_id_organization"
        ),
    )
    op.create_index("ix_ticket_gateway_id_state", "ticket", ["gateway_id", "state"])
    op.create_index("ix_ticket_organization_id_state", "ticket", ["organization_id", "state"])


def create_share() -> None:
    op.create_table(
        "share",
        sa.Column("limit_id", TEXT, nullable=False),
        sa.Column("gateway_id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("share_ppm", INTEGER, nullable=False),
        sa.Column("demand_per_minute", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("limit_id", "gateway_id", name="pk_share"),
    )
    op.create_index("ix_share_gateway_id", "share", ["gateway_id"])


def create_incarnation() -> None:
    op.create_table(
        "incarnation",
        sa.Column("gateway_id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("incarnation", ID, nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("default_share_ppm", INTEGER, nullable=False),
        sa.Column("heard_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", name="pk_incarnation"),
        sa.ForeignKeyConstraint(["gateway_id"], ["machine.id"], name="fk_incarnation_gateway_id_machine"),
    )


def create_suspended_record() -> None:
    op.create_table(
        "suspended_record",
        sa.Column("record_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("amount_nano", EXACT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="pk_suspended_record"),
    )
