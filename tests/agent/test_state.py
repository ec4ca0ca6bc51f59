"""What an agent must not forget."""

import json
from pathlib import Path

import pytest

from keisan.agent.state import AgentState, Launch, ReplicaRecord, load_state, save_state
from keisan.domain.errors import StateConflict
from keisan.domain.fence import Fence
from keisan.executors.base import ProcessIdentity
from keisan.wire.site import OrderAction
from tests.agent.site_fakes import DEPLOYMENT_ID, REPLICA_ID, build_order

LAUNCH = Launch(ProcessIdentity(7, 4242, "boot"), "/r/a.sock", "sha256:ab", 4)


@pytest.mark.parametrize(
    "state",
    [
        AgentState(),
        AgentState({REPLICA_ID: ReplicaRecord(build_order())}, {DEPLOYMENT_ID: Fence(3, 2**53)}),
        AgentState({REPLICA_ID: ReplicaRecord(build_order(OrderAction.STOP), LAUNCH, 12)}),
    ],
    ids=["empty", "ordered", "launched"],
)
def test_state_comes_back_private(tmp_path: Path, state: AgentState) -> None:
    save_state(tmp_path / "state.json", state)
    assert load_state(tmp_path / "state.json") == state
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_no_state_is_empty(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state.json") == AgentState()


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept.update(schema_version=2),
        lambda kept: kept.update(fences=[]),
        lambda kept: kept.update(fences={"x": [1, 2]}),
        lambda kept: kept["fences"].update({str(DEPLOYMENT_ID): [1]}),
        lambda kept: kept["fences"].update({str(DEPLOYMENT_ID): [1, -1]}),
        lambda kept: kept["fences"].update({str(DEPLOYMENT_ID): {}}),
        lambda kept: kept.update(replicas=[]),
        lambda kept: kept["replicas"].update(x={}),
        lambda kept: kept["replicas"][str(REPLICA_ID)].update(launch=[]),
        lambda kept: kept["replicas"][str(REPLICA_ID)]["order"].update(action="dance"),
        lambda kept: kept["replicas"][str(REPLICA_ID)]["launch"]["process"].update(pid="7"),
    ],
)
def test_damaged_state_is_told_not_guessed(tmp_path: Path, damage: object) -> None:
    state = AgentState({REPLICA_ID: ReplicaRecord(build_order(), LAUNCH)}, {DEPLOYMENT_ID: Fence(1, 1)})
    save_state(tmp_path / "state.json", state)
    kept = json.loads((tmp_path / "state.json").read_text())
    assert callable(damage)
    damage(kept)
    (tmp_path / "state.json").write_text(json.dumps(kept))
    with pytest.raises(StateConflict, match="cannot be read"):
        load_state(tmp_path / "state.json")


def test_state_of_an_agent_of_before_fences_is_read_and_one_of_now_is_read_by_it(tmp_path: Path) -> None:
    save_state(
        tmp_path / "state.json", AgentState({REPLICA_ID: ReplicaRecord(build_order())}, {DEPLOYMENT_ID: Fence(1, 1)})
    )
    kept = json.loads((tmp_path / "state.json").read_text())
    assert kept["epoch"] == 0
    del kept["fences"]
    (tmp_path / "state.json").write_text(json.dumps(kept))
    assert load_state(tmp_path / "state.json") == AgentState({REPLICA_ID: ReplicaRecord(build_order())})
