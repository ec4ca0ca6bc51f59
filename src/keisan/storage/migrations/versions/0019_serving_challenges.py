"""Serving challenges: what was asked of a deployment, what each step came to, and what it proved.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
OWNERS = {"site_id": "site", "deployment_id": "deployment", "model_id": "model", "project_id": "project"}


def upgrade() -> None:
    op.create_table(
        "serving_challenge",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        *(sa.Column(name, ID, nullable=False) for name in OWNERS),
        sa.Column("key_id", ID, nullable=True),
        sa.Column("asked_by", ID, nullable=False),
        sa.Column("work", JSON, nullable=False),
        sa.Column("claim_milli_per_s", INTEGER, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("steps", JSON, nullable=False),
        sa.Column("replica_ids", JSON, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("flags", JSON, nullable=False),
        sa.Column("rate_milli_per_s", INTEGER, nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("judged_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_serving_challenge"),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=f"fk_serving_challenge_{name}_{table}")
            for name, table in OWNERS.items()
        ),
    )
    op.create_index("ix_serving_challenge_deployment_id_id", "serving_challenge", ["deployment_id", "id"])
    op.create_index("ix_serving_challenge_site_id_id", "serving_challenge", ["site_id", "id"])


def downgrade() -> None:
    op.drop_table("serving_challenge")
