"""What is told of a device, who may use it, and which device a replica is on.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"

ID = sa.Uuid()
TEXT = sa.Text()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
STRUCTURE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# Devices that are there are open to all work, and their next report tells their facts.
TOLD: tuple[tuple[str, sa.types.TypeEngine[Any], object], ...] = (
    ("facts", STRUCTURE, {}),
    ("use", TEXT, "open"),
    ("use_reason", TEXT, ""),
    ("use_actor", TEXT, ""),
)


def upgrade() -> None:
    for name, column_type, _ in TOLD:
        op.add_column("device", sa.Column(name, column_type, nullable=True))
    table = sa.table("device", *(sa.column(name, column_type) for name, column_type, _ in TOLD))
    op.execute(table.update().values({name: value for name, _, value in TOLD}))
    with op.batch_alter_table("device") as batch:
        for name, column_type, _ in TOLD:
            batch.alter_column(name, existing_type=column_type, nullable=False)
        batch.add_column(sa.Column("use_changed_at", INSTANT, nullable=True))
    with op.batch_alter_table("replica") as batch:
        batch.add_column(sa.Column("device_id", ID, nullable=True))
        batch.create_foreign_key("fk_replica_device_id_device", "device", ["device_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("replica") as batch:
        batch.drop_constraint("fk_replica_device_id_device", type_="foreignkey")
        batch.drop_column("device_id")
    with op.batch_alter_table("device") as batch:
        for name in ("use_changed_at", *(name for name, _, _ in TOLD)):
            batch.drop_column(name)
