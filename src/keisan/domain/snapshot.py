"""Which rows a change of state touches in the gateways' snapshot, so that a delta can be made of them (R10)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class SnapshotTable(StrEnum):
    """Tables of the snapshot whose rows change one by one; engines change with their replicas.

    `platforms` stands for all that is told of other platforms: what of it changed, each process that compiles finds itself.
    """

    KEYS = "keys"
    ORGANIZATIONS = "organizations"
    PROJECTS = "projects"
    MODELS = "models"
    PRICES = "prices"
    REPLICAS = "replicas"
    DOORS = "doors"
    PLATFORMS = "platforms"


@dataclass(frozen=True, slots=True)
class SnapshotMark:
    """Where the state stands: versions rise by one with each transaction that touches the snapshot."""

    incarnation: UUID
    version: int


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """A row that changed at `version`; it may be gone by now."""

    version: int
    table: SnapshotTable
    row_id: UUID
