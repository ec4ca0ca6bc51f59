"""The first schema: every noun, the ledger, usage by day, and what control needs.

Frozen: a later change of a table is a later revision, and this one stays as it ran.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from keisan.domain.event import FIRST_EVENT_HASH
from keisan.kit.ids import create_id

revision = "0001"
down_revision = None

AnyType = sa.types.TypeEngine[Any]
AnyColumn = sa.Column[Any]

ID = sa.Uuid()
TEXT = sa.Text()
BYTES = sa.LargeBinary()
BOOLEAN = sa.Boolean()
DAY = sa.Date()
SMALL = sa.SmallInteger()
INTEGER = sa.BigInteger()
# Microseconds since 1970, in UTC.
INSTANT = sa.BigInteger()
EXACT = sa.Numeric(38, 0).with_variant(sa.Text(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

TABLES = (
    "platform",
    "organization",
    "project",
    "provider",
    "key",
    "model",
    "price",
    "site",
    "node",
    "device",
    "machine",
    "join_token",
    "deployment",
    "replica",
    "account",
    "posting",
    "usage_record",
    "quarantined_record",
    "head",
    "event",
    "snapshot_change",
    "outbox",
    "lease",
    "stored_answer",
)
APPEND_ONLY = ("event", "posting", "usage_record")
# Days before and after these have one partition each, so that every record has a place and a mad clock makes no
# partitions; the days between get theirs when their first record comes.
FIRST_DAY = "2020-01-01"
END_DAY = "2100-01-01"


def upgrade() -> None:
    create_organizations()
    create_catalogue()
    create_sites()
    create_deployments()
    create_ledger()
    create_usage()
    create_control()
    create_head()
    if op.get_context().dialect.name == "postgresql":
        create_postgresql_particulars()
    else:
        create_sqlite_triggers()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def build_required(column_type: AnyType, *names: str) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=False) for name in names]


def build_optional(column_type: AnyType, *names: str) -> list[AnyColumn]:
    return [sa.Column(name, column_type, nullable=True) for name in names]


def create_head() -> None:
    """Insert the one row; the incarnation is new with each database, so no gateway takes one for another."""
    head = sa.table("head", *(sa.column(name) for name in ("position", "event_sequence", "event_hash")))
    head.append_column(sa.column("snapshot_incarnation", ID))
    for name in ("snapshot_version", "snapshot_kept_after", "snapshot_change_count"):
        head.append_column(sa.column(name))
    first = {"position": 1, "event_sequence": 0, "event_hash": FIRST_EVENT_HASH, "snapshot_incarnation": create_id()}
    counts = {"snapshot_version": 0, "snapshot_kept_after": 0, "snapshot_change_count": 0}
    op.bulk_insert(head, [first | counts])


def create_sqlite_triggers() -> None:
    """A batch migration makes a table anew, and must then make its triggers anew too."""
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER refuse_{verb.lower()}_{table} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def create_postgresql_particulars() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER refuse_change_{table} BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER refuse_truncate_{table} BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    of_days = "CREATE TABLE usage_record_{} PARTITION OF usage_record FOR VALUES FROM ({}) TO ({})"
    op.execute(of_days.format("early", "MINVALUE", f"'{FIRST_DAY}'"))
    op.execute(of_days.format("late", f"'{END_DAY}'", "MAXVALUE"))


def create_organizations() -> None:
    op.create_table(
        "platform",
        *build_required(TEXT, "id", "name", "kind"),
        *build_required(BYTES, "public_key"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        *build_required(SMALL, "position"),
        *build_optional(TEXT, "region"),
        sa.PrimaryKeyConstraint("id", name="pk_platform"),
        sa.CheckConstraint("position = 1", name="ck_platform_one_platform"),
        sa.UniqueConstraint("position", name="uq_platform_position"),
    )
    op.create_table(
        "organization",
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "name"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
        sa.UniqueConstraint("platform_id", "name", name="uq_organization_platform_id_name"),
    )
    op.create_table(
        "project",
        *build_required(ID, "id", "organization_id"),
        *build_required(TEXT, "platform_id", "name"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_project_organization_id_organization"
        ),
        sa.UniqueConstraint("organization_id", "name", name="uq_project_organization_id_name"),
    )
    op.create_table(
        "provider",
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "name"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_provider"),
        sa.UniqueConstraint("platform_id", "name", name="uq_provider_platform_id_name"),
    )
    op.create_table(
        "key",
        *build_required(ID, "id", "organization_id", "project_id"),
        *build_required(TEXT, "platform_id", "name", "role", "digest"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        *build_optional(ID, "provider_id"),
        *build_optional(JSON, "models"),
        *build_optional(INSTANT, "revoked_at"),
        sa.PrimaryKeyConstraint("id", name="pk_key"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_key_organization_id_organization"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_key_project_id_project"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_key_provider_id_provider"),
        sa.UniqueConstraint("digest", name="uq_key_digest"),
    )
    op.create_index("ix_key_organization_id_id", "key", ["organization_id", "id"])


def create_catalogue() -> None:
    op.create_table(
        "model",
        *build_required(ID, "id"),
        *build_required(
            TEXT, "platform_id", "name", "owner", "architecture", "precision", "licence", "weights", "weights_sha256"
        ),
        *build_required(
            INTEGER,
            "version",
            "parameter_count",
            "context_tokens",
            "output_tokens_max",
            "template_tokens_max",
            "weights_bytes",
            "memory_bytes",
        ),
        *build_required(INSTANT, "created_at"),
        *build_required(JSON, "surfaces", "capabilities", "engines"),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("platform_id", "name", name="uq_model_platform_id_name"),
    )
    op.create_table(
        "price",
        *build_required(ID, "id", "model_id"),
        *build_required(TEXT, "platform_id", "currency"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        *build_required(JSON, "nano_per_million"),
        sa.PrimaryKeyConstraint("id", name="pk_price"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_price_model_id_model"),
        sa.UniqueConstraint("model_id", "version", name="uq_price_model_id_version"),
    )


def create_sites() -> None:
    op.create_table(
        "site",
        *build_required(ID, "id", "provider_id"),
        *build_required(TEXT, "platform_id", "name", "region", "verdict"),
        *build_required(INTEGER, "version"),
        *build_required(INSTANT, "created_at"),
        *build_required(JSON, "engines"),
        *build_optional(INSTANT, "reported_at"),
        sa.PrimaryKeyConstraint("id", name="pk_site"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_site_provider_id_provider"),
        sa.UniqueConstraint("provider_id", "name", name="uq_site_provider_id_name"),
    )
    op.create_table(
        "node",
        *build_required(ID, "id", "site_id"),
        *build_required(TEXT, "platform_id", "hardware_id", "hostname", "boot_id"),
        *build_required(INTEGER, "version", "cpu_count", "memory_bytes"),
        *build_required(INSTANT, "created_at", "reported_at"),
        sa.PrimaryKeyConstraint("id", name="pk_node"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_node_site_id_site"),
        sa.UniqueConstraint("site_id", "hardware_id", name="uq_node_site_id_hardware_id"),
    )
    op.create_table(
        "device",
        *build_required(ID, "id", "site_id", "node_id"),
        *build_required(TEXT, "platform_id", "hardware_id", "chip", "name", "verdict"),
        *build_required(INTEGER, "version", "memory_bytes"),
        *build_required(INSTANT, "created_at", "reported_at"),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name="fk_device_node_id_node"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_device_site_id_site"),
        sa.UniqueConstraint("site_id", "hardware_id", name="uq_device_site_id_hardware_id"),
    )
    op.create_table(
        "machine",
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "kind", "name", "digest"),
        *build_required(INTEGER, "version", "acknowledged_version"),
        *build_required(INSTANT, "created_at"),
        *build_optional(ID, "site_id"),
        *build_optional(INSTANT, "seen_at", "revoked_at"),
        sa.PrimaryKeyConstraint("id", name="pk_machine"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_machine_site_id_site"),
        sa.UniqueConstraint("digest", name="uq_machine_digest"),
    )
    op.create_table(
        "join_token",
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "kind", "digest"),
        *build_required(INSTANT, "created_at", "expires_at"),
        *build_optional(ID, "site_id", "used_by"),
        sa.PrimaryKeyConstraint("id", name="pk_join_token"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_join_token_site_id_site"),
        sa.UniqueConstraint("digest", name="uq_join_token_digest"),
    )


def create_deployments() -> None:
    op.create_table(
        "deployment",
        *build_required(ID, "id", "model_id"),
        *build_required(TEXT, "platform_id", "engine", "state", "reason"),
        *build_required(INTEGER, "version", "replica_count", "slots"),
        *build_required(INSTANT, "created_at"),
        *build_optional(ID, "site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deployment"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_deployment_model_id_model"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_deployment_site_id_site"),
    )
    op.create_index("ix_deployment_model_id", "deployment", ["model_id"])
    op.create_table(
        "replica",
        *build_required(ID, "id", "deployment_id", "model_id", "provider_id", "site_id", "node_id"),
        *build_required(
            TEXT, "platform_id", "engine", "chip", "state", "verdict", "model_digest", "message", "log_tail"
        ),
        *build_required(INTEGER, "version", "slots", "restart_count"),
        *build_required(INSTANT, "created_at"),
        *build_optional(JSON, "endpoint"),
        *build_optional(INSTANT, "reported_at"),
        sa.PrimaryKeyConstraint("id", name="pk_replica"),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name="fk_replica_deployment_id_deployment"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_replica_model_id_model"),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name="fk_replica_node_id_node"),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_replica_provider_id_provider"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_replica_site_id_site"),
    )
    op.create_index("ix_replica_deployment_id", "replica", ["deployment_id"])
    op.create_index("ix_replica_provider_id", "replica", ["provider_id"])
    op.create_index("ix_replica_site_id", "replica", ["site_id"])


def create_ledger() -> None:
    op.create_table(
        "account",
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "kind", "currency", "holder"),
        *build_required(EXACT, "balance_nano"),
        *build_required(INSTANT, "created_at"),
        *build_optional(ID, "organization_id", "provider_id"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_account_organization_id_organization"
        ),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_account_provider_id_provider"),
        sa.UniqueConstraint("holder", "kind", "currency", name="uq_account_holder_kind_currency"),
    )
    op.create_table(
        "posting",
        *build_required(ID, "batch_id", "debit_account_id", "credit_account_id"),
        *build_required(TEXT, "currency"),
        *build_required(EXACT, "amount_nano"),
        *build_required(INTEGER, "record_count"),
        *build_required(INSTANT, "created_at"),
        sa.PrimaryKeyConstraint("batch_id", "debit_account_id", "credit_account_id", name="pk_posting"),
        sa.ForeignKeyConstraint(["credit_account_id"], ["account.id"], name="fk_posting_credit_account_id_account"),
        sa.ForeignKeyConstraint(["debit_account_id"], ["account.id"], name="fk_posting_debit_account_id_account"),
    )
    op.create_index("ix_posting_credit_account_id_batch_id", "posting", ["credit_account_id", "batch_id"])
    op.create_index("ix_posting_debit_account_id_batch_id", "posting", ["debit_account_id", "batch_id"])


def create_usage() -> None:
    op.create_table(
        "usage_record",
        *build_required(DAY, "day"),
        *build_required(
            ID,
            "id",
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
        ),
        *build_required(TEXT, "platform_id", "model_digest", "surface", "outcome", "usage_source", "content_digest"),
        *build_required(BOOLEAN, "is_stream"),
        *build_required(INSTANT, "admitted_at"),
        *build_required(INTEGER, "duration_us", "http_status", "request_bytes", "response_bytes", "event_count"),
        *build_required(EXACT, "amount_nano"),
        *build_optional(
            INTEGER,
            "first_byte_us",
            "input_tokens",
            "input_cached_tokens",
            "input_cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
        ),
        sa.PrimaryKeyConstraint("day", "id", name="pk_usage_record"),
        sa.CheckConstraint("amount_nano >= 0", name="ck_usage_record_amount_not_negative"),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_usage_record_id", "usage_record", ["id"])
    op.create_index("ix_usage_record_organization_id_day", "usage_record", ["organization_id", "day"])
    op.create_index("ix_usage_record_provider_id_day", "usage_record", ["provider_id", "day"])
    op.create_table(
        "quarantined_record",
        *build_required(TEXT, "digest", "code"),
        *build_required(BYTES, "text"),
        *build_required(ID, "gateway_id"),
        *build_required(INSTANT, "created_at"),
        sa.PrimaryKeyConstraint("digest", name="pk_quarantined_record"),
    )


def create_control() -> None:
    op.create_table(
        "head",
        *build_required(SMALL, "position"),
        *build_required(INTEGER, "event_sequence", "snapshot_version", "snapshot_kept_after", "snapshot_change_count"),
        *build_required(TEXT, "event_hash"),
        *build_required(ID, "snapshot_incarnation"),
        sa.PrimaryKeyConstraint("position", name="pk_head"),
        sa.CheckConstraint("position = 1", name="ck_head_one_head"),
    )
    op.create_table(
        "event",
        *build_required(INTEGER, "sequence"),
        *build_required(ID, "id"),
        *build_required(TEXT, "platform_id", "actor", "action", "previous_hash", "hash"),
        *build_required(JSON, "detail"),
        *build_required(INSTANT, "created_at"),
        *build_optional(ID, "noun_id"),
        sa.PrimaryKeyConstraint("sequence", name="pk_event"),
        sa.UniqueConstraint("id", name="uq_event_id"),
    )
    op.create_table(
        "snapshot_change",
        *build_required(INTEGER, "version"),
        *build_required(TEXT, "table"),
        *build_required(ID, "row_id"),
        sa.PrimaryKeyConstraint("version", "table", "row_id", name="pk_snapshot_change"),
    )
    op.create_table(
        "outbox",
        *build_required(TEXT, "noun"),
        *build_required(ID, "noun_id"),
        *build_required(INSTANT, "due_at"),
        *build_required(INTEGER, "generation", "attempt"),
        sa.PrimaryKeyConstraint("noun", "noun_id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
    op.create_table(
        "lease",
        *build_required(TEXT, "noun"),
        *build_required(ID, "noun_id"),
        *build_optional(ID, "token"),
        *build_optional(INSTANT, "expires_at"),
        sa.PrimaryKeyConstraint("noun", "noun_id", name="pk_lease"),
    )
    op.create_table(
        "stored_answer",
        *build_required(ID, "principal_id"),
        *build_required(TEXT, "key", "request_digest", "body"),
        *build_required(SMALL, "status"),
        *build_required(INSTANT, "created_at"),
        *build_optional(TEXT, "etag"),
        sa.PrimaryKeyConstraint("principal_id", "key", name="pk_stored_answer"),
    )
    op.create_index("ix_stored_answer_created_at", "stored_answer", ["created_at"])
