"""A statement's document: one line of canonical JSON, which is signed and kept as exact bytes.

Canonical: members in order of their names, no white space, ASCII only; amounts and prices are decimal strings (R3).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import DisputeId, KeyId, ModelId, PlatformId, PriceId, ProjectId, SiteId, StatementId
from keisan.domain.price import TokenClass
from keisan.domain.statement import (
    Adjustment,
    Balances,
    HolderKind,
    Period,
    StatementContent,
    StatementHolder,
    StatementLine,
    StatementSum,
    Totals,
)

STATEMENT_SCHEMA = "keisan.statement.1"


def write_document(content: StatementContent) -> bytes:
    """Return the bytes of a statement's document."""
    members = {
        "schema": STATEMENT_SCHEMA,
        "statement_id": _write_optional(content.id),
        "platform_id": content.platform_id,
        "holder_kind": str(content.holder.kind),
        "holder_id": str(content.holder.id),
        "holder_name": content.holder_name,
        "currency": content.holder.currency,
        "first_day": content.period.first_day.isoformat(),
        "last_day": content.period.last_day.isoformat(),
        "record_count": content.totals.record_count,
        "amount_nano": str(content.totals.amount_nano),
        "tax_nano": str(content.totals.tax_nano),
        "adjustment_nano": str(content.totals.adjustment_nano),
        "opening_balance_nano": str(content.balances.opening_nano),
        "closing_balance_nano": str(content.balances.closing_nano),
        "entry_sequence": content.entry_sequence,
        "records_root": content.records_root,
        "closed_at": content.closed_at.isoformat() if content.closed_at else None,
        "lines": [_write_line(line) for line in content.lines],
        "adjustments": [_write_adjustment(line) for line in content.adjustments],
    }
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_document(document: bytes) -> StatementContent:
    """Return what a document says; raises InvalidInput for anything but one that write_document wrote."""
    try:
        members = json.loads(document)
        if members["schema"] != STATEMENT_SCHEMA:
            raise InvalidInput("this statement is of another schema", "document")
        content = _read_content(members)
        is_exact = write_document(content) == document
    except (ValueError, TypeError, AttributeError, KeyError) as fault:
        raise InvalidInput("this is not the document of a statement", "document", str(fault)) from fault
    if not is_exact:
        raise InvalidInput("this is not the document of a statement", "document")
    return content


def digest_document(document: bytes) -> str:
    """Return the hex SHA-256 of a document's bytes."""
    return hashlib.sha256(document).hexdigest()


def _write_optional(value: object) -> str | None:
    return None if value is None else str(value)


def _write_line(line: StatementLine) -> dict[str, object]:
    own = line.sum
    names = ("project_id", "key_id", "price_id", "site_id", "chip", "model_id")
    prices = line.nano_per_million
    return {name: _write_optional(getattr(own, name)) for name in names} | {
        "is_late": own.is_late,
        "record_count": own.record_count,
        "quantities": {str(word): count for word, count in own.quantities.items()},
        "amount_nano": str(own.amount_nano),
        "tax_nano": str(own.tax_nano),
        "project_name": line.project_name,
        "key_name": line.key_name,
        "site_name": line.site_name,
        "model_name": line.model_name,
        "price_version": line.price_version,
        "nano_per_million": None if prices is None else {str(word): str(nano) for word, nano in prices.items()},
    }


def _write_adjustment(line: Adjustment) -> dict[str, object]:
    return asdict(line) | {
        "dispute_id": str(line.dispute_id),
        "statement_id": str(line.statement_id),
        "amount_nano": str(line.amount_nano),
        "resolved_at": line.resolved_at.isoformat(),
    }


def _read_content(members: Mapping[str, Any]) -> StatementContent:
    statement_id, closed_at = members["statement_id"], members["closed_at"]
    return StatementContent(
        id=StatementId(UUID(statement_id)) if statement_id else None,
        platform_id=PlatformId(members["platform_id"]),
        holder=StatementHolder(HolderKind(members["holder_kind"]), UUID(members["holder_id"]), members["currency"]),
        holder_name=members["holder_name"],
        period=Period(date.fromisoformat(members["first_day"]), date.fromisoformat(members["last_day"])),
        totals=Totals(
            record_count=members["record_count"],
            amount_nano=int(members["amount_nano"]),
            tax_nano=int(members["tax_nano"]),
            adjustment_nano=int(members["adjustment_nano"]),
        ),
        balances=Balances(int(members["opening_balance_nano"]), int(members["closing_balance_nano"])),
        entry_sequence=members["entry_sequence"],
        records_root=members["records_root"],
        closed_at=datetime.fromisoformat(closed_at) if closed_at else None,
        lines=[_read_line(line) for line in members["lines"]],
        adjustments=[_read_adjustment(line) for line in members["adjustments"]],
    )


def _read_line(line: Mapping[str, Any]) -> StatementLine:
    def read_id(name: str) -> UUID | None:
        return UUID(line[name]) if line[name] else None

    project_id, key_id, price_id, site_id = map(read_id, ("project_id", "key_id", "price_id", "site_id"))
    own = StatementSum(
        project_id=ProjectId(project_id) if project_id else None,
        key_id=KeyId(key_id) if key_id else None,
        price_id=PriceId(price_id) if price_id else None,
        site_id=SiteId(site_id) if site_id else None,
        chip=line["chip"],
        model_id=ModelId(UUID(line["model_id"])),
        is_late=line["is_late"],
        record_count=line["record_count"],
        quantities={TokenClass(word): count for word, count in line["quantities"].items()},
        amount_nano=int(line["amount_nano"]),
        tax_nano=int(line["tax_nano"]),
    )
    prices = line["nano_per_million"]
    return StatementLine(
        sum=own,
        project_name=line["project_name"],
        key_name=line["key_name"],
        site_name=line["site_name"],
        model_name=line["model_name"],
        price_version=line["price_version"],
        nano_per_million=None if prices is None else {TokenClass(word): int(text) for word, text in prices.items()},
    )


def _read_adjustment(line: Mapping[str, Any]) -> Adjustment:
    return Adjustment(
        dispute_id=DisputeId(UUID(line["dispute_id"])),
        statement_id=StatementId(UUID(line["statement_id"])),
        amount_nano=int(line["amount_nano"]),
        resolution=line["resolution"],
        resolved_at=datetime.fromisoformat(line["resolved_at"]),
    )
