"""When the answer to a challenge came, kept before it is checked.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()


def upgrade() -> None:
    with op.batch_alter_table("challenge") as batch:
        batch.add_column(sa.Column("answered_at", INSTANT, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("challenge") as batch:
        batch.drop_column("answered_at")
