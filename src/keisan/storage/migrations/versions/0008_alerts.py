"""Webhooks, alerts and their deliveries; top-ups as rows of their own, and the limits that they and wallets have.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

AnyColumn = sa.Column[Any]

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
AMOUNTS = (("organization", "wallet_low_nano"), ("platform", "four_eyes_nano"))


def upgrade() -> None:
    """Rows that exist have no limits; top-ups that were made before are in the journal and the events, as they were."""
    for table, column in AMOUNTS:
        add_amounts(table, column)
    create_webhook()
    create_alert()
    create_delivery()
    create_top_up()


def downgrade() -> None:
    for table in ("top_up", "delivery", "alert", "webhook"):
        op.drop_table(table)
    for table, column in AMOUNTS:
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)


def add_amounts(table: str, name: str) -> None:
    op.add_column(table, sa.Column(name, JSON))
    op.execute(sa.table(table, sa.column(name, JSON)).update().values({name: {}}))
    with op.batch_alter_table(table) as batch:
        batch.alter_column(name, existing_type=JSON, nullable=False)


def build_birth() -> tuple[AnyColumn, ...]:
    return (
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )


def refer(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def create_webhook() -> None:
    op.create_table(
        "webhook",
        *build_birth(),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("kinds", JSON, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("salt", TEXT, nullable=False),
        sa.Column("other_salt", TEXT, nullable=False),
        sa.Column("rotated_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
        refer("webhook", "organization_id", "organization"),
    )
    op.create_index("ix_webhook_organization_id", "webhook", ["organization_id"])


def create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        refer("alert", "organization_id", "organization"),
    )
    op.create_index("ix_alert_organization_id_id", "alert", ["organization_id", "id"])


def create_delivery() -> None:
    op.create_table(
        "delivery",
        *build_birth(),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempt_count", INTEGER, nullable=False),
        sa.Column("wanted_since", INSTANT, nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("last_answer", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("webhook_id", "sequence", name="uq_delivery_webhook_id_sequence"),
        refer("delivery", "organization_id", "organization"),
        refer("delivery", "webhook_id", "webhook"),
        refer("delivery", "alert_id", "alert"),
    )
    op.create_index("ix_delivery_webhook_id_state_sequence", "delivery", ["webhook_id", "state", "sequence"])


def create_top_up() -> None:
    op.create_table(
        "top_up",
        *build_birth(),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_nano", EXACT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("record_id", ID, nullable=True),
        sa.Column("statement_id", ID, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("proposed_by", ID, nullable=False),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("balance_nano", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_top_up"),
        refer("top_up", "organization_id", "organization"),
        refer("top_up", "proposed_by", "key"),
        refer("top_up", "decided_by", "key"),
    )
    op.create_index("ix_top_up_organization_id_id", "top_up", ["organization_id", "id"])
