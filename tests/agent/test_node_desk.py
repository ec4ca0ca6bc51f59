"""What nodes tell becomes the site's one frame: each value its own device's, nothing twice, nothing of who is silent."""

from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from keisan.agent import node_desk
from keisan.agent.node_desk import Moments
from keisan.domain.errors import InvalidInput, PlatformUnreachable, Postponed, StateConflict
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.wire.frame import decode_frame, encode_frame
from tests.agent.frame_agent import number_device
from tests.agent.many_hosts import CLOCK, OWN_NODE, PERIOD_S, NodeWorld, SiteWorld, describe_devices

AGE = FIELD_INDEX[SampleName.AGE_MS]
AWAY = PlatformUnreachable("cut")


@pytest.fixture
def site(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path)


@pytest.fixture
def nodes(site: SiteWorld) -> tuple[NodeWorld, NodeWorld]:
    """Two nodes that have told of themselves."""
    found = (NodeWorld(site, "n1", ("d1", "d2"), 1), NodeWorld(site, "n2", ("d3",), 2))
    for node in found:
        node.report()
    return found


def check_clocks(site: SiteWorld) -> None:
    """Every clock that the platform knows is the one of its device."""
    assert all(value == number_device(name) for name, value in site.platform.read_column(CLOCK).items())


def read_told(body: bytes) -> dict[int, int]:
    """Return the clock of each number in a frame, of those that tell one."""
    _, numbers, values = decode_frame(body)
    pairs = zip(numbers.tolist(), values[FIELD_INDEX[CLOCK]].tolist(), strict=True)
    return {number: clock for number, clock in pairs if clock != MISSING}


async def test_devices_of_all_nodes_are_ok_and_a_silent_one_s_are_unknown_after_three_periods(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]
) -> None:
    first, second = nodes
    for _ in range(2):
        assert await first.send()
        assert await second.send()
        assert await site.step()
    assert site.platform.read_column(CLOCK) == {"d1": 1, "d2": 2, "d3": 3}
    told = {name: verdict for name, verdict in site.platform.judge().items() if name != "d0"}
    assert told == dict.fromkeys(("d1", "d2", "d3"), Verdict.OK)
    # One period has passed since both told; the first goes on, the second does not.
    for _ in range(2):
        assert site.platform.judge()["d3"] is Verdict.OK
        await first.send()
        await site.step()
    await first.send()
    await site.step()
    judged = site.platform.judge()
    assert (judged["d1"], judged["d2"], judged["d3"]) == (Verdict.OK, Verdict.OK, Verdict.UNKNOWN)
    assert await second.send()
    await site.step()
    assert site.platform.judge()["d3"] is Verdict.OK
    assert set(site.platform.count_faults()) <= {FrameFault.UNKNOWN_INVENTORY}


async def test_a_row_is_sent_once_and_with_its_age(site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]) -> None:
    await nodes[0].send()
    await site.clock.sleep(4)
    await site.step()
    await site.step()
    (_, numbers, values), again = decode_frame(site.platform.bodies[0]), site.platform.bodies[1]
    ages = dict(zip(numbers.tolist(), values[AGE].tolist(), strict=True))
    of = site.inventory.numbers
    assert {ages[of["d1"]], ages[of["d2"]]} == {4000}
    assert read_told(again) == {}


@pytest.mark.parametrize(("by_ms", "age_ms"), [(-7000, 11_000), (7000, 4000)])
async def test_a_node_whose_clock_is_behind_looks_old_and_one_ahead_not_younger(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld], by_ms: int, age_ms: int
) -> None:
    node = nodes[1]
    node.clock_ahead_ms = by_ms
    await node.send()
    await site.clock.sleep(4)
    await site.step()
    _, numbers, values = decode_frame(site.platform.bodies[-1])
    assert values[AGE, numbers == site.inventory.numbers["d3"]].tolist() == [age_ms]


async def test_a_frame_may_leave_devices_out(site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]) -> None:
    node = nodes[0]
    await node.send()
    await site.step()
    head, numbers, values = decode_frame(node.write()[0])
    assert await node.feed.deliver(encode_frame(head, numbers[1:], values[:, 1:]))
    await site.step()
    assert read_told(site.platform.bodies[-1]) == {site.inventory.numbers["d2"]: 2}


