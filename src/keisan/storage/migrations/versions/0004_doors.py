"""Doors of sites: where they are, and the salts of their secrets; a secret itself is nowhere in a database.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "door",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("place", JSON, nullable=True),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("shown_salt", TEXT, nullable=False),
        sa.Column("other_salt", TEXT, nullable=False),
        sa.Column("is_rotation_wanted", sa.Boolean(), nullable=False),
        sa.Column("moved_at", INSTANT, nullable=True),
        sa.Column("moved_version", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_door"),
        sa.ForeignKeyConstraint(["id"], ["site.id"], name="fk_door_id_site"),
    )


def downgrade() -> None:
    op.drop_table("door")
