"""Every error as a problem document (RFC 9457): the one place where a class becomes a status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from keisan.domain import errors
from keisan.wire.problem import FieldFault, Problem

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
INTERNAL_DETAIL = "something went wrong inside the platform; its log has the details under this request's id"

# Each class of the tree by name: a new class without its line fails the test, it does not inherit a status by chance.
STATUS_BY_ERROR: Mapping[type[errors.KeisanError], int] = {
    errors.KeisanError: 500,
    errors.InvalidInput: 400,
    errors.SettingsInvalid: 500,
    errors.ReceiptInvalid: 400,
    errors.TableInvalid: 400,
    errors.Unauthenticated: 401,
    errors.PermissionDenied: 403,
    errors.SelfApproval: 403,
    errors.NotFound: 404,
    errors.Refused: 409,
    errors.AlreadyExists: 409,
    errors.VersionMismatch: 412,
    errors.PreconditionRequired: 428,
    errors.LetterRefused: 409,
    errors.LetterUnroutable: 409,
    errors.LetterUnknown: 409,
    errors.IdempotencyMismatch: 422,
    errors.StateConflict: 409,
    errors.AlreadyDecided: 409,
    errors.RecordsArchived: 409,
    errors.LimitExceeded: 409,
    errors.Unavailable: 503,
    errors.StorageUnavailable: 503,
    errors.TransactionConflict: 503,
    errors.PlatformUnreachable: 503,
    errors.NeighbourUnreachable: 503,
    errors.EngineUnavailable: 503,
    errors.DevicesUnreadable: 503,
    errors.Postponed: 429,
    errors.Failed: 500,
    errors.WeightsInvalid: 500,
    errors.LaunchFailed: 500,
    errors.LeaseLost: 409,
    errors.InvariantBroken: 500,
}

# What goes wrong before a route is reached has no class in domain.
CODE_BY_STATUS: Mapping[int, str] = {
    400: "invalid_input",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


@dataclass(frozen=True, slots=True)
class FaultAnswer:
    """A problem document and the headers that go with it."""

    problem: Problem
    headers: Mapping[str, str] = field(default_factory=dict)


def describe_fault(fault: Exception, request_id: str) -> FaultAnswer:
    """Return what the asker is told of a fault; of one that is not ours, nothing but the request's id."""
    instance = f"urn:keisan:request:{request_id}"
    if isinstance(fault, errors.KeisanError):
        return _describe_error(fault, instance)
    if isinstance(fault, RequestValidationError):
        faults = tuple(
            FieldFault(field=_format_path(line["loc"]), message=_format_message(line)) for line in fault.errors()
        )
        detail = "; ".join(f"{line.field}: {line.message}" if line.field else line.message for line in faults)
        return FaultAnswer(_build_problem(400, "invalid_input", detail, instance, faults))
    if isinstance(fault, HTTPException):
        code = CODE_BY_STATUS.get(fault.status_code, "refused")
        problem = _build_problem(fault.status_code, code, str(fault.detail), instance)
        return FaultAnswer(problem, dict(fault.headers or {}))
    return FaultAnswer(_build_problem(500, "internal", INTERNAL_DETAIL, instance))


def _describe_error(fault: errors.KeisanError, instance: str) -> FaultAnswer:
    status = next(STATUS_BY_ERROR[kind] for kind in type(fault).__mro__ if kind in STATUS_BY_ERROR)
    path = fault.field if isinstance(fault, errors.InvalidInput) else ""
    faults: tuple[FieldFault, ...] = (FieldFault(field=path, message=fault.outside),) if path else ()
    if isinstance(fault, errors.TableInvalid):
        faults = tuple(FieldFault(field=place, message=text) for place, text in fault.faults)
    problem = _build_problem(status, fault.code, fault.outside, instance, faults)
    problem = problem.model_copy(update={"retryable": fault.is_retryable})
    after_s = max(RETRY_AFTER_S, ceil(fault.after_s)) if isinstance(fault, errors.Postponed) else RETRY_AFTER_S
    headers = {"retry-after": str(after_s)} if status in (429, 503) else {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return FaultAnswer(problem, headers)


def _build_problem(status: int, code: str, detail: str, instance: str, faults: tuple[FieldFault, ...] = ()) -> Problem:
    return Problem(
        type=f"urn:keisan:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        retryable=False,
        instance=instance,
        errors=faults,
    )


def _format_path(location: tuple[str | int, ...]) -> str:
    """Return a path as it would be written in code: ("body", "models", 0) -> models[0]."""
    path = ""
    for part in location[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _format_message(line: Mapping[str, object]) -> str:
    if line["type"] == "json_invalid":
        location, context = line["loc"], line.get("ctx")
        where = location[1] if isinstance(location, tuple) and len(location) > 1 else "?"
        reason = context.get("error") if isinstance(context, Mapping) else ""
        return f"malformed JSON at character {where}: {reason}"
    return str(line["msg"])
