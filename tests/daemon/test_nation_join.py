"""What provinces are invited with is what an invitation takes, and no two are alike; that they join, tests/e2e/test_nation.py sees."""

from keisan.daemon.nation_join import name_prefix
from keisan.daemon.nation_plan import PROVINCES
from keisan.sdk import InvitationCreate


def test_each_province_has_a_prefix_of_its_own() -> None:
    bodies = [
        InvitationCreate(url="http://127.0.0.1:1", region=plan.code, prefix=name_prefix(plan.code))
        for plan in PROVINCES
    ]
    assert (bodies[0].region, bodies[0].prefix) == ("CN-SX", "sx")
    assert len({body.prefix for body in bodies}) == len(PROVINCES)
