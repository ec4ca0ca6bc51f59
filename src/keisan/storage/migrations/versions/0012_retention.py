"""Indexes by which retention finds what is oldest.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from alembic import op

revision = "0012"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_quarantined_record_created_at", "quarantined_record", ["created_at"])
    op.create_index("ix_delivery_state_wanted_since", "delivery", ["state", "wanted_since"])


def downgrade() -> None:
    op.drop_index("ix_delivery_state_wanted_since", "delivery")
    op.drop_index("ix_quarantined_record_created_at", "quarantined_record")
