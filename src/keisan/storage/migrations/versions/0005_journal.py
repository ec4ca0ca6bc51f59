"""The journal's signed chain of entries; usage records share contexts, name their entry, and tell who got what.

What was posted before there was a journal has no entry; its records name none.
Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.Uuid()
TEXT = sa.Text()
INTEGER = sa.BigInteger()
BYTES = sa.LargeBinary()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")

FIRST_ENTRY_HASH = "0" * 64
CHUNK_ROWS = 1000
SHARED_IDS = ("gateway_id", "project_id", "key_id", "model_id", "price_id", "deployment_id", "replica_id", "site_id")
OWNER_IDS = ("organization_id", "provider_id")
SHARED_TEXTS = ("platform_id", "model_digest")
# In the order in which a context's id is made of them.
CONTEXT_COLUMNS = (
    "platform_id",
    "gateway_id",
    "organization_id",
    "project_id",
    "key_id",
    "model_id",
    "price_id",
    "deployment_id",
    "replica_id",
    "provider_id",
    "site_id",
    "model_digest",
    "currency",
    "chip",
)
FOUND = {"currency", "chip"}
CONTEXT_TYPES: dict[str, Any] = {
    name: ID if name.endswith("_id") and name != "platform_id" else TEXT for name in CONTEXT_COLUMNS
}
QUANTITIES = tuple(f"{name}_tokens" for name in ("input", "input_cached", "input_cache_write", "output", "reasoning"))
# What a record has on both sides of this revision, but for its digest.
KEPT: dict[str, Any] = {
    "day": sa.Date(),
    "id": ID,
    "organization_id": ID,
    "provider_id": ID,
    "surface": TEXT,
    "is_stream": sa.Boolean(),
    "admitted_at": INSTANT,
    "duration_us": INTEGER,
    "first_byte_us": INTEGER,
    "outcome": TEXT,
    "http_status": INTEGER,
    "usage_source": TEXT,
    **dict.fromkeys(QUANTITIES, INTEGER),
    "amount_nano": EXACT,
    "request_bytes": INTEGER,
    "response_bytes": INTEGER,
    "event_count": INTEGER,
    "ticket_id": ID,
}
NULLABLE = {"first_byte_us", "ticket_id", "entry_id", *QUANTITIES}
NEW: dict[str, Any] = {
    "context_id": ID,
    "provider_nano": EXACT,
    "tax_nano": EXACT,
    "content_digest": BYTES,
    "entry_id": ID,
}
OLD: dict[str, Any] = dict.fromkeys(SHARED_IDS, ID) | dict.fromkeys((*SHARED_TEXTS, "content_digest"), TEXT)


def upgrade() -> None:
    create_entry()
    create_context()
    rename_batches("batch_id", "entry_id")
    fill_contexts()
    if is_postgresql():
        upgrade_postgresql()
    else:
        rebuild_sqlite(KEPT | NEW, build_upgraded())
    for name, columns in (
        ("ix_usage_record_organization_id_id", ["organization_id", "id"]),
        ("ix_usage_record_provider_id_id", ["provider_id", "id"]),
        ("ix_usage_record_entry_id", ["entry_id"]),
    ):
        op.create_index(name, "usage_record", columns)


def downgrade() -> None:
    if is_postgresql():
        downgrade_postgresql()
    else:
        rebuild_sqlite(KEPT | OLD, build_downgraded())
    for name, columns in (
        ("ix_usage_record_id", ["id"]),
        ("ix_usage_record_organization_id_day", ["organization_id", "day"]),
        ("ix_usage_record_provider_id_day", ["provider_id", "day"]),
    ):
        op.create_index(name, "usage_record", columns)
    rename_batches("entry_id", "batch_id")
    op.drop_table("usage_context")
    op.drop_table("entry")
    for name in ("entry_sequence", "entry_hash"):
        op.drop_column("head", name)


def is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


def refuse_changes(table: str) -> None:
    """Make a table append-only."""
    refuse_row_changes(table)
    if is_postgresql():
        op.execute(
            f"CREATE TRIGGER refuse_truncate_{table} BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def refuse_row_changes(table: str) -> None:
    if is_postgresql():
        op.execute(
            f"CREATE TRIGGER refuse_change_{table} BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER refuse_{verb.lower()}_{table} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def create_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("sequence", INTEGER, nullable=False, autoincrement=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("record_count", INTEGER, nullable=False),
        sa.Column("header", BYTES, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("signature", BYTES, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_entry"),
        sa.UniqueConstraint("id", name="uq_entry_id"),
    )
    refuse_changes("entry")
    # Defaults are for the one row that there is, and go again where they can.
    op.add_column("head", sa.Column("entry_sequence", INTEGER, nullable=False, server_default="0"))
    op.add_column("head", sa.Column("entry_hash", TEXT, nullable=False, server_default=FIRST_ENTRY_HASH))
    with op.batch_alter_table("head") as head:
        for name in ("entry_sequence", "entry_hash"):
            head.alter_column(name, server_default=None)


def create_context() -> None:
    op.create_table(
        "usage_context",
        sa.Column("id", ID, nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in CONTEXT_TYPES.items()),
        sa.PrimaryKeyConstraint("id", name="pk_usage_context"),
    )
    refuse_changes("usage_context")


def rename_batches(before: str, after: str) -> None:
    """A posting belongs to an entry."""
    op.alter_column("posting", before, new_column_name=after)
    for account in ("debit_account_id", "credit_account_id"):
        op.drop_index(f"ix_posting_{account}_{before}", "posting")
        op.create_index(f"ix_posting_{account}_{after}", "posting", [account, after])


def list_columns(names: Mapping[str, Any]) -> list[Any]:
    return [sa.column(name, kind) for name, kind in names.items()]


def make_id(values: Sequence[object]) -> UUID:
    """Return a context's id, as the code of this revision makes it."""
    content = "".join(f"{len(text)}:{text}" for text in map(str, values)).encode()
    return UUID(bytes=hashlib.sha256(content).digest()[:16])


