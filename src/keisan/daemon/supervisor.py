"""The tree of `keisan up` (R13): children in order, Ctrl-C for all of them here, a second Ctrl-C kills."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from keisan.daemon.child import Child
from keisan.kit.observe import write_log


@dataclass(slots=True)
class Supervisor:
    """Children in the order of their start; they end in the order given to stop_all.

    `stopping` is set by the first Ctrl-C (or SIGTERM), `killing` by the second.
    """

    group: asyncio.TaskGroup
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    killing: asyncio.Event = field(default_factory=asyncio.Event)
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, child: Child) -> None:
        """Run a child from now on."""
        self.children[child.plan.name] = child
        self.group.create_task(child.run(), name=child.plan.name)

    async def stop_all(self, order: tuple[str, ...]) -> None:
        """End the children one after the other; those in no order come last."""
        rest = tuple(name for name in self.children if name not in order)
        for name in (*order, *rest):
            if name in self.children:
                await self.children[name].stop(self.killing)
                write_log("child.stopped", name=name)

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM for as long as the block runs."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._take_signal)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _take_signal(self) -> None:
        (self.killing if self.stopping.is_set() else self.stopping).set()
