"""An alert: something that somebody should hear of, written in the transaction of what caused it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.ids import AlertId, OrganizationId, PlatformId


class AlertKind(StrEnum):
    """What happened. Receivers may meet kinds that they do not know, from a later release."""

    WALLET_LOW = "wallet_low"
    BUDGET_THRESHOLD = "budget_threshold"
    STATEMENT_CLOSED = "statement_closed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_RESOLVED = "dispute_resolved"
    RECORD_SUSPENDED = "record_suspended"
    RECORD_CHARGED = "record_charged"
    TOP_UP_PROPOSED = "top_up_proposed"


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """What to tell, before it has its id: `organization_id` None tells the platform alone."""

    organization_id: OrganizationId | None
    kind: AlertKind
    subject_id: UUID
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """`subject_id` is the id of what it is about, by kind: a wallet's account, a budget, a statement, a dispute, a record."""

    id: AlertId
    platform_id: PlatformId
    organization_id: OrganizationId | None
    kind: AlertKind
    subject_id: UUID
    detail: Mapping[str, str]
    created_at: datetime
