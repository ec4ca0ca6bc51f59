"""Settlement between platforms: records of calls that crossed, their batches, hourly totals, settlements, disputes.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"

AnyColumn = sa.Column[Any]

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
BYTES = sa.LargeBinary()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    create_cross_record()
    create_cross_batch()
    create_settlement()
    create_hourly_total()
    create_platform_dispute()


def downgrade() -> None:
    for name in ("platform_dispute", "hourly_total", "settlement", "cross_batch", "cross_record"):
        op.drop_table(name)


def create_cross_record() -> None:
    op.create_table(
        "cross_record",
        *require(("author", TEXT), ("record_id", ID), ("audience", TEXT), ("end", TEXT), ("period", TEXT)),
        *require(("leaf", BYTES), ("leaf_hash", BYTES)),
        *allow(("batch_id", ID)),
        *require(("state", TEXT), ("code", TEXT), ("currency", TEXT), ("amount_nano", EXACT), ("created_at", INSTANT)),
        sa.PrimaryKeyConstraint("author", "record_id", name="pk_cross_record"),
    )
    op.create_index("ix_cross_record_record_id", "cross_record", ["record_id"])
    op.create_index("ix_cross_record_batch_id", "cross_record", ["batch_id"])
    key = ["author", "audience", "period", "record_id"]
    op.create_index("ix_cross_record_author_audience_period_record_id", "cross_record", key)


def create_cross_batch() -> None:
    op.create_table(
        "cross_batch",
        *require(("id", ID), ("content", BYTES), ("signature", BYTES), ("public_key", BYTES)),
        *allow(("countersignature", BYTES), ("counter_key", BYTES)),
        sa.PrimaryKeyConstraint("id", name="pk_cross_batch"),
    )


def create_settlement() -> None:
    signed = [f"{name}_{part}" for name in ("statement", "countersignature") for part in PARTS]
    op.create_table(
        "settlement",
        *require(("id", ID), ("platform_id", TEXT), ("version", INTEGER), ("created_at", INSTANT)),
        *require(("author", TEXT), ("audience", TEXT), ("period", TEXT), ("state", TEXT), ("revision", INTEGER)),
        *allow(*((name, BYTES) for name in signed)),
        *allow(("ended_at", INSTANT), ("countersigned_at", INSTANT)),
        sa.PrimaryKeyConstraint("id", name="pk_settlement"),
        sa.UniqueConstraint("author", "audience", "period", name="uq_settlement_author_audience_period"),
    )


PARTS = ("content", "signature", "public_key")


def create_hourly_total() -> None:
    key = ("author", "audience", "hour", "region")
    op.create_table(
        "hourly_total",
        *require(("id", ID), ("author", TEXT), ("audience", TEXT), ("hour", TEXT), ("period", TEXT), ("region", TEXT)),
        *require(("body", BYTES), ("leaf_hash", BYTES), ("created_at", INSTANT)),
        sa.PrimaryKeyConstraint("id", name="pk_hourly_total"),
        sa.UniqueConstraint(*key, name="uq_hourly_total_author_audience_hour_region"),
    )


def create_platform_dispute() -> None:
    op.create_table(
        "platform_dispute",
        *require(("id", ID), ("platform_id", TEXT), ("home_id", TEXT), ("serving_id", TEXT), ("period", TEXT)),
        *require(("codes", JSON), ("currency", TEXT), ("amount_nano", EXACT), ("created_at", INSTANT)),
        sa.PrimaryKeyConstraint("id", name="pk_platform_dispute"),
    )


def require(*columns: tuple[str, sa.types.TypeEngine[Any]]) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=False) for name, column_type in columns]


def allow(*columns: tuple[str, sa.types.TypeEngine[Any]]) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=True) for name, column_type in columns]
