"""What the exit code of every keisan command means; the one place."""

from enum import IntEnum

from keisan.domain.errors import (
    InvalidInput,
    KeisanError,
    NotFound,
    PermissionDenied,
    Refused,
    Unauthenticated,
    Unavailable,
)


class ExitCode(IntEnum):
    """Codes beyond these are the shell's own: 128 + the number of a signal."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """The command line, the settings or a value in a request is wrong; nothing was done."""
    UNREACHABLE = 3
    """The platform, the gateway or a replica does not answer; the same command may pass later."""
    NOT_PERMITTED = 4
    """No key, a wrong or revoked key, or a key without the right."""
    NOT_FOUND = 5
    REFUSED = 6
    """The present state forbids it: a name is taken, a version is old, something still depends on it."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


_CODE_BY_CLASS: tuple[tuple[type[KeisanError], ExitCode], ...] = (
    (InvalidInput, ExitCode.USAGE),
    (Unauthenticated, ExitCode.NOT_PERMITTED),
    (PermissionDenied, ExitCode.NOT_PERMITTED),
    (NotFound, ExitCode.NOT_FOUND),
    (Refused, ExitCode.REFUSED),
    (Unavailable, ExitCode.UNREACHABLE),
)


def choose_exit_code(fault: KeisanError) -> ExitCode:
    """Return the code that a fault ends a command with."""
    for kind, code in _CODE_BY_CLASS:
        if isinstance(fault, kind):
            return code
    return ExitCode.FAILED
