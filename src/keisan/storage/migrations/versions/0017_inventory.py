"""What devices sites have, as they told it.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
BYTES = sa.LargeBinary()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "inventory",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("incarnation", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("device_count", INTEGER, nullable=False),
        sa.Column("body", BYTES, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory"),
        sa.ForeignKeyConstraint(["id"], ["site.id"], name="fk_inventory_id_site"),
    )


def downgrade() -> None:
    op.drop_table("inventory")