def fill_contexts() -> None:
    """Write the contexts of all records that there are: price and replica tell what the records themselves do not."""
    record, context = name_old_record(), name_context()
    price = sa.table("price", *list_columns({"id": ID, "currency": TEXT}))
    replica = sa.table("replica", *list_columns({"id": ID, "chip": TEXT}))
    told = [record.c[name] for name in CONTEXT_COLUMNS if name not in FOUND]
    found = (sa.func.coalesce(price.c.currency, ""), sa.func.coalesce(replica.c.chip, ""))
    wanted = (
        sa.select(*told, *found)
        .outerjoin(price, price.c.id == record.c.price_id)
        .outerjoin(replica, replica.c.id == record.c.replica_id)
        .distinct()
    )
    rows = [tuple(row) for row in op.get_bind().execute(wanted)]
    if rows:
        op.bulk_insert(context, [{"id": make_id(row), **dict(zip(CONTEXT_COLUMNS, row, strict=True))} for row in rows])


def upgrade_postgresql() -> None:
    op.execute("DROP TRIGGER refuse_change_usage_record ON usage_record")
    for name in ("ix_usage_record_id", "ix_usage_record_organization_id_day", "ix_usage_record_provider_id_day"):
        op.drop_index(name, "usage_record")
    for name, kind in NEW.items():
        if name != "content_digest":
            op.add_column("usage_record", sa.Column(name, kind, nullable=True))
    record, context = name_old_record(), name_context()
    op.execute(
        sa.update(record)
        .where(match_context(record, context))
        .values(context_id=context.c.id, provider_nano=record.c.amount_nano, tax_nano=0)
    )
    op.execute("ALTER TABLE usage_record ALTER COLUMN content_digest TYPE bytea USING decode(content_digest, 'hex')")
    for name in ("context_id", "provider_nano", "tax_nano"):
        op.alter_column("usage_record", name, nullable=False)
    for name in (*SHARED_IDS, *SHARED_TEXTS):
        op.drop_column("usage_record", name)
    refuse_row_changes("usage_record")


