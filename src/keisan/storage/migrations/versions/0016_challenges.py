"""Challenges of devices: what was asked, what was answered, and what it proved.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "challenge",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("round_id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("hardware_id", TEXT, nullable=False),
        sa.Column("chip", TEXT, nullable=False),
        sa.Column("workload", TEXT, nullable=False),
        sa.Column("width", INTEGER, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seed", TEXT, nullable=False),
        sa.Column("claim_per_s", INTEGER, nullable=True),
        sa.Column("asked_by", ID, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("commitment", TEXT, nullable=False),
        sa.Column("positions", JSON, nullable=False),
        sa.Column("committed_at", INSTANT, nullable=True),
        sa.Column("told_us", INTEGER, nullable=True),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("flags", JSON, nullable=False),
        sa.Column("rate_per_s", INTEGER, nullable=True),
        sa.Column("peers", JSON, nullable=True),
        sa.Column("judged_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_challenge"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_challenge_site_id_site"),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name="fk_challenge_node_id_node"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_challenge_device_id_device"),
    )
    for columns in (
        ["round_id"],
        ["site_id", "state"],
        ["commitment"],
        ["device_id", "id"],
        ["chip", "workload", "device_id", "judged_at"],
    ):
        op.create_index(f"ix_challenge_{'_'.join(columns)}", "challenge", columns)


def downgrade() -> None:
    op.drop_table("challenge")
