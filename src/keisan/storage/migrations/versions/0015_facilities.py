"""What facilities have: their records day by day, what their owners claim, and surveys of those that are not connected.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"

AnyColumn = sa.Column[Any]

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
DAY = sa.Date()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
FIGURES = (
    "latitude_microdegrees",
    "longitude_microdegrees",
    "standard_racks",
    "standard_racks_in_use",
    "rated_power_w",
    "power_w",
    "pue_permille",
    "wue_ml_per_kwh",
    "green_power_permille",
    "latency_hub_us",
    "latency_city_us",
    "latency_node_us",
    "storage_bytes",
)


def upgrade() -> None:
    create_facility()
    create_claim()
    create_survey_line()


def downgrade() -> None:
    op.drop_table("survey_line")
    op.drop_table("claim")
    op.drop_table("facility")


def create_facility() -> None:
    op.create_table(
        "facility",
        *build_noun_columns(),
        *require(
            ("site_id", ID), ("day", DAY), ("measured_at", INSTANT), ("recorded_by", ID), ("recorded_at", INSTANT)
        ),
        *allow(("address", TEXT), ("ports", JSON), *((name, INTEGER) for name in FIGURES)),
        sa.PrimaryKeyConstraint("id", name="pk_facility"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_facility_site_id_site"),
        sa.UniqueConstraint("site_id", "day", name="uq_facility_site_id_day"),
    )


def create_claim() -> None:
    op.create_table(
        "claim",
        *build_noun_columns(),
        *require(
            ("site_id", ID), ("chip", TEXT), ("claimed_by", ID), ("claimed_at", INSTANT), ("device_count", INTEGER)
        ),
        *allow(("standard_racks", INTEGER), ("memory_bytes", INTEGER), ("bandwidth_bytes_per_s", INTEGER)),
        *require(("gflops", JSON)),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_claim_site_id_site"),
        sa.UniqueConstraint("site_id", "chip", name="uq_claim_site_id_chip"),
    )


def create_survey_line() -> None:
    op.create_table(
        "survey_line",
        *build_noun_columns(),
        *require(("source", TEXT), ("day", DAY), ("grade", TEXT), ("line", INTEGER), ("uploaded_by", ID)),
        *require(("region", TEXT), ("owner", TEXT)),
        *allow(("vendor", TEXT), ("chip", TEXT), ("device_count", INTEGER), ("standard_racks", INTEGER)),
        *allow(("memory_bytes", INTEGER), ("storage_bytes", INTEGER), ("pue_permille", INTEGER)),
        *require(("gflops", JSON)),
        sa.PrimaryKeyConstraint("id", name="pk_survey_line"),
        sa.UniqueConstraint("source", "day", "line", name="uq_survey_line_source_day_line"),
    )


def require(*columns: tuple[str, sa.types.TypeEngine[Any]]) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=False) for name, column_type in columns]


def allow(*columns: tuple[str, sa.types.TypeEngine[Any]]) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=True) for name, column_type in columns]


def build_noun_columns() -> list[AnyColumn]:
    return require(("id", ID), ("platform_id", TEXT), ("version", INTEGER), ("created_at", INSTANT))
