"""`keisan federation`: two real platforms join by what people type, and part again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from keisan.cli.federation import describe_note, describe_offset
from keisan.domain.departure import DepartureStep, StepName, StepState
from keisan.domain.link import LinkState
from keisan.domain.name import NameType, PlatformName, encode_name
from keisan.wire.link_view import LinkView
from tests.cli.conftest import CommandLine, run_platform
from tests.deadline import wait_until
from tests.factories import create_link


@pytest.fixture(scope="module")
def child_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Another platform, which becomes a child."""
    with run_platform(tmp_path_factory.mktemp("child")) as running:
        yield running


def find_link(line: CommandLine, state: str) -> Any:
    """Return the newest link in a state, None if there is none yet."""
    shown = line.run("federation", "show", "--json").told
    return next((link for link in reversed(shown) if link["state"] == state), None)


def test_a_platform_is_invited_joins_and_leaves(command_line: CommandLine, child_line: CommandLine) -> None:
    invited = command_line.run("federation", "invite", "--region", "CN-SX", "--json").told
    asked = child_line.run("federation", "join", invited["token"])
    assert (asked.code, "the link is requested" in asked.out) == (0, True), asked.aside
    wait_until(lambda: find_link(command_line, "requested") is not None, "the child has asked")
    waiting = find_link(command_line, "requested")
    listed = command_line.run("federation", "requests")
    assert waiting["id"] in listed.out
    taken = command_line.run("federation", "approve", waiting["id"], "--prefix", "sx")
    assert "is a child: CN-SX, prefix sx, epoch " in taken.out, taken.aside
    wait_until(lambda: find_link(child_line, "joined") is not None, "the child has heard of it", 40)
    joined = find_link(child_line, "joined")
    assert (joined["region"], joined["prefix"], joined["side"]) == ("CN-SX", "sx", "parent")
    assert abs(joined["offset_ms"]) < 30_000
    checked = child_line.run("federation", "check")
    assert (checked.code, "unknown  registers" in checked.out) == (1, True), checked.aside
    told = child_line.run("federation", "check", "--json").told
    assert {each["state"] for each in told["findings"] if not each["neighbour"]} == {"held"}
    assert {each["state"] for each in told["findings"] if each["neighbour"]} == {"unknown"}
    assert child_line.run("federation", "check", key=child_line.developer_key).code == 4
    name = encode_name(PlatformName("sx", NameType.PLATFORM, "self"))
    found = command_line.run("resolve", name)
    assert all(word in found.out for word in (name, joined["platform_id"], "region CN-SX")), found.aside
    assert command_line.run("resolve", name, "--json").told["path"][0] == joined["platform_id"]
    child_id = joined["platform_id"]
    wait_until(lambda: child_id in command_line.run("federation", "exchanges", "--json").out, "it is known below", 20)
    shown = command_line.run("federation", "exchanges", child_id).out
    assert all(word in shown for word in ("CN-SX", "scenarios", "not yet", "nothing is deployed", "unknown"))
    told = command_line.run("federation", "exchanges", child_id, "--json").told["items"]
    assert [line["state"] for line in told[0]["exchanges"]] == ["not_yet"] * 5
    assert "there is no platform" in command_line.run("federation", "exchanges", "nobody").aside
    assert child_id[:12] in command_line.run("capacity").out
    shown = child_line.run("federation", "show").out
    assert all(word in shown for word in ("joined", "CN-SX", "sx", joined["certificate_ends_at"][:10]))
    again = child_line.run("federation", "join", command_line.run("federation", "invite", "--json").told["token"])
    assert (again.code, "a link to this platform already" in again.aside) == (6, True), again.aside
    left = child_line.run("federation", "leave")
    assert "close_period" in left.out
    wait_until(lambda: find_link(child_line, "left") is not None, "the child has left", 40)
    assert find_link(command_line, "left")["neighbour_id"] == joined["platform_id"]
    nothing = child_line.run("federation", "leave")
    assert "has no parent" in nothing.aside


def test_a_request_is_rejected_with_a_reason(command_line: CommandLine, child_line: CommandLine) -> None:
    token = command_line.run("federation", "invite", "--json").told["token"]
    child_line.run("federation", "join", token)
    wait_until(lambda: find_link(command_line, "requested") is not None, "the child has asked")
    waiting = find_link(command_line, "requested")
    early = child_line.run("federation", "leave")
    assert "has not approved yet" in early.aside
    rejected = command_line.run("federation", "reject", waiting["id"], "--reason", "not now")
    assert "was rejected" in rejected.out
    wait_until(lambda: find_link(child_line, "rejected") is not None, "the child has heard of it", 40)
    refused = command_line.run("federation", "approve", waiting["id"], "--region", "CN-SX", "--prefix", "sx")
    assert "cannot become joined" in refused.aside


def test_odd_words_are_faults(command_line: CommandLine) -> None:
    assert "begins with" in command_line.run("federation", "join", "word").aside
    assert command_line.run("federation", "revoke", str(uuid4())).code == 5
    refused = command_line.run("federation", "invite", key=command_line.developer_key)
    assert "write_links" in refused.aside


def test_what_needs_somebody_is_said_in_words() -> None:
    steps = (
        DepartureStep(StepName.CLOSE_PERIOD, StepState.SUSPENSE),
        DepartureStep(StepName.RETURN_LEASES),
    )
    link = replace(create_link(), state=LinkState.LEAVING, departure=steps, fault="nobody answers", offset_ms=-31_000)
    view = LinkView.model_validate(replace(link, heard_at=datetime(2026, 1, 1, tzinfo=UTC)))
    told = "nobody answers; next return_leases; in suspense: close_period"
    assert describe_note(view) == told
    assert describe_note(view.model_copy(update={"closed": {"silent": 2}})) == f"{told}; closed: silent 2"
    assert describe_offset(view) == "-31.0 s ALARM"
    assert describe_offset(view.model_copy(update={"offset_ms": 200, "is_clock_off": False})) == "+0.2 s"
