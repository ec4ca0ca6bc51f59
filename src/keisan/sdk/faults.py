"""Answers that are errors, turned back into the classes of keisan.domain.errors."""

import json
from collections.abc import Iterator, Mapping

import httpx

from keisan.domain import errors
from keisan.domain.errors import InvalidInput, KeisanError
from keisan.wire.problem import Problem


def _walk_classes(root: type[KeisanError]) -> Iterator[type[KeisanError]]:
    yield root
    for child in root.__subclasses__():
        yield from _walk_classes(child)


ERROR_BY_CODE: Mapping[str, type[KeisanError]] = {kind.code: kind for kind in _walk_classes(KeisanError)}

# For codes that have no class: what a status alone tells.
ERROR_BY_STATUS: Mapping[int, type[KeisanError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    413: errors.LimitExceeded,
    429: errors.Unavailable,
    500: errors.KeisanError,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


def read_problem(answer: httpx.Response) -> KeisanError:
    """Return the error that a platform's answer (status 400 and up, body read) stands for."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValueError:
        text = f"{answer.request.url.host} answered {answer.status_code} without a problem document"
        return errors.PlatformUnreachable(text) if answer.status_code >= 500 else _build_error(answer.status_code, text)
    detail = problem.detail or problem.title
    field = problem.errors[0].field if problem.errors else ""
    return _build_error(answer.status_code, detail, problem.code, field, problem.instance or "")


def read_gateway_error(status: int, body: bytes | str) -> KeisanError:
    """Return the error that a gateway's body in OpenAI's error shape stands for; status 0 for one within a stream."""
    try:
        told = json.loads(body)["error"]
        message, code, field = str(told["message"]), str(told.get("code") or ""), str(told.get("param") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _build_error(status, f"the gateway answered {status} without saying why")
    return _build_error(status, message, code, field)


def _build_error(status: int, outside: str, code: str = "", field: str = "", inside: str = "") -> KeisanError:
    by_status = ERROR_BY_STATUS.get(status, errors.Refused if 400 <= status < 500 else errors.EngineUnavailable)
    kind = ERROR_BY_CODE.get(code, by_status)
    if issubclass(kind, InvalidInput):
        return kind(outside, field, inside)
    return kind(outside, inside)
