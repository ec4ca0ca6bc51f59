"""One end of one connection: the product's loop of a link, driven by events of the simulation and not by asyncio."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from keisan.control.link_loop import LinkLoop, LinkNews, LinkQuestion, read_time
from keisan.domain.link import Link, LinkSide
from keisan.federation.effect import Close, Send
from keisan.federation.link import LinkMachine, LinkOwn
from tests.simulation.federation.counter import State
from tests.simulation.federation.kernel import Event
from tests.simulation.federation.task import Task

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable

    from keisan.control.link_hub import LinkHub
    from keisan.control.link_loop import LinkChannel
    from keisan.federation.effect import Effect
    from tests.simulation.federation.network import Connection
    from tests.simulation.federation.platform import SimulatedPlatform


class Inbox(deque[bytes | LinkNews | None]):
    """What waits to be taken; putting something in wakes whoever takes it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def put_nowait(self, heard: bytes | LinkNews | None) -> None:
        self.append(heard)
        # Not at once: whoever puts something in goes on first, as with any queue.
        self._session.platform.world.kernel.call_in(0, self._session.wake)


class Session(LinkLoop):
    """Lives as long as its connection, or until its platform stops. Nothing of it is on disk."""

    def __init__(self, platform: SimulatedPlatform, link: Link, other: int) -> None:
        super().__init__(platform.control, link, cast("LinkChannel", None), platform.release)
        self.platform = platform
        self.other = other
        self.link = link
        self.connection: Connection | None = None
        self.is_over = False
        self._heard = Inbox(self)
        self._inbox = cast("asyncio.Queue[bytes | LinkNews | LinkQuestion | None]", self._heard)
        self._task: Task | None = None
        self._is_working = self._is_waking = False
        self._tick: Event | None = None

    @property
    def machine(self) -> LinkMachine | None:
        """Return the machine, None before what is on disk was read."""
        return self._machine

    @property
    def has_work(self) -> bool:
        """Tell whether something is under way: on the wire without an answer, or to the disk."""
        return (
            self._is_working
            or bool(self._heard)
            or (self._machine is not None and self._machine._turns.under_way_bytes > 0)
        )

    @property
    def is_idle(self) -> bool:
        """Tell whether it lives, and does nothing."""
        return not (self._is_working or self.is_over)

    def begin(self, hub: LinkHub) -> None:
        """Begin to speak."""
        self._run(self._begin(hub))

    async def _begin(self, hub: LinkHub) -> None:
        _, ways = await hub._load_ways()
        start = await self._session.load_start(ways)
        own = LinkOwn(
            platform_id=self.platform.id,
            neighbour_id=self.link.neighbour_id,
            is_child=self.link.side is LinkSide.PARENT,
            epoch=self.link.epoch,
            release=self.platform.release,
        )
        self._machine = machine = LinkMachine(own, start)
        await self._carry_out(machine, machine.open(read_time(self.platform.clock)))

    def hear(self, data: bytes) -> None:
        """Take a message from the wire."""
        if not self.is_over:
            self.platform.world.tally.work["messages"] += 1
            self._heard.append(data)
            self.wake()

    def lose_wire(self) -> None:
        """Take that the connection is gone."""
        if not self.is_over:
            self._heard.put_nowait(None)

    def stop(self) -> None:
        """Do nothing any more: the process has ended, or the connection."""
        self.is_over = True
        self._heard.clear()
        if self._task is not None:
            self._task.end()
        if self._tick is not None:
            self._tick.cancel()

    def wake(self) -> None:
        """Take the next of what waits, unless something is being done already."""
        if self._is_working or self._is_waking:
            return
        self._is_waking = True
        while self._heard and self.is_idle:
            assert self._machine is not None
            self._run(self._handle(self._machine, self._heard.popleft()))
        self._is_waking = False
        if self.is_idle and self._tick is None:
            self._plan_tick()

    async def _handle(self, machine: LinkMachine, heard: bytes | LinkNews | None) -> None:
        await self._take(machine, heard)
        await self._note_heard(machine)

    def _run(self, work: Coroutine[object, None, None]) -> None:
        self._is_working = True
        self._task = Task(self.platform.world.kernel, work, lambda _: self._rest())

    def _rest(self) -> None:
        self._is_working = False
        if self.outcome is not None:
            self._finish(self.outcome)
            return
        self.wake()

    def _plan_tick(self) -> None:
        """Look again when there may be something to do; what is heard meanwhile only puts that off."""
        if self._machine is not None:
            kernel = self.platform.world.kernel
            self._tick = kernel.call_in(self._machine.next_tick_ms - kernel.now_ms, self._take_tick)

    def _take_tick(self) -> None:
        self._tick = None
        if self._is_working or self.is_over or self._machine is None:
            return
        if self._machine.next_tick_ms > self.platform.world.kernel.now_ms:
            self._plan_tick()
        else:
            self._run(self._carry_out(self._machine, self._machine.tick(read_time(self.platform.clock))))

    def _finish(self, outcome: Close) -> None:
        if outcome.code == "silent":
            self.platform.world.tally.states[State.SILENT_NEIGHBOUR] += 1
        self.platform.world.note_close(self, outcome)
        assert self.connection is not None
        self.connection.close(self.platform.number)
        self.stop()
        self.platform.lose(self)

    def _enqueue(self, effects: Iterable[Effect]) -> None:
        assert self.connection is not None
        for effect in effects:
            if isinstance(effect, Close):
                self.outcome = effect
            elif isinstance(effect, Send):
                self.platform.world.watch.see(self, effect.data)
                for said in self.platform.say(effect.data):
                    self.connection.send(self.platform.number, said)
