"""Links to neighbours, and invitations for children.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("neighbour_id", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("region", TEXT, nullable=True),
        sa.Column("prefix", TEXT, nullable=False),
        sa.Column("epoch", INTEGER, nullable=False),
        sa.Column("keys", JSON, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("invitation_id", ID, nullable=True),
        sa.Column("certificate", TEXT, nullable=False),
        sa.Column("certificate_ends_at", INSTANT, nullable=True),
        sa.Column("ca", TEXT, nullable=False),
        sa.Column("offset_ms", INTEGER, nullable=True),
        sa.Column("heard_at", INSTANT, nullable=True),
        sa.Column("reviewer", TEXT, nullable=False),
        sa.Column("reviewed_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("departure", JSON, nullable=False),
        sa.Column("successor_id", ID, nullable=True),
        sa.Column("link_key", sa.LargeBinary(), nullable=False),
        sa.Column("asked_ms", INTEGER, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("fault", TEXT, nullable=False),
        sa.Column("link_url", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
    )
    op.create_index("ix_link_neighbour_id", "link", ["neighbour_id"])
    op.create_table(
        "invitation",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=True),
        sa.Column("region", TEXT, nullable=True),
        sa.Column("label", TEXT, nullable=True),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_by", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
    )


def downgrade() -> None:
    for table in (sa.table("lease", sa.column("noun")), sa.table("outbox", sa.column("noun"))):
        op.execute(sa.delete(table).where(table.c.noun == "link"))
    op.drop_table("invitation")
    op.drop_table("link")
