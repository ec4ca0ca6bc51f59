"""Errors to problem documents: every class of the tree by name, nothing inside shown, every fault listed."""

from collections.abc import Iterator

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from keisan.api.errors import STATUS_BY_ERROR, describe_fault
from keisan.domain.errors import (
    InvalidInput,
    KeisanError,
    NotFound,
    Postponed,
    StorageUnavailable,
    Unauthenticated,
)
from tests.api.stage import Stage


def walk_tree(root: type[KeisanError]) -> Iterator[type[KeisanError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == "keisan.domain.errors":
            yield from walk_tree(child)


TREE = tuple(walk_tree(KeisanError))


def test_map_has_every_class_and_no_other() -> None:
    assert set(STATUS_BY_ERROR) == set(TREE)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_class_becomes_a_whole_problem(kind: type[KeisanError]) -> None:
    fault = kind("told outside")
    fault.inside = "kept inside"
    answer = describe_fault(fault, "r1")
    problem = answer.problem
    assert problem.code == kind.code
    assert problem.type == f"urn:keisan:problem:{kind.code}"
    assert problem.retryable is kind.is_retryable
    assert problem.detail == "told outside"
    assert 400 <= problem.status < 600
    assert problem.instance == "urn:keisan:request:r1"
    assert "kept inside" not in problem.model_dump_json()


def test_retryable_and_only_retryable_unavailability_says_when() -> None:
    assert describe_fault(StorageUnavailable("busy"), "r1").headers["retry-after"] == "1"
    assert describe_fault(Postponed("later", after_s=0.1), "r1").headers["retry-after"] == "1"
    assert describe_fault(Postponed("later", after_s=3.1), "r1").headers["retry-after"] == "4"
    assert "retry-after" not in describe_fault(NotFound("gone"), "r1").headers


def test_unauthenticated_names_its_scheme() -> None:
    assert describe_fault(Unauthenticated("no key"), "r1").headers["www-authenticate"] == "Bearer"


def test_field_of_invalid_input_is_listed() -> None:
    problem = describe_fault(InvalidInput("no such model", "models[0]"), "r1").problem
    assert [(line.field, line.message) for line in problem.errors] == [("models[0]", "no such model")]


def test_unknown_exception_tells_nothing() -> None:
    problem = describe_fault(RuntimeError("/srv/keisan password=1"), "r1").problem
    assert (problem.status, problem.code) == (500, "internal")
    assert "password" not in problem.model_dump_json()


def test_framework_refusals_have_codes() -> None:
    codes = {status: describe_fault(HTTPException(status), "r1").problem.code for status in (404, 405, 413, 418)}
    assert codes == {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 418: "refused"}


def test_all_faults_are_listed_with_their_paths() -> None:
    lines = [
        {"type": "int_parsing", "loc": ("query", "limit"), "msg": "not a number"},
        {"type": "string_type", "loc": ("body", "models", 1), "msg": "not a text"},
        {"type": "missing", "loc": ("body", "nodes", 0, "hostname"), "msg": "missing"},
    ]
    problem = describe_fault(RequestValidationError(lines), "r1").problem
    assert problem.status == 400
    assert [line.field for line in problem.errors] == ["limit", "models[1]", "nodes[0].hostname"]


async def test_validation_lists_every_field_over_http(stage: Stage) -> None:
    answer = await stage.ask("admin", "POST", "/keys", {"name": "", "project_id": "x", "role": "wizard", "more": 1})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [line["field"] for line in answer.json()["errors"]] == ["name", "project_id", "role", "more"]


async def test_malformed_json_says_where(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {stage.secrets['admin']}", "content-type": "application/json"}
    answer = await stage.http.post("/api/v1/organizations", content=b'{"name": ', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "malformed JSON at character 9" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("PUT", "/organizations", 405, "method_not_allowed")],
)
async def test_unknown_routes_are_problems(stage: Stage, method: str, path: str, status: int, code: str) -> None:
    answer = await stage.ask("admin", method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
