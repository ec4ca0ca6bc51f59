"""The relay (crates/bindings) as Python sees it. Every JSON here has its twin in keisan.wire or in crates/route."""

class Relay:
    """The data plane of one gateway. No call holds the GIL while it waits."""

    def __init__(self, options: str) -> None:
        """Read the options (JSON) and open the spool; raises ValueError naming all faults at once. Starts nothing."""

    def load_snapshot(self, snapshot: bytes) -> None:
        """Swap in a snapshot, whole; raises ValueError if it does not parse, and the old one stays."""

    def start(self) -> tuple[str, int]:
        """Bind, begin to answer, return host and port; raises OSError if it cannot bind. Needs a snapshot."""

    def read_spool(self, records_max: int) -> tuple[list[bytes], str]:
        """Return the oldest synced records behind the cursor, and the cursor that stands after them."""

    def advance_spool(self, cursor: str) -> None:
        """Put the cursor there, durably; whole segments behind it are removed."""

    def drain(self, timeout_s: float) -> bool:
        """Accept no more and wait for the open calls; return whether all ended in time."""

    def stop(self) -> None:
        """End what is still open; release the address and the spool."""

    def stats(self) -> str:
        """Return counters as JSON."""

def amount_nano(quantities: str, price: str) -> str:
    """Return the amount as a decimal string (R3), from JSON quantities and JSON prices per 1,000,000."""

def native_version() -> str:
    """Return the version that the relay was built as."""
