"""Closed statements, payouts of them, and disputes.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
BYTES = sa.LargeBinary()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    create_statement()
    create_payout()
    create_dispute()


def downgrade() -> None:
    for name in ("dispute", "payout", "statement"):
        op.drop_table(name)


def refuse_changes(table: str) -> None:
    """Make a table append-only."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER refuse_change_{table} BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER refuse_truncate_{table} BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER refuse_{verb.lower()}_{table} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def create_statement() -> None:
    op.create_table(
        "statement",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("holder_kind", TEXT, nullable=False),
        sa.Column("holder_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("record_count", INTEGER, nullable=False),
        sa.Column("amount_nano", EXACT, nullable=False),
        sa.Column("tax_nano", EXACT, nullable=False),
        sa.Column("adjustment_nano", EXACT, nullable=False),
        sa.Column("opening_nano", EXACT, nullable=False),
        sa.Column("closing_nano", EXACT, nullable=False),
        sa.Column("after_sequence", INTEGER, nullable=True),
        sa.Column("entry_sequence", INTEGER, nullable=False),
        sa.Column("records_root", TEXT, nullable=False),
        sa.Column("document", BYTES, nullable=False),
        sa.Column("document_sha256", TEXT, nullable=False),
        sa.Column("signature", BYTES, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_statement"),
        sa.UniqueConstraint(
            "holder_kind",
            "holder_id",
            "currency",
            "first_day",
            name="uq_statement_holder_kind_holder_id_currency_first_day",
        ),
    )
    op.create_index("ix_statement_holder_id_id", "statement", ["holder_id", "id"])
    refuse_changes("statement")


def create_payout() -> None:
    op.create_table(
        "payout",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("statement_id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_nano", EXACT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payout"),
        sa.UniqueConstraint("statement_id", name="uq_payout_statement_id"),
        sa.ForeignKeyConstraint(["statement_id"], ["statement.id"], name="fk_payout_statement_id_statement"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_payout_provider_id_provider"),
    )
    refuse_changes("payout")


def create_dispute() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("statement_id", ID, nullable=False),
        sa.Column("holder_kind", TEXT, nullable=False),
        sa.Column("holder_id", ID, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("record_ids", JSON, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("resolution", TEXT, nullable=False),
        sa.Column("amount_nano", EXACT, nullable=True),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("entry_sequence", INTEGER, nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dispute"),
        sa.ForeignKeyConstraint(["statement_id"], ["statement.id"], name="fk_dispute_statement_id_statement"),
    )
    op.create_index("ix_dispute_statement_id", "dispute", ["statement_id"])
    op.create_index("ix_dispute_holder_id_entry_sequence", "dispute", ["holder_id", "entry_sequence"])
