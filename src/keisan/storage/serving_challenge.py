"""Serving challenges: a provider sees those at its own sites."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Table, Text

from keisan.domain.access import Scope
from keisan.domain.ids import DeploymentId, ReplicaId, ServingChallengeId
from keisan.domain.serving_challenge import ServingChallenge, ServingFlag, ServingState, ServingStep, ServingWork
from keisan.domain.verdict import Verdict
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import (
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.site import limit_to_sites


def decode_work(stored: dict[str, Any]) -> ServingWork:
    """Return work that was stored as a table of its fields."""
    return ServingWork(**stored)


def encode_steps(steps: Sequence[ServingStep]) -> list[dict[str, object]]:
    """Return steps as tables of their fields."""
    return [asdict(step) for step in steps]


def decode_steps(stored: Sequence[dict[str, Any]]) -> tuple[ServingStep, ...]:
    """Return what encode_steps was given."""
    return tuple(ServingStep(**step) for step in stored)


def encode_texts(values: Sequence[object]) -> list[str]:
    """Return ids or flags as texts."""
    return [str(value) for value in values]


def decode_replicas(stored: Sequence[str]) -> tuple[ReplicaId, ...]:
    """Return ids that were stored as texts."""
    return tuple(ReplicaId(UUID(text)) for text in stored)


def decode_flags(stored: Sequence[str]) -> tuple[ServingFlag, ...]:
    """Return flags that were stored as texts."""
    return tuple(ServingFlag(text) for text in stored)


serving_challenge = Table(
    "serving_challenge",
    metadata,
    *build_noun_columns(),
    build_id("site_id", ForeignKey("site.id")),
    build_id("deployment_id", ForeignKey("deployment.id")),
    build_id("model_id", ForeignKey("model.id")),
    build_id("project_id", ForeignKey("project.id")),
    build_id("key_id", is_nullable=True),
    build_id("asked_by"),
    build_column("work", Structure(asdict, decode_work)),
    build_column("claim_milli_per_s", BigInteger(), is_nullable=True),
    build_column("state", EnumText(ServingState)),
    build_column("due_at", Instant()),
    build_column("steps", Structure(encode_steps, decode_steps)),
    build_column("replica_ids", Structure(encode_texts, decode_replicas)),
    build_column("message", Text()),
    build_column("verdict", EnumText(Verdict)),
    build_column("flags", Structure(encode_texts, decode_flags)),
    build_column("rate_milli_per_s", BigInteger(), is_nullable=True),
    build_column("concurrency", Integer(), is_nullable=True),
    build_column("judged_at", Instant(), is_nullable=True),
    Index(None, "deployment_id", "id"),
    Index(None, "site_id", "id"),
)


class ServingChallengeRepository(TableRepository[ServingChallenge, ServingChallengeId]):
    """Serving challenges by id and by deployment."""

    table = serving_challenge
    noun_type = ServingChallenge
    visibility = Visibility(provider=limit_to_sites(serving_challenge.c.site_id))

    async def list_open(self, scope: Scope, deployment_id: DeploymentId) -> Sequence[ServingChallenge]:
        """Return those of a deployment that are not judged."""
        is_open = serving_challenge.c.state != ServingState.JUDGED
        return await self._list_where(scope, serving_challenge.c.deployment_id == deployment_id, is_open)
