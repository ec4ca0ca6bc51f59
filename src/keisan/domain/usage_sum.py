"""Sums over usage records, as storage answers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from keisan.domain.ids import KeyId, ModelId, ProjectId
from keisan.domain.price import TokenClass
from keisan.domain.usage import UsageSource


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which records: days `since` to `until`, both included, and optionally one project, key or model."""

    since: date
    until: date
    project_id: ProjectId | None = None
    key_id: KeyId | None = None
    model_id: ModelId | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Records of one model, currency and usage source, summed."""

    model_id: ModelId
    currency: str
    usage_source: UsageSource
    call_count: int
    quantities: Mapping[TokenClass, int]
    amount_nano: int
