"""What an agent must not forget: its orders and the processes it started. On disk before anything depends on it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID

from keisan.agent.document import read_document, write_document
from keisan.domain.errors import StateConflict
from keisan.domain.fence import Fence
from keisan.executors.base import ProcessIdentity
from keisan.wire.site import ReplicaOrder


@dataclass(frozen=True, slots=True)
class Launch:
    """A started engine: who its process is, where it listens, and what it was started with."""

    process: ProcessIdentity
    socket_path: str
    model_digest: str
    slots: int


@dataclass(frozen=True, slots=True)
class ReplicaRecord:
    """The last order for a replica, and its engine if one was started and not seen dead since."""

    order: ReplicaOrder
    launch: Launch | None = None
    restart_count: int = 0


@dataclass(frozen=True, slots=True)
class AgentState:
    """All records, and the highest fence seen of each deployment: kept for ever, since an old order may come at any time."""

    records: Mapping[UUID, ReplicaRecord] = field(default_factory=dict)
    fences: Mapping[UUID, Fence] = field(default_factory=dict)


def load_state(path: Path) -> AgentState:
    """Return the state kept at `path`, an empty one if there is none.

    Raises StateConflict when it cannot be read: guessing would end engines that were never ordered to stop.
    """
    if not path.exists():
        return AgentState()
    try:
        kept = read_document(path)
        replicas = _expect_table(kept["replicas"])
        records = {UUID(replica_id): _parse_record(_expect_table(entry)) for replica_id, entry in replicas.items()}
        # An agent of before fences has written none.
        fences = _expect_table(kept.get("fences", {}))
        return AgentState(records, {UUID(name): _parse_fence(entry) for name, entry in fences.items()})
    except (OSError, ValueError, KeyError) as failure:
        raise StateConflict(
            f"the agent's state in {path} cannot be read; move it away to start afresh, which ends the engines that run "
            "here",
            repr(failure),
        ) from failure


def save_state(path: Path, state: AgentState) -> None:
    """Keep the state, mode 0600, on disk when this returns; raises OSError."""
    content = {
        # An agent of before fences expects it.
        "epoch": 0,
        "fences": {str(deployment_id): list(fence) for deployment_id, fence in state.fences.items()},
        "replicas": {str(replica_id): _dump_record(record) for replica_id, record in state.records.items()},
    }
    write_document(path, content)


def _dump_record(record: ReplicaRecord) -> dict[str, object]:
    return {
        "order": record.order.model_dump(mode="json"),
        "launch": None if record.launch is None else asdict(record.launch),
        "restart_count": record.restart_count,
    }


def _parse_record(entry: dict[str, object]) -> ReplicaRecord:
    launch = entry["launch"]
    return ReplicaRecord(
        order=ReplicaOrder.model_validate_json(json.dumps(entry["order"])),
        launch=None if launch is None else _parse_launch(_expect_table(launch)),
        restart_count=_expect_count(entry["restart_count"]),
    )


def _parse_launch(entry: dict[str, object]) -> Launch:
    process = _expect_table(entry["process"])
    return Launch(
        process=ProcessIdentity(
            _expect_count(process["pid"]), _expect_count(process["started_ticks"]), str(process["boot_id"])
        ),
        socket_path=str(entry["socket_path"]),
        model_digest=str(entry["model_digest"]),
        slots=_expect_count(entry["slots"]),
    )


def _parse_fence(entry: object) -> Fence:
    if not isinstance(entry, list) or len(entry) != len(Fence._fields):
        raise ValueError(f"expected a fence, got {entry!r}")
    return Fence(*(_expect_count(part) for part in entry))


def _expect_table(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise ValueError(f"expected a table, got {found!r}")  # noqa: TRY004  # one kind of fault for the whole document
    return found


def _expect_count(found: object) -> int:
    if not isinstance(found, int) or found < 0:
        raise ValueError(f"expected a count, got {found!r}")
    return found