async def test_what_a_cut_held_back_comes_late_as_frames_of_the_site(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]
) -> None:
    first, second = nodes
    for is_cut in (False, True, True, True, False, False):
        for node in nodes:
            node.way.fault = AWAY if is_cut else None
            assert await node.send() is not is_cut
            # Nodes are not in step.
            await site.clock.sleep(0.25)
        await site.step()
        await site.clock.sleep(-0.5)
    assert first.feed.waiting_frames == second.feed.waiting_frames == 0
    await site.step()
    await site.step()
    late = [
        read_told(body)
        for (_, outcome), body in zip(site.platform.taken, site.platform.bodies, strict=True)
        if outcome is FrameOutcome.LATE
    ]
    of = site.inventory.numbers
    # Three periods were cut; what both nodes measured in one of them is one frame.
    assert late == [{of["d1"]: 1, of["d2"]: 2, of["d3"]: 3}] * 3
    stamps = [head.sampled_at_ms for head, _ in site.platform.taken]
    assert len(set(stamps)) == len(stamps)
    assert set(site.platform.count_faults()) <= {FrameFault.UNKNOWN_INVENTORY}
    check_clocks(site)


async def test_what_a_new_node_tells_while_a_frame_is_made_comes_with_the_next(site: SiteWorld) -> None:
    numbered = site.desk.list_devices(describe_devices(OWN_NODE, "d0"))
    node, other = NodeWorld(site, "n1", ("d1",), 1), NodeWorld(site, "n2", ("d1", "d2"), 2)
    for each in (node, other):
        each.report()
        each.way.fault = AWAY
        await each.send()
        await site.clock.sleep(PERIOD_S)
        each.way.fault = None
        assert await each.send()
    await site.writer.read(numbered)
    site.writer.take_late()
    await site.step()
    assert site.platform.read_column(CLOCK) == {"d1": 1, "d2": 2}
    of = site.inventory.numbers
    late = zip(site.platform.taken, site.platform.bodies, strict=True)
    told = [read_told(body) for (_, outcome), body in late if outcome is FrameOutcome.LATE]
    assert {number: clock for each in told for number, clock in each.items()} == {of["d1"]: 1, of["d2"]: 2}
    check_clocks(site)
    # The other's d1 is another's, and has no place: nothing waits for one for ever.
    assert (site.desk._pending, site.desk._late) == ({}, [])


async def test_more_late_frames_than_there_is_room_for_wait(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_desk, "LATE_ROWS_MAX", 3)
    first = nodes[0]
    await first.send()
    first.way.fault = AWAY
    for _ in range(3):
        await site.clock.sleep(PERIOD_S)
        await first.send()
    first.way.fault = None
    await site.clock.sleep(PERIOD_S)
    assert await first.send()
    assert first.feed.waiting_frames == 2
    await site.step()
    await first.send()
    assert first.feed.waiting_frames == 1
    assert first.feed.refused_frames == 0


async def test_while_the_site_makes_no_frame_the_newest_rows_stay(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]
) -> None:
    for _ in range(node_desk.PENDING_MAX + 3):
        assert await nodes[0].send()
        await site.clock.sleep(PERIOD_S)
    await site.step()
    assert site.platform.read_column(CLOCK) == {"d1": 1, "d2": 2}


async def test_a_site_that_starts_again_hears_its_nodes_again(tmp_path: Path) -> None:
    site = SiteWorld(tmp_path)
    node = NodeWorld(site, "n1", ("d1",), 1)
    node.report()
    await node.send()
    await site.step()
    again = SiteWorld(tmp_path)
    again.clock, again.platform = site.clock, site.platform
    # Known from its disk, and unknown how it is.
    [device] = again.desk.list_devices(())
    assert (device.hardware_id, device.verdict) == ("d1", Verdict.UNKNOWN)
    node.way.desk = again.desk
    assert await node.send()
    assert node.feed.refused_frames == 0


async def test_a_node_that_has_told_nothing_is_put_off(site: SiteWorld) -> None:
    stranger = NodeWorld(site, "n9", ("d9",), 9)
    with pytest.raises(PlatformUnreachable):
        await stranger.way.send_frame(b"")
    with pytest.raises(PlatformUnreachable):
        await stranger.way.send_inventory(b"")
    stranger.report()
    with pytest.raises(StateConflict, match="told no inventory"):
        await stranger.way.send_frame(b"")


