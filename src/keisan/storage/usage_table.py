"""The tables of usage: contexts, which many records share, records, and what became of those that were not simply posted.

Quantities have a column per token class, null where the record names none, so that sums are exact and made in SQL.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from keisan.domain.model import Surface
from keisan.domain.price import COUNT_NAMES, TokenClass
from keisan.domain.quarantine import QuarantineState
from keisan.domain.suspense import SuspenseState
from keisan.domain.usage import CallOutcome, Charge, PostedRecord, UsageContext, UsageRecord, UsageSource
from keisan.kit.identity_map import IdentityMap
from keisan.storage.repository import Visibility, limit_to_owner
from keisan.storage.schema import AnyRow, EnumText, ExactInteger, Instant, build_column, build_id, metadata

QUANTITY_COLUMNS = COUNT_NAMES

usage_context = Table(
    "usage_context",
    metadata,
    # Made of the other columns, so that who writes one need not look for it first.
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    # Without foreign keys: a record may come from another platform.
    build_id("gateway_id"),
    build_id("organization_id"),
    build_id("project_id"),
    build_id("key_id"),
    build_id("model_id"),
    build_id("price_id"),
    build_id("deployment_id"),
    build_id("replica_id"),
    build_id("provider_id"),
    build_id("site_id"),
    build_column("model_digest", Text()),
    build_column("currency", Text()),
    build_column("chip", Text()),
)

usage_record = Table(
    "usage_record",
    metadata,
    build_column("day", Date()),
    build_id("id"),
    build_id("context_id"),
    # Also in the context: here for those who read their own records only.
    build_id("organization_id"),
    build_id("provider_id"),
    build_column("surface", EnumText(Surface)),
    build_column("is_stream", Boolean()),
    build_column("admitted_at", Instant()),
    build_column("duration_us", BigInteger()),
    build_column("first_byte_us", BigInteger(), is_nullable=True),
    build_column("outcome", EnumText(CallOutcome)),
    build_column("http_status", BigInteger()),
    build_column("usage_source", EnumText(UsageSource)),
    *(build_column(name, BigInteger(), is_nullable=True) for name in QUANTITY_COLUMNS.values()),
    build_column("amount_nano", ExactInteger()),
    build_column("provider_nano", ExactInteger()),
    build_column("tax_nano", ExactInteger()),
    build_column("request_bytes", BigInteger()),
    build_column("response_bytes", BigInteger()),
    build_column("event_count", BigInteger()),
    build_id("ticket_id", is_nullable=True),
    build_column("content_digest", LargeBinary()),
    build_id("entry_id", is_nullable=True),
    PrimaryKeyConstraint("day", "id"),
    # SQLite compares the text with '0', before which '-' sorts.
    CheckConstraint("amount_nano >= 0", "amount_not_negative"),
    Index(None, "organization_id", "id"),
    Index(None, "provider_id", "id"),
    Index(None, "entry_id"),
)

quarantined_record = Table(
    "quarantined_record",
    metadata,
    build_column("digest", Text()),
    # As bytes: what was refused may hold characters that a database does not take as text.
    build_column("text", LargeBinary()),
    build_column("code", Text()),
    build_id("gateway_id"),
    build_column("created_at", Instant()),
    # The first half of the digest: what a person names it by.
    build_id("id"),
    build_column("state", EnumText(QuarantineState)),
    build_column("note", Text()),
    build_id("judged_by", is_nullable=True),
    build_column("judged_at", Instant(), is_nullable=True),
    PrimaryKeyConstraint("digest"),
    UniqueConstraint("id"),
)

# Records that suspense paid for in place of a wallet, and why: the platform's loss until a person has judged.
suspended_record = Table(
    "suspended_record",
    metadata,
    build_id("record_id", is_primary=True),
    build_column("day", Date()),
    build_column("platform_id", Text()),
    build_id("organization_id"),
    build_id("ticket_id", is_nullable=True),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("code", Text()),
    build_column("created_at", Instant()),
    build_column("state", EnumText(SuspenseState)),
    build_column("note", Text()),
    build_id("judged_by", is_nullable=True),
    build_column("judged_at", Instant(), is_nullable=True),
    build_id("entry_id", is_nullable=True),
    build_column("entry_sequence", BigInteger(), is_nullable=True),
)

CONTEXT_FIELDS = tuple(field.name for field in fields(UsageContext))
# Between which platforms a call crossed is not kept here: tables of settlements have it.
RECORD_FIELDS = tuple(name for name in UsageRecord._fields if name not in {"context", "quantities", "crossing"})
SPLIT_FIELDS = ("provider_nano", "tax_nano")
VISIBILITY = Visibility(
    organization=limit_to_owner(usage_record.c.organization_id), provider=limit_to_owner(usage_record.c.provider_id)
)

_read_context = attrgetter(*CONTEXT_FIELDS)
RECORD_COLUMNS = (
    *RECORD_FIELDS,
    *QUANTITY_COLUMNS.values(),
    *SPLIT_FIELDS,
    "entry_id",
    "organization_id",
    "provider_id",
    "context_id",
)


class ContextRows:
    """The rows of the contexts that some records have."""

    def __init__(self, posted: Sequence[PostedRecord]) -> None:
        rows: IdentityMap[UsageContext, dict[tuple[str, str], dict[str, object]]] = IdentityMap(lambda _: {})
        # The id of each record's context.
        self.ids: list[object] = []
        for record, charge in posted:
            own, found = rows.get(record.context), (charge.currency, charge.chip)
            row = own.get(found)
            if row is None:
                row = own[found] = to_context_row(record.context, *found)
            self.ids.append(row["id"])
        # In order of id, equal ones once: two transactions that write them cannot wait for each other.
        merged = {row["id"]: row for own in rows.values() for row in own.values()}
        self.rows = sorted(merged.values(), key=lambda row: str(row["id"]))


def to_context_row(context: UsageContext, currency: str, chip: str) -> dict[str, object]:
    """Return a context's row; its id is made of what it says."""
    values = (*_read_context(context), currency, chip)
    # Lengths go in, so that no two contexts are the same bytes.
    content = "".join(f"{len(text)}:{text}" for text in map(str, values)).encode(errors="surrogatepass")
    names = (*CONTEXT_FIELDS, "currency", "chip")
    return {"id": UUID(bytes=hashlib.sha256(content).digest()[:16]), **dict(zip(names, values, strict=True))}


