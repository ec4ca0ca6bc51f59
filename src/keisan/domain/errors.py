"""The one tree of errors. Each has a stable code, an outside text, an inside text and retryable yes or no.

KeisanError > InvalidInput > (SettingsInvalid, ReceiptInvalid, TableInvalid) | Unauthenticated | PermissionDenied > SelfApproval | NotFound | Refused > (AlreadyExists,
VersionMismatch, PreconditionRequired, LetterRefused > (LetterUnroutable, LetterUnknown), IdempotencyMismatch, StateConflict > (AlreadyDecided, RecordsArchived), LimitExceeded) | Unavailable > (StorageUnavailable >
TransactionConflict, PlatformUnreachable, NeighbourUnreachable, EngineUnavailable, DevicesUnreadable, Postponed) | Failed > (WeightsInvalid, LaunchFailed) | LeaseLost | InvariantBroken
"""

from typing import ClassVar


class KeisanError(Exception):
    """Root of the tree. `outside` may be shown to anyone; `inside` is for logs of this process only."""

    code: ClassVar[str] = "internal"
    is_retryable: ClassVar[bool] = False

    def __init__(self, outside: str, inside: str = "") -> None:
        super().__init__(outside)
        self.outside = outside
        self.inside = inside

    def __str__(self) -> str:
        return f"{self.outside} [{self.inside}]" if self.inside else self.outside


class InvalidInput(KeisanError):
    """A value from outside is wrong; `field` is its path, for example `models[0]`."""

    code = "invalid_input"

    def __init__(self, outside: str, field: str = "", inside: str = "") -> None:
        super().__init__(outside, inside)
        self.field = field


class SettingsInvalid(InvalidInput):
    """Settings have faults; all of them are listed, one a line, and nothing starts."""

    code = "settings_invalid"


class ReceiptInvalid(InvalidInput):
    """A receipt does not prove what it says; `field` names the step of the proof that failed."""

    code = "receipt_invalid"


class TableInvalid(InvalidInput):
    """A table that was handed in has bad lines; each is named with its column and what was expected, and nothing was taken.

    `faults` are (field, what was expected), the field of the form `lines[3].region`.
    """

    code = "table_invalid"

    def __init__(
        self, outside: str, field: str = "", inside: str = "", faults: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(outside, field, inside)
        self.faults = faults


class Unauthenticated(KeisanError):
    """No key, a wrong key or a revoked key was presented."""

    code = "unauthenticated"


class PermissionDenied(KeisanError):
    """The key is good but lacks the right."""

    code = "permission_denied"


class SelfApproval(PermissionDenied):
    """Whoever proposed it may not approve it: that takes another key."""

    code = "self_approval"


class NotFound(KeisanError):
    """There is no such thing within the asker's scope."""

    code = "not_found"


class Refused(KeisanError):
    """The request is well formed but the present state forbids it."""

    code = "refused"


class AlreadyExists(Refused):
    """A unique name or id is taken."""

    code = "already_exists"


class VersionMismatch(Refused):
    """If-Match names another version than the stored one."""

    code = "version_mismatch"


class PreconditionRequired(Refused):
    """An update came without If-Match."""

    code = "precondition_required"


class LetterRefused(Refused):
    """A letter of another platform can be neither passed on nor applied; it is kept until a person has judged."""

    code = "letter_refused"


class LetterUnroutable(LetterRefused):
    """No link leads to a letter's audience, yet; it is kept, and tried again when more platforms are known."""

    code = "letter_unroutable"


class LetterUnknown(LetterRefused):
    """A letter is of a kind that only a newer release knows; it is kept, and tried again by that one."""

    code = "letter_unknown"


class IdempotencyMismatch(Refused):
    """An idempotency key was used before with another request."""

    code = "idempotency_mismatch"


class StateConflict(Refused):
    """The noun's state table has no such transition, or something still depends on the noun."""

    code = "state_conflict"


class AlreadyDecided(StateConflict):
    """What was proposed has been approved or rejected, or its time is over."""

    code = "already_decided"


class RecordsArchived(StateConflict):
    """What was asked for lies in the archive alone, and is not read there: the outside text says how to have it."""

    code = "records_archived"


class LimitExceeded(Refused):
    """A named limit would be passed."""

    code = "limit_exceeded"


class Unavailable(KeisanError):
    """Something needed cannot be reached now; the same request may pass later."""

    code = "unavailable"
    is_retryable = True


class StorageUnavailable(Unavailable):
    """The database cannot be reached or is locked."""

    code = "storage_unavailable"


class TransactionConflict(StorageUnavailable):
    """The database ended a transaction for the sake of others that waited in a ring with it: nothing was committed."""

    code = "transaction_conflict"


class PlatformUnreachable(Unavailable):
    """The platform's API did not answer."""

    code = "platform_unreachable"


class NeighbourUnreachable(Unavailable):
    """The platform at the other end of a link does not answer, or the connection to it ended."""

    code = "neighbour_unreachable"


class EngineUnavailable(Unavailable):
    """An engine does not answer its health probe."""

    code = "engine_unavailable"


class DevicesUnreadable(Unavailable):
    """A driver cannot tell which devices there are, or what they measure: that is not the same as none."""

    code = "devices_unreadable"


class Postponed(Unavailable):
    """It can wait, and others cannot: the same request passes later, not before `after_s`."""

    code = "postponed"

    def __init__(self, outside: str, inside: str = "", after_s: float = 1.0) -> None:
        super().__init__(outside, inside)
        self.after_s = after_s


class Failed(KeisanError):
    """Work was tried and failed; the outside text says what to do."""

    code = "failed"


class WeightsInvalid(Failed):
    """Model weights are missing, cannot be fetched, or have another digest than named."""

    code = "weights_invalid"


class LaunchFailed(Failed):
    """An executor could not start a process."""

    code = "launch_failed"


class LeaseLost(KeisanError):
    """A guarded apply found that its lease is held by another now; nothing was written."""

    code = "lease_lost"
    is_retryable = True


class InvariantBroken(KeisanError):
    """A rule that must always hold does not. In the ledger it stops the process."""

    code = "invariant_broken"
