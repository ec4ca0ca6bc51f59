"""The state table of deployments: one way, from active over deleting to deleted."""

from keisan.domain.deployment import DEPLOYMENT_TRANSITIONS, DeploymentState


def test_deployments_go_one_way() -> None:
    state, way = DeploymentState.ACTIVE, []
    while DEPLOYMENT_TRANSITIONS[state]:
        (state,) = DEPLOYMENT_TRANSITIONS[state]
        way.append(state)
    assert way == [DeploymentState.DELETING, DeploymentState.DELETED]
    assert set(DEPLOYMENT_TRANSITIONS) == set(DeploymentState)