def downgrade_postgresql() -> None:
    op.execute("DROP TRIGGER refuse_change_usage_record ON usage_record")
    for name in ("ix_usage_record_organization_id_id", "ix_usage_record_provider_id_id", "ix_usage_record_entry_id"):
        op.drop_index(name, "usage_record")
    shared = (*SHARED_IDS, *SHARED_TEXTS)
    for name in shared:
        op.add_column("usage_record", sa.Column(name, OLD[name], nullable=True))
    record, context = name_old_record(), name_context()
    values = {name: context.c[name] for name in shared}
    op.execute(sa.update(record).where(record.c.context_id == context.c.id).values(values))
    op.execute("ALTER TABLE usage_record ALTER COLUMN content_digest TYPE text USING encode(content_digest, 'hex')")
    for name in shared:
        op.alter_column("usage_record", name, nullable=False)
    for name in NEW:
        if name != "content_digest":
            op.drop_column("usage_record", name)
    refuse_row_changes("usage_record")


def rebuild_sqlite(columns: Mapping[str, Any], rows: sa.Select[Any]) -> None:
    """Make the table anew and fill it with `rows`: SQLite cannot change a primary key's table otherwise."""
    rebuilt = op.create_table(
        "usage_record_rebuilt",
        *(sa.Column(name, kind, nullable=name in NULLABLE) for name, kind in columns.items()),
        sa.PrimaryKeyConstraint("day", "id", name="pk_usage_record"),
        sa.CheckConstraint("amount_nano >= 0", name="ck_usage_record_amount_not_negative"),
    )
    found = op.get_bind().execute(rows).mappings()
    while chunk := found.fetchmany(CHUNK_ROWS):
        op.bulk_insert(rebuilt, [turn_digest(row) for row in chunk])
    op.drop_table("usage_record")
    op.rename_table("usage_record_rebuilt", "usage_record")
    refuse_row_changes("usage_record")


def turn_digest(row: Mapping[Any, Any]) -> dict[str, Any]:
    digest = row["content_digest"]
    turned = bytes.fromhex(digest) if isinstance(digest, str) else bytes(digest).hex()
    return {**row, "content_digest": turned}


def name_old_record() -> sa.TableClause:
    """Return records with the columns of both sides of this revision, each read only where it is."""
    return sa.table("usage_record", *list_columns(KEPT | NEW | OLD))


def name_context() -> sa.TableClause:
    return sa.table(
        "usage_context", *list_columns({"id": ID} | {name: CONTEXT_TYPES[name] for name in CONTEXT_COLUMNS})
    )


def match_context(record: sa.TableClause, context: sa.TableClause) -> sa.ColumnElement[bool]:
    """Return the condition that a record, as it was before, is of a context."""
    told = (name for name in CONTEXT_COLUMNS if name not in FOUND)
    return sa.and_(*(record.c[name] == context.c[name] for name in told))


def build_upgraded() -> sa.Select[Any]:
    record, context = name_old_record(), name_context()
    found = (
        context.c.id.label("context_id"),
        record.c.amount_nano.label("provider_nano"),
        sa.literal(0, EXACT).label("tax_nano"),
        sa.null().label("entry_id"),
    )
    kept = (record.c[name] for name in (*KEPT, "content_digest"))
    return sa.select(*kept, *found).join(context, match_context(record, context))


def build_downgraded() -> sa.Select[Any]:
    record, context = name_old_record(), name_context()
    kept = (record.c[name] for name in (*KEPT, "content_digest"))
    shared = (context.c[name] for name in (*SHARED_IDS, *SHARED_TEXTS))
    return sa.select(*kept, *shared).join(context, context.c.id == record.c.context_id)