def to_columns(posted: Sequence[PostedRecord], context_ids: Sequence[object]) -> dict[str, Sequence[object]]:
    """Return records' values column by column; `context_ids` are those of their contexts, in the same order."""
    records, charges = zip(*posted, strict=True)
    own: dict[str, Sequence[Any]] = dict(zip(UsageRecord._fields, zip(*records, strict=True), strict=True))
    charged = dict(zip(Charge._fields, zip(*charges, strict=True), strict=True))
    contexts, quantities = own.pop("context"), own.pop("quantities")
    own.pop("crossing")
    counts = {name: [each.get(word) for each in quantities] for word, name in QUANTITY_COLUMNS.items()}
    shared = {
        "organization_id": [context.organization_id for context in contexts],
        "provider_id": [context.provider_id for context in contexts],
        "context_id": context_ids,
    }
    return own | counts | {name: charged[name] for name in (*SPLIT_FIELDS, "entry_id")} | shared


def read_quantities(row: Mapping[Any, Any]) -> dict[TokenClass, int]:
    """Return the quantities that a row names."""
    stored = ((token_class, row[name]) for token_class, name in QUANTITY_COLUMNS.items())
    return {token_class: int(count) for token_class, count in stored if count is not None}


def to_posted_records(rows: Iterable[AnyRow]) -> list[PostedRecord]:
    """Return the records of rows that join record and context; those of one context share it."""
    contexts: dict[UUID, UsageContext] = {}
    posted: list[PostedRecord] = []
    for row in rows:
        context = contexts.get(row["context_id"])
        if context is None:
            context = contexts[row["context_id"]] = to_context(row)
        posted.append(to_posted(row, context))
    return posted


def to_context(row: Mapping[Any, Any]) -> UsageContext:
    """Return the context of a row that has all its columns."""
    return UsageContext(**{name: row[name] for name in CONTEXT_FIELDS})


def to_posted(row: Mapping[Any, Any], context: UsageContext) -> PostedRecord:
    """Return the record of a row and its context."""
    record = UsageRecord(
        context=context, quantities=read_quantities(row), **{name: row[name] for name in RECORD_FIELDS}
    )
    charge = Charge(
        entry_id=row["entry_id"],
        currency=row["currency"],
        chip=row["chip"],
        provider_nano=row["provider_nano"],
        tax_nano=row["tax_nano"],
    )
    return PostedRecord(record, charge)