async def test_wrong_frames_are_refused_and_charged(site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]) -> None:
    node = nodes[0]
    await node.send()
    with pytest.raises(InvalidInput):
        await node.way.send_frame(b"nonsense")
    head, numbers, values = decode_frame(node.write()[0])
    wrong = encode_frame(replace(head, device_digest="0" * 16), numbers, values)
    for _ in range(2):
        with pytest.raises(StateConflict, match="send the inventory"):
            await node.way.send_frame(wrong)
    told: list[type[Exception]] = []
    for _ in range(100):
        with pytest.raises((StateConflict, PlatformUnreachable)) as caught:
            await node.way.send_frame(wrong)
        told.append(caught.type)
    assert told[-1] is PlatformUnreachable
    live = site.desk._fleet.sites[node_desk._identify(node.way.sender)]
    assert live.faults[FrameFault.OTHER_DEVICES] > 2
    assert live.faults[FrameFault.OVER_RATE] == told.count(PlatformUnreachable)


async def test_a_node_that_talks_too_much_is_put_off(site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]) -> None:
    first, second = nodes
    first.write()
    for _ in range(16):
        first.report()
    with pytest.raises(Postponed, match="now and then"):
        first.report()
    with pytest.raises(PlatformUnreachable, match="now and then"):
        await first.way.send_inventory(first.inventory.write())
    # The other is none the worse, and after a while neither is this one.
    second.report()
    await site.clock.sleep(2)
    first.report()


async def test_an_inventory_of_another_node_or_one_that_takes_back_is_refused(
    site: SiteWorld, nodes: tuple[NodeWorld, NodeWorld]
) -> None:
    first, second = nodes
    await first.send()
    await second.send()
    with pytest.raises(InvalidInput, match="of the node that tells them"):
        await second.way.send_inventory(first.inventory.write())
    older = first.inventory.write()
    first.devices = ("d1", "d2", "d4")
    first.report()
    assert await first.send()
    with pytest.raises(StateConflict, match="keeps their numbers"):
        await first.way.send_inventory(older)


async def test_a_node_that_is_called_otherwise_goes_on(site: SiteWorld) -> None:
    before = NodeWorld(site, "n1", ("d1", "d2"), 1)
    before.report()
    await before.send()
    await site.step()
    # The same agent on the same disk; d2 was named after its node, d1 was not.
    after = NodeWorld(site, "n8", ("d1", "d3"), 1)
    after.report()
    assert await after.send()
    assert await after.send()
    assert after.feed.refused_frames == 0
    await site.step()
    assert site.platform.read_column(CLOCK) == {"d1": 1, "d2": 2, "d3": 3}
    await site.clock.sleep(30)
    found = {device.hardware_id: device.node_hardware_id for device in site.desk.list_devices(())}
    assert found["d3"] == "n8"


async def test_another_agent_that_speaks_for_a_node_begins_anew(site: SiteWorld) -> None:
    before = NodeWorld(site, "n1", ("d1", "d2"), 1)
    before.report()
    await before.send()
    await site.clock.sleep(60)
    after = NodeWorld(site, "n1", ("d2", "d1"), 2)
    after.report()
    assert await after.send()
    assert set(site.desk._fleet.sites) == {UUID(int=2)}
    await site.step()
    check_clocks(site)
    assert set(site.platform.read_column(CLOCK)) == {"d1", "d2"}


@pytest.mark.parametrize("seed", range(12))
async def test_no_value_crosses_whatever_comes_goes_and_moves(tmp_path: Path, seed: int) -> None:
    """Devices come, and move from node to node; cuts come and go. A clock is only ever known of its own device."""
    random, site = Random(seed), SiteWorld(tmp_path)
    owner = {f"d{number}": random.randrange(3) for number in range(1, 13)}
    nodes = [NodeWorld(site, f"n{number}", (), number + 1) for number in range(3)]
    for _ in range(25):
        if random.random() < 0.3:
            owner[random.choice(sorted(owner))] = random.randrange(3)
        for number, node in enumerate(nodes):
            node.devices = tuple(
                sorted((each for each in owner if owner[each] == number), key=lambda _: random.random())
            )
            node.way.fault = AWAY if random.random() < 0.3 else None
            if node.way.fault is None:
                node.report()
            if node.devices:
                await node.send()
        site.platform.fault = AWAY if random.random() < 0.2 else None
        await site.step()
    site.platform.fault = None
    await site.step()
    check_clocks(site)
    assert len(site.platform.read_column(CLOCK)) > 6
    assert set(site.platform.count_faults()) <= {FrameFault.UNKNOWN_INVENTORY}
    for body in site.platform.bodies:
        names = {number: row.hardware_id for number, row in enumerate(site.inventory.rows)}
        assert all(clock == number_device(names[number]) for number, clock in read_told(body).items())


def test_moments_are_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_desk, "MOMENTS_MAX", 3)
    moments = Moments()
    assert [moments.take(5) for _ in range(4)] == [5, 6, 7, 8]
    # The oldest is forgotten.
    assert moments.take(5) == 5
