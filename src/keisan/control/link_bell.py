"""A bell for the links of this process: rung when something was written for a neighbour, so that nobody waits for the next look."""

import asyncio


class LinkBell:
    """Rung once what was written has committed: whoever hears it finds it at the first look."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let whoever waits look now."""
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until it is rung, at most so long; tell whether it was."""
        try:
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        except TimeoutError:
            return False
        self._rung.clear()
        return True
