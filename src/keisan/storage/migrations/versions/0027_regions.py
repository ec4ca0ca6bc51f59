"""What a platform remembers of those below it: who reported which site first, and since when exchanges are in their states.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"

# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "site_report",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("reporter_id", sa.Text(), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("verified_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("site_id", "reporter_id", name="pk_site_report"),
    )
    op.create_table(
        "exchange_mark",
        sa.Column("platform_id", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("platform_id", "exchange", name="pk_exchange_mark"),
    )


def downgrade() -> None:
    for name in ("exchange_mark", "site_report"):
        op.drop_table(name)
