"""The network: connections that carry messages in order or not at all, over pairs of platforms that may be cut either way.

What a cut holds up is delivered after it, as TCP does; a connection that is dropped loses what is under way. The transport
reorders and repeats nothing within a connection: it does so by an old connection that still delivers while a new one lives.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulation.federation.kernel import Kernel

LATENCY_MS = (1, 40)
DIAL_ROUND_TRIPS = 3


class Listener(Protocol):
    """One end of a connection, as its owner sees it."""

    def hear(self, data: bytes) -> None: ...
    def lose_wire(self) -> None: ...


@dataclass(slots=True)
class Way:
    """One direction of a connection."""

    sender: int
    receiver: int
    listener: Listener
    waiting: deque[bytes] = field(default_factory=deque)
    last_ms: int = 0
    extra_ms: int = 0
    is_cut_short: bool = False
    is_closed: bool = False


class Connection:
    """Two directions between a platform that dialled and one that was dialled."""

    def __init__(self, network: "Network", dialler: tuple[int, Listener], answerer: tuple[int, Listener]) -> None:
        self._network = network
        (first, first_listener), (second, second_listener) = dialler, answerer
        self.ways = {
            first: Way(first, second, second_listener),
            second: Way(second, first, first_listener),
        }

    @property
    def in_flight(self) -> int:
        """Return how many messages are under way."""
        return sum(len(way.waiting) for way in self.ways.values())

    @property
    def is_open(self) -> bool:
        return not any(way.is_closed for way in self.ways.values())

    def send(self, sender: int, data: bytes) -> None:
        """Send a message; after the connection was closed nothing goes out."""
        way = self.ways[sender]
        if not way.is_closed:
            way.waiting.append(data)
            self._network.schedule(way)

    def close(self, sender: int) -> None:
        """End this side: the other hears of it after all that was sent, if it hears anything."""
        way, back = self.ways[sender], self.ways[way_back(self, sender)]
        back.is_closed = True
        back.waiting.clear()
        if not way.is_closed:
            way.waiting.append(b"")
            self._network.schedule(way)
            way.is_closed = True

    def drop(self, heard_by: tuple[int, ...]) -> None:
        """Lose what is under way; those who hear of it hear of it now, the others by silence."""
        for way in self.ways.values():
            way.is_closed = True
            way.waiting.clear()
            if way.receiver in heard_by:
                way.listener.lose_wire()


def way_back(connection: Connection, sender: int) -> int:
    """Return the number of the other side."""
    return connection.ways[sender].receiver


class Network:
    """Every pair of platforms has latency, and may be cut in either direction, by several faults at once."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.connections: list[Connection] = []
        self._cuts: dict[tuple[int, int], int] = {}
        self._held: dict[tuple[int, int], list[Way]] = {}
        self._healed: dict[tuple[int, int], list[Callable[[], None]]] = {}

    def is_cut(self, sender: int, receiver: int) -> bool:
        return self._cuts.get((sender, receiver), 0) > 0

    def cut(self, sender: int, receiver: int) -> None:
        """Let nothing through in one direction until it is healed as often."""
        self._cuts[sender, receiver] = self._cuts.get((sender, receiver), 0) + 1

    def heal(self, sender: int, receiver: int) -> None:
        self._cuts[sender, receiver] -= 1
        if self.is_cut(sender, receiver):
            return
        for way in self._held.pop((sender, receiver), []):
            for _ in way.waiting:
                self._plan(way)
        if not self.is_cut(receiver, sender):
            for action in [*self._healed.pop((sender, receiver), []), *self._healed.pop((receiver, sender), [])]:
                action()

    def when_healed(self, dialler: int, answerer: int, action: Callable[[], None]) -> None:
        """Do something once both directions are open: a retry in vain would be an event about nothing."""
        pair = (dialler, answerer) if self.is_cut(dialler, answerer) else (answerer, dialler)
        self._healed.setdefault(pair, []).append(action)

    def can_reach(self, dialler: int, answerer: int) -> bool:
        return not self.is_cut(dialler, answerer) and not self.is_cut(answerer, dialler)

    def connect(self, dialler: tuple[int, Listener], answerer: tuple[int, Listener]) -> Connection:
        connection = Connection(self, dialler, answerer)
        self.connections = [each for each in self.connections if each.is_open or each.in_flight]
        self.connections.append(connection)
        return connection

    def list_between(self, first: int, second: int) -> list[Connection]:
        return [each for each in self.connections if first in each.ways and second in each.ways]

    def draw_latency_ms(self) -> int:
        return self.kernel.random.randint(*LATENCY_MS)

    def schedule(self, way: Way) -> None:
        """Have the message that was put into a direction last arrive, after all before it."""
        if self.is_cut(way.sender, way.receiver):
            self._hold(way)
        else:
            self._plan(way)

    def _hold(self, way: Way) -> None:
        held = self._held.setdefault((way.sender, way.receiver), [])
        if not any(each is way for each in held):
            held.append(way)

    def _plan(self, way: Way) -> None:
        way.last_ms = max(way.last_ms, self.kernel.now_ms + self.draw_latency_ms() + way.extra_ms)
        self.kernel.call_in(way.last_ms - self.kernel.now_ms, lambda: self._deliver(way))

    def _deliver(self, way: Way) -> None:
        if not way.waiting:
            return
        if self.is_cut(way.sender, way.receiver):
            self._hold(way)
            return
        data = way.waiting.popleft()
        self.kernel.note(b"%d>%d %b" % (way.sender, way.receiver, data))
        if not data:
            way.waiting.clear()
            way.listener.lose_wire()
            return
        if way.is_cut_short:
            way.waiting.clear()
            way.is_closed = True
            way.listener.hear(data[: self.kernel.random.randrange(len(data))])
            way.listener.lose_wire()
            return
        way.listener.hear(data)
