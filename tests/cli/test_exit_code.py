"""Exit codes: every class of the error tree has one, and each says what it should."""

import pytest

from keisan.cli.exit_code import ExitCode, choose_exit_code
from keisan.domain import errors


def list_classes(kind: type[errors.KeisanError]) -> list[type[errors.KeisanError]]:
    return [kind, *(inner for child in kind.__subclasses__() for inner in list_classes(child))]


@pytest.mark.parametrize("kind", list_classes(errors.KeisanError))
def test_every_error_has_a_code_that_is_not_success(kind: type[errors.KeisanError]) -> None:
    assert choose_exit_code(kind("x")) in set(ExitCode) - {ExitCode.OK, ExitCode.INTERRUPTED}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SettingsInvalid, 2),
        (errors.PlatformUnreachable, 3),
        (errors.EngineUnavailable, 3),
        (errors.Unauthenticated, 4),
        (errors.PermissionDenied, 4),
        (errors.NotFound, 5),
        (errors.VersionMismatch, 6),
        (errors.WeightsInvalid, 1),
    ],
)
def test_codes(kind: type[errors.KeisanError], code: int) -> None:
    assert choose_exit_code(kind("x")) == code
