"""What providers ask, what is taken off before they are paid, and from when on a price holds.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

AnyColumn = sa.Column[Any]

TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
ID = sa.Uuid()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
# 38 digits: SQLite's own integers end at 2^63.
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    create_offer()
    create_deduction()
    add_effective_from()
    for name in ("images", "audio_seconds"):
        op.add_column("usage_record", sa.Column(name, INTEGER, nullable=True))


def downgrade() -> None:
    for name in ("images", "audio_seconds"):
        op.drop_column("usage_record", name)
    # Work on a noun that the code before does not know would stop its lease loop.
    for table in ("outbox", "lease"):
        named = sa.table(table, sa.column("noun", TEXT))
        op.execute(named.delete().where(named.c.noun == "price"))
    with op.batch_alter_table("price") as batch:
        batch.drop_column("effective_from")
    op.drop_table("deduction")
    op.drop_table("offer")


def create_offer() -> None:
    op.create_table(
        "offer",
        *build_noun_columns(),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("model_id", ID, nullable=True),
        sa.Column("chip", TEXT, nullable=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("nano_per_million", JSON, nullable=False),
        sa.Column("nano_per_device_hour", EXACT, nullable=True),
        sa.Column("quantity_max", INTEGER, nullable=True),
        sa.Column("term_hours", INTEGER, nullable=True),
        sa.Column("effective_from", INSTANT, nullable=False),
        sa.Column("effective_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_offer"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_offer_provider_id_provider"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_offer_model_id_model"),
        sa.UniqueConstraint("provider_id", "subject", "version", name="uq_offer_provider_id_subject_version"),
    )


def create_deduction() -> None:
    op.create_table(
        "deduction",
        *build_noun_columns(),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("provider_id", ID, nullable=True),
        sa.Column("organization_id", ID, nullable=True),
        sa.Column("rate_ppm", INTEGER, nullable=True),
        sa.Column("effective_from", INSTANT, nullable=False),
        sa.Column("effective_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deduction"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_deduction_provider_id_provider"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_deduction_organization_id_organization"
        ),
        sa.UniqueConstraint("kind", "subject", "version", name="uq_deduction_kind_subject_version"),
    )


def add_effective_from() -> None:
    """Prices that exist have held since they were made."""
    op.add_column("price", sa.Column("effective_from", INSTANT, nullable=True))
    price = sa.table("price", sa.column("effective_from", INSTANT), sa.column("created_at", INSTANT))
    op.execute(price.update().values(effective_from=price.c.created_at))
    with op.batch_alter_table("price") as batch:
        batch.alter_column("effective_from", existing_type=INSTANT, nullable=False)


def build_noun_columns() -> tuple[AnyColumn, ...]:
    return (
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )
