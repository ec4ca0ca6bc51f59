"""The compiled data plane (crates/bindings): the relay, the door, and the rules they share with simulations.

Every method lets go of the GIL while it works. ValueError: what was given is wrong; RuntimeError: the system refused.
"""

from typing import final

@final
class UsageBatch:
    """Spooled usage records as the body of one upload (decision 0035); what the relay keeps for it is free again with it."""

    @property
    def count(self) -> int: ...
    @property
    def cursor(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    def copy(self, start: int, bytes_max: int) -> bytes:
        """Return up to `bytes_max` bytes from `start` on; nothing behind the end."""

@final
class Relay:
    """One gateway's data plane. Its threads are its own; never fork after `start`."""

    def __init__(self, options: str) -> None:
        """Open the spool; start nothing. `options` is JSON.

        Raises ValueError with one fault per line, or RuntimeError if the spool is held by another process or broken.
        """

    def load_snapshot(self, snapshot: bytes) -> None:
        """Put a snapshot in force for new calls, whole or not at all.

        Raises ValueError if it does not parse, is another platform's, or goes back within its incarnation.
        """

    def start(self) -> tuple[str, int]:
        """Bind, serve, and return the bound host and port; port 0 in the options takes a free one.

        Raises ValueError before the first snapshot or for unusable certificates, RuntimeError if binding fails.
        """

    def read_batch(self, records_max: int) -> UsageBatch:
        """Return up to `records_max` synced records behind the cursor; raises RuntimeError if the spool cannot be read."""

    def advance_spool(self, cursor: str) -> None:
        """Keep a cursor that `read_batch` gave, durably; segments wholly behind it are removed.

        Raises ValueError for any other cursor, RuntimeError if it cannot be kept.
        """

    def wait_credit(self, timeout_s: float) -> bool:
        """Wait until a call needs credit or a share before the next exchange is due; return whether one does.

        Raises ValueError unless `timeout_s` is within 0 and 86400.
        """

    def report_credit(self) -> str:
        """Return what is held, spent and wanted as JSON (CreditReport); demand is counted anew from here."""

    def apply_credit(self, answer: str) -> None:
        """Take the platform's CreditAnswer to the last report; raises ValueError, changing nothing, if it does not parse."""

    def take_spans(self, spans_max: int) -> bytes:
        """Return up to `spans_max` of the spans that wait, oldest first, as the JSON body of one OTLP export.

        Nothing if there are none. What is returned is not kept.
        """

    def drain(self, timeout_s: float) -> bool:
        """Wait for open calls, and after `drain_idle_timeout_s` accept no more; return whether all ended in time.

        Raises ValueError unless `timeout_s` is within 0 and 86400.
        """

    def stop(self) -> None:
        """End all threads and let go of the spool; open calls are abandoned, each with its record.

        From then on another may open the spool, and this object neither reads nor writes it.
        """

    def stats(self) -> str:
        """Return counters and states as JSON: status, snapshot, spool, open_calls, calls, refusals."""

@final
class Door:
    """One site's door. Its threads are its own; never fork after `start`."""

    def __init__(self, options: str) -> None:
        """Start nothing. `options` is JSON.

        Raises ValueError with one fault per line. A missing access file is none: until there is one, nobody is let in.
        """

    def start(self) -> tuple[str, int]:
        """Bind, serve, and return the bound host and port; port 0 in the options takes a free one.

        Raises ValueError for unusable certificates, RuntimeError if binding fails.
        """

    def drain(self, timeout_s: float) -> bool:
        """Stop accepting and wait for open calls; return whether all ended in time.

        Raises ValueError unless `timeout_s` is within 0 and 86400.
        """

    def stop(self) -> None:
        """End all threads; open calls are abandoned, and their gateways see them lost."""

    def stats(self) -> str:
        """Return counters and states as JSON: status, access_fault, open_calls, open_connections, calls, lost."""

@final
class Router:
    """One gateway's choice of replicas, for simulations: the rule, memories and backlogs of the relay, in a made-up world.

    Blocks are any numbers that stand for a prompt's beginning up to their end, as traces' hash ids do, or `hash_prompt`.
    """

    def __init__(self, block_tokens: int, lateness_s_max: float | None = None, patience: int | None = None) -> None:
        """Start without replicas. `block_tokens` is the length of a block; None takes the relay's own numbers.

        Raises ValueError unless `block_tokens` is at least 1 and `lateness_s_max` within 0 and 86400.
        """

    def add_replica(self, prefill_tokens_per_s: int | None, slots: int, cache_tokens: int, link_us: int) -> int:
        """Add a replica that is ok, and return its number, from 0. `cache_tokens` bounds what it is believed to keep.

        Raises ValueError for more than 4,194,304 blocks.
        """

    def set_verdict(self, replica: int, verdict: str) -> None:
        """Set the verdict: ok, failed or unknown. Raises ValueError for any other, or for an unknown replica."""

    def set_price(self, replica: int, price_nano: int) -> None:
        """Set the price, 0 at first. Raises ValueError for an unknown replica."""

    def report_backlog(self, replica: int, tokens: int) -> None:
        """Set how many uncached tokens others have in flight there. Raises ValueError for an unknown replica."""

    def choose(self, blocks: list[int], prompt_tokens: int) -> tuple[int, int, int] | None:
        """Send a call: return its number, the replica, and how many of its tokens are believed warm there.

        None if no replica may serve it. Its uncached tokens are in flight until `note_first_byte` or `finish`.
        """

    def explain(self, blocks: list[int], prompt_tokens: int) -> str:
        """Return how each replica stands with a call, as a JSON array of {"excluded": reason} or {"scored": parts}."""

    def note_first_byte(self, call: int) -> None:
        """End a call's prefill. Raises ValueError if the call is not open."""

    def finish(self, call: int) -> None:
        """End a call. Raises ValueError if it is not open."""

    def list_backlogs(self) -> list[int]:
        """Return the uncached tokens in flight by replica, reported ones included."""

def hash_prompt(prompt: bytes) -> list[int]:
    """Return the hashes of a prompt's whole blocks of 512 bytes, of 1 MiB at most."""

def amount_nano(quantities: str, price: str) -> str:
    """Return the amount in nano-units as a decimal text: sum of quantity x price over 1,000,000, half to even.

    `quantities` is JSON {token class: integer}, `price` JSON {token class: decimal text of nano-units per 1,000,000}.
    Raises ValueError if either does not parse or a counted class has no price.
    """

def decide_forward(question: str) -> tuple[str, str]:
    """Return what becomes of a call from another platform: "serve", "pass" with the neighbour's id, or "refuse" with the code.

    `question` is JSON: `call` (home_id, audience_id, hops_left), `peer` (platform_id, side or null), and `here` (platform_id,
    way_home, way_on: null, or neighbour_id, side, verdict). Raises ValueError if it does not parse.
    """

def native_version() -> str:
    """Return the version of the compiled part."""

def is_built_by_profile() -> bool:
    """Tell whether the compiled part was made for how it runs (`make profile`), and not plainly."""
