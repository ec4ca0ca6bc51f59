"""Whose turn it is on a link: what is under way is bounded, state goes first, and logs have their share however much state changes."""

from dataclasses import dataclass

from keisan.domain.limits import LINK_LOG_SHARE_PERCENT, LINK_WINDOW_BYTES


@dataclass(slots=True)
class Turns:
    """Bytes of one direction. `owed_bytes` is what logs may send before state goes on, since they waited for it.

    What is under way of logs has a bound of its own: their receiver applies it in order, and state that comes meanwhile waits for that.
    """

    under_way_bytes: int = 0
    log_under_way_bytes: int = 0
    owed_bytes: int = 0

    @property
    def has_room(self) -> bool:
        """Tell whether more may be sent before something is answered."""
        return self.under_way_bytes < LINK_WINDOW_BYTES

    @property
    def has_log_room(self) -> bool:
        """Tell whether more of the logs may be sent: they have their share of the window, also while nothing else is to be sent."""
        return self.log_under_way_bytes * 100 < LINK_WINDOW_BYTES * LINK_LOG_SHARE_PERCENT

    def is_log_next(self, state_waits: bool, log_waits: bool) -> bool:  # noqa: FBT001  # what waits is all there is to ask
        """Tell whether a log sends next, and not state."""
        return log_waits and (not state_waits or self.owed_bytes > 0)

    def note_state(self, sent_bytes: int, *, log_waits: bool) -> None:
        """Note that state was sent; a log that waited for it is owed its share."""
        self.under_way_bytes += sent_bytes
        if log_waits:
            self.owed_bytes += -(-sent_bytes * LINK_LOG_SHARE_PERCENT // (100 - LINK_LOG_SHARE_PERCENT))

    def note_log(self, sent_bytes: int, *, state_waits: bool) -> None:
        """Note that a log sent; what it has from state that waits is taken off its share, below zero if need be."""
        self.under_way_bytes += sent_bytes
        self.log_under_way_bytes += sent_bytes
        self.owed_bytes = self.owed_bytes - sent_bytes if state_waits else 0

    def note_answered(self, sent_bytes: int) -> None:
        """Note that state that was sent is answered."""
        self.under_way_bytes -= sent_bytes

    def note_log_answered(self, sent_bytes: int) -> None:
        """Note that items of a log are acknowledged."""
        self.under_way_bytes -= sent_bytes
        self.log_under_way_bytes -= sent_bytes
