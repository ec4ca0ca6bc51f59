"""What the shell needs of the relay; keisan._native.Relay is the one implementation, tests record calls to a double."""

from typing import Protocol


class UsageBatch(Protocol):
    """The body of one upload: `count` records as they were spooled, and what they share, by lines; `cursor` stands behind the last."""

    @property
    def count(self) -> int: ...

    @property
    def cursor(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    def copy(self, start: int, bytes_max: int) -> bytes:
        """Return up to `bytes_max` bytes from `start` on."""
        ...


class Relay(Protocol):
    """The data plane. Calls may block on disk, so the shell makes them in a thread; none holds the GIL while it waits."""

    def load_snapshot(self, snapshot: bytes) -> None:
        """Swap in a snapshot (JSON), whole; raises ValueError if it does not parse, and the old one stays."""
        ...

    def start(self) -> tuple[str, int]:
        """Bind, begin to answer, and return host and port.

        Raises ValueError before the first snapshot or for unusable certificates, RuntimeError if it cannot bind.
        """
        ...

    def read_batch(self, records_max: int) -> UsageBatch:
        """Return the oldest synced records behind the cursor; raises RuntimeError. One batch is asked for at a time."""
        ...

    def advance_spool(self, cursor: str) -> None:
        """Put the cursor there, durably; raises RuntimeError if it cannot be kept."""
        ...

    def wait_credit(self, timeout_s: float) -> bool:
        """Wait until a call waits for credit or for a share of a limit (True), or the time is over (False)."""
        ...

    def report_credit(self) -> str:
        """Return a CreditReport as JSON; `is_spool_passed` and what else the shell knows is the shell's to set."""
        ...

    def apply_credit(self, answer: str) -> None:
        """Put a CreditAnswer (JSON) in force, whole; raises ValueError if it does not parse, and all stays as it was."""
        ...

    def take_spans(self, spans_max: int) -> bytes:
        """Return the oldest spans that wait as an OTLP export in JSON; nothing if there are none. They are the caller's now."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Accept no more and wait for the open calls; return whether all ended in time."""
        ...

    def stop(self) -> None:
        """End everything that is still open and release address and spool: another may open them from then on."""
        ...

    def stats(self) -> str:
        """Return counters as JSON."""
        ...
