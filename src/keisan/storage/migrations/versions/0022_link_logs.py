"""Logs to and from neighbours, registers of all platforms, and letters that were refused.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
BYTES = sa.LargeBinary()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
LETTER_TABLES = ("outgoing_letter", "incoming_letter")


def upgrade() -> None:
    op.create_table(
        "outgoing_log",
        sa.Column("link_id", ID, nullable=False),
        sa.Column("link_log", TEXT, nullable=False),
        sa.Column("incarnation", ID, nullable=False),
        sa.Column("base_place", INTEGER, nullable=False),
        sa.Column("last_place", INTEGER, nullable=False),
        sa.Column("last_hash", BYTES, nullable=False),
        sa.Column("trimmed_place", INTEGER, nullable=False),
        sa.Column("trimmed_hash", BYTES, nullable=False),
        sa.Column("acknowledged_place", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("link_id", "link_log", name="pk_outgoing_log"),
    )
    op.create_table(
        "incoming_log",
        sa.Column("link_id", ID, nullable=False),
        sa.Column("link_log", TEXT, nullable=False),
        sa.Column("incarnation", ID, nullable=True),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("hash", BYTES, nullable=False),
        sa.Column("last_place", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("link_id", "link_log", name="pk_incoming_log"),
    )
    for name in LETTER_TABLES:
        _create_letters(name, *([sa.Column("hash", BYTES, nullable=False)] if name == "outgoing_letter" else []))
    _create_registers()
    op.create_table(
        "refused_letter",
        sa.Column("letter_id", ID, nullable=False),
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("link_id", ID, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("letter", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("letter_id", "digest", name="pk_refused_letter"),
    )
    op.create_index("ix_refused_letter_link_id_arrived_at", "refused_letter", ["link_id", "arrived_at"])
    op.create_index("ix_refused_letter_arrived_at", "refused_letter", ["arrived_at"])


def _create_letters(name: str, *columns: "sa.Column[bytes]") -> None:
    op.create_table(
        name,
        sa.Column("link_id", ID, nullable=False),
        sa.Column("link_log", TEXT, nullable=False),
        sa.Column("place", INTEGER, nullable=False),
        sa.Column("letter_id", ID, nullable=False),
        sa.Column("author", BYTES, nullable=False),
        sa.Column("period_digest", BYTES, nullable=True),
        sa.Column("kept_at", INSTANT, nullable=False),
        sa.Column("letter", BYTES, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("link_id", "link_log", "place", name=f"pk_{name}"),
        sa.UniqueConstraint(
            "letter_id", "author", "link_id", "link_log", name=f"uq_{name}_letter_id_author_link_id_link_log"
        ),
    )


def _create_registers() -> None:
    op.create_table(
        "register",
        sa.Column("author", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("audience", TEXT, nullable=True),
        sa.Column("source", ID, nullable=True),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("is_deleted", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("change", INTEGER, nullable=False),
        sa.Column("letter", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("author", "kind", "name", name="pk_register"),
    )
    op.create_index("ix_register_source", "register", ["source"])
    op.create_index("ix_register_kind", "register", ["kind"])
    op.create_index("ix_register_author_change", "register", ["author", "change"])
    op.create_index("ix_register_change", "register", ["change"])
    with op.batch_alter_table("head") as batch:
        batch.add_column(sa.Column("register_change", INTEGER, nullable=False, server_default="0"))
    with op.batch_alter_table("head") as batch:
        batch.alter_column("register_change", server_default=None)


def downgrade() -> None:
    for table in ("refused_letter", "register", *LETTER_TABLES, "incoming_log", "outgoing_log"):
        op.drop_table(table)
    with op.batch_alter_table("head") as batch:
        batch.drop_column("register_change")
