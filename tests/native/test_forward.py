"""The rule for calls from other platforms, as simulations ask for it."""

import json

import pytest

from keisan._native import decide_forward

UP = {"neighbour_id": "nation", "side": "parent", "verdict": "ok"}
DOWN = {"neighbour_id": "county", "side": "child", "verdict": "ok"}


def ask(
    peer: dict[str, str], call: tuple[str, str], ways: tuple[object, object], hops_left: int = 3
) -> tuple[str, str]:
    """Ask what becomes of a call (home, audience) by the ways home and on."""
    question = {
        "call": {"home_id": call[0], "audience_id": call[1], "hops_left": hops_left},
        "peer": {"platform_id": peer["neighbour_id"], "side": peer["side"]},
        "here": {"platform_id": "province", "way_home": ways[0], "way_on": ways[1]},
    }
    return decide_forward(json.dumps(question))


def test_call_is_served_passed_or_refused_with_a_code() -> None:
    assert ask(UP, ("coast", "province"), (UP, None)) == ("serve", "")
    assert ask(DOWN, ("village", "coast"), (DOWN, UP)) == ("pass", "nation")
    assert ask(DOWN, ("coast", "province"), (UP, None)) == ("refuse", "call_off_path")
    assert ask(UP, ("coast", "island"), (UP, UP)) == ("refuse", "call_looped")
    assert ask(DOWN, ("village", "coast"), (DOWN, UP), hops_left=0) == ("refuse", "call_looped")
    assert ask(DOWN, ("village", "mars"), (DOWN, None)) == ("refuse", "platform_unknown")
    assert ask(DOWN, ("village", "coast"), (DOWN, UP | {"verdict": "unknown"})) == ("refuse", "platform_unreachable")


def test_question_that_is_none_is_said() -> None:
    with pytest.raises(ValueError, match="question: "):
        decide_forward("{}")
