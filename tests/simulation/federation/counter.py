"""What a run has seen: how often each fault fired with something under way, and how often each rare state was reached."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """What can go wrong from outside."""

    CUT = "cut"
    CUT_ONE_WAY = "cut_one_way"
    FLAP = "flap"
    DELAY = "delay"
    OLD_CONNECTION = "old_connection"
    DROP = "drop"
    TRUNCATE = "truncate"
    RESTART = "restart"
    RESTART_BEFORE_COMMIT = "restart_before_commit"
    RESTART_AFTER_COMMIT = "restart_after_commit"
    ROLLBACK_PARENT = "rollback_parent"
    ROLLBACK_CHILD = "rollback_child"
    CLOCK_STEP = "clock_step"
    REVOCATION = "revocation"
    CERTIFICATE = "certificate"
    MOVE = "move"
    NEWER_NEIGHBOUR = "newer_neighbour"


class State(StrEnum):
    """Rare states: a run that never reached one has proved nothing of it."""

    FORK = "fork"
    RETURNED = "returned"
    OWN_REGISTER_LOST = "own_register_lost"
    REPEATED_LETTER = "repeated_letter"
    TWO_CONNECTIONS = "two_connections"
    NEW_EPOCH = "new_epoch"
    TRIMMED = "trimmed"
    UNKNOWN_KIND = "unknown_kind"
    NO_WAY_YET = "no_way_yet"
    HOLD = "hold"
    GRANT_EPOCH = "grant_epoch"
    OUTDATED_ORDER = "outdated_order"
    FENCE_EPOCH = "fence_epoch"
    CALL_PASSED_ON = "call_passed_on"
    CALL_LOOPED = "call_looped"
    CERTIFICATE_ENDED = "certificate_ended"
    CERTIFICATE_RENEWED = "certificate_renewed"
    MOVE_HALF_DONE = "move_half_done"
    LEASE_USED_UP = "lease_used_up"
    DISPUTE = "dispute"
    SUSPENSE = "suspense"
    LATE_RECORD = "late_record"
    FALSE_REGION = "false_region"
    SILENT_NEIGHBOUR = "silent_neighbour"


@dataclass
class Tally:
    """Counts of one schedule, or of many."""

    faults: Counter[str] = field(default_factory=Counter)
    idle_faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    work: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        for name in ("faults", "idle_faults", "states", "work"):
            getattr(self, name).update(getattr(other, name))

    def list_missing(self) -> list[str]:
        """Return the faults that never fired with something under way, and the states that were never reached."""
        faults = [kind.value for kind in FaultKind if not self.faults[kind]]
        return faults + [state.value for state in State if not self.states[state]]
