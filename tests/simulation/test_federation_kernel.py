"""What the schedules of platforms run on: time, a network and disks that do what they are said to do, and nothing by themselves."""

from collections.abc import Callable

import pytest

from tests.simulation.federation.application import apply_letters
from tests.simulation.federation.kernel import Kernel, TooManyEvents, own_ids
from tests.simulation.federation.network import Connection, Network
from tests.simulation.federation.task import Crash, Pause, Task
from tests.simulation.federation.tree import build_nation
from tests.simulation.federation.world import World


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.is_lost = False

    def hear(self, data: bytes) -> None:
        self.heard.append(data)

    def lose_wire(self) -> None:
        self.is_lost = True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(1, events_max=10_000)


def connect(kernel: Kernel) -> tuple[Network, Connection, Ear, Ear]:
    network, one, other = Network(kernel), Ear(), Ear()
    return network, network.connect((0, one), (1, other)), one, other


def send_all(connection: Connection, count: int) -> list[bytes]:
    sent = [b"%d" % number for number in range(count)]
    for data in sent:
        connection.send(0, data)
    return sent


def test_events_happen_in_order_of_time_and_then_of_asking(kernel: Kernel) -> None:
    seen: list[str] = []

    def see(name: str) -> Callable[[], None]:
        return lambda: seen.append(f"{name} {kernel.now_ms}")

    kernel.call_in(5, see("late"))
    kernel.call_in(1, see("first"))
    kernel.call_in(1, see("second"))
    kernel.call_in(2, see("never")).cancel()
    kernel.run_until(10)
    assert seen == ["first 1", "second 1", "late 5"]
    assert kernel.now_ms == 10


def test_a_schedule_without_end_is_ended() -> None:
    kernel = Kernel(1, events_max=100)

    def again() -> None:
        kernel.call_in(0, again)

    again()
    with pytest.raises(TooManyEvents):
        kernel.run_until(1)


def test_a_seed_decides_ids_and_they_are_in_order() -> None:
    made = [[Kernel(seed, 1).create_id() for _ in range(3)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert {each.version for each in made[0]} == {7}
    kernel = Kernel(3, 1)
    several = [kernel.create_id() for _ in range(50)]
    assert several == sorted(several)


def test_a_connection_keeps_order_and_a_cut_holds_what_is_under_way(kernel: Kernel) -> None:
    network, connection, _, other = connect(kernel)
    sent = send_all(connection, 20)
    network.cut(0, 1)
    kernel.run_until(1_000)
    assert other.heard == []
    assert connection.in_flight == 20
    network.heal(0, 1)
    kernel.run_until(2_000)
    assert other.heard == sent


def test_a_cut_of_one_way_leaves_the_other(kernel: Kernel) -> None:
    network, connection, one, other = connect(kernel)
    network.cut(0, 1)
    send_all(connection, 1)
    connection.send(1, b"back")
    kernel.run_until(1_000)
    assert (one.heard, other.heard) == ([b"back"], [])
    assert not network.can_reach(1, 0)


def test_what_was_sent_before_a_close_arrives_and_what_a_drop_hits_is_lost(kernel: Kernel) -> None:
    _, connection, _, other = connect(kernel)
    sent = send_all(connection, 3)
    connection.close(0)
    kernel.run_until(1_000)
    assert (other.heard, other.is_lost) == (sent, True)
    _, connection, one, other = connect(kernel)
    send_all(connection, 3)
    connection.drop((1,))
    kernel.run_until(2_000)
    assert (other.heard, other.is_lost, one.is_lost) == ([], True, False)


def test_a_message_that_is_cut_short_ends_its_connection(kernel: Kernel) -> None:
    _, connection, _, other = connect(kernel)
    connection.ways[0].is_cut_short = True
    send_all(connection, 12)
    kernel.run_until(1_000)
    assert other.is_lost
    assert len(other.heard) == 1
    assert not connection.is_open


def test_a_disk_commits_whole_transactions_and_a_crash_before_the_commit_takes_all_back(kernel: Kernel) -> None:
    with own_ids(kernel), apply_letters() as books:
        world = World(kernel, build_nation(), books)
    disk = world.platforms[0].disk

    async def write(name: str) -> None:
        async with disk.write() as transaction:
            transaction.notes[name] = 1

    Task(kernel, write("first"))
    kernel.run_until(100)
    assert disk.tables.notes == {"first": 1}
    backup = disk.tables.copy()
    disk.stop_before = lambda: True
    Task(kernel, write("never"))
    kernel.run_until(200)
    assert disk.tables.notes == {"first": 1}
    disk.stop_before, disk.stop_after = lambda: False, lambda: True
    Task(kernel, write("second"))
    kernel.run_until(300)
    assert disk.tables.notes == {"first": 1, "second": 1}
    assert backup.notes == {"first": 1}


def test_a_task_that_is_ended_does_nothing_more(kernel: Kernel) -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("began")
        await Pause(10)
        seen.append("went on")

    async def crash() -> None:
        await Pause(1)
        raise Crash

    Task(kernel, work()).end()
    done: list[None] = []
    Task(kernel, crash(), done.append)
    Task(kernel, work(), done.append)
    kernel.run_until(100)
    assert seen == ["began", "began", "went on"]
    assert done == [None]
