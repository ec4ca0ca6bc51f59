"""Answers that are errors become the classes they came from."""

from collections.abc import Iterator

import httpx
import pytest

from keisan.api.errors import describe_fault
from keisan.domain.errors import (
    EngineUnavailable,
    InvalidInput,
    KeisanError,
    LimitExceeded,
    NotFound,
    PlatformUnreachable,
    Refused,
    Unauthenticated,
    Unavailable,
)
from keisan.sdk.faults import read_gateway_error, read_problem

REQUEST = httpx.Request("GET", "http://platform.test/x")


def walk_tree(root: type[KeisanError]) -> Iterator[type[KeisanError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == "keisan.domain.errors":
            yield from walk_tree(child)


@pytest.mark.parametrize("kind", tuple(walk_tree(KeisanError)), ids=lambda kind: kind.__name__)
def test_every_class_survives_the_way_through_http(kind: type[KeisanError]) -> None:
    problem = describe_fault(kind("told outside"), "r1").problem
    fault = read_problem(httpx.Response(problem.status, content=problem.model_dump_json(), request=REQUEST))
    assert type(fault) is kind
    assert fault.outside == "told outside"
    assert fault.is_retryable is kind.is_retryable
    assert fault.inside == "urn:keisan:request:r1"


def test_field_survives_too() -> None:
    problem = describe_fault(InvalidInput("wrong", "models[0]"), "r1").problem
    fault = read_problem(httpx.Response(400, content=problem.model_dump_json(), request=REQUEST))
    assert isinstance(fault, InvalidInput)
    assert fault.field == "models[0]"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidInput), (404, NotFound), (413, LimitExceeded), (418, Refused), (502, PlatformUnreachable)],
)
def test_answer_that_is_no_problem_is_told_by_its_status(status: int, kind: type[KeisanError]) -> None:
    assert type(read_problem(httpx.Response(status, content=b"<html>", request=REQUEST))) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (401, '{"error": {"message": "no", "code": "invalid_api_key"}}', Unauthenticated, "no"),
        (404, '{"error": {"message": "no model", "code": "model_not_found"}}', NotFound, "no model"),
        (402, '{"error": {"message": "poor", "code": "insufficient_credit"}}', Refused, "poor"),
        (503, '{"error": {"message": "full", "code": "no_replica"}}', Unavailable, "full"),
        (0, '{"error": {"message": "died", "code": "engine_cut"}}', EngineUnavailable, "died"),
        (500, "oops", KeisanError, "the gateway answered 500 without saying why"),
        (400, "[]", InvalidInput, "the gateway answered 400 without saying why"),
    ],
)
def test_gateway_shape(status: int, body: str, kind: type[KeisanError], text: str) -> None:
    fault = read_gateway_error(status, body)
    assert (type(fault), fault.outside) == (kind, text)


def test_gateway_names_the_field() -> None:
    fault = read_gateway_error(400, '{"error": {"message": "bad", "code": "x", "param": "messages[0].role"}}')
    assert isinstance(fault, InvalidInput)
    assert fault.field == "messages[0].role"
