"""The published document: whole, stable in its names, and equal to docs/reference/openapi.json.

`UPDATE_REFERENCE=1 pytest tests/api/test_reference.py` writes the file anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.api.stage import NOBODY, Stage

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


@pytest.fixture
async def document(stage: Stage) -> dict[str, Any]:
    answer = await stage.ask(NOBODY, "GET", "/openapi.json")
    assert answer.status_code == 200
    published: dict[str, Any] = answer.json()
    return published


def list_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


async def test_reference_is_current(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_REFERENCE") == "1":
        REFERENCE.parent.mkdir(parents=True, exist_ok=True)
        REFERENCE.write_text(text, encoding="utf-8")
    assert REFERENCE.read_text(encoding="utf-8") == text, "run: UPDATE_REFERENCE=1 pytest tests/api/test_reference.py"


async def test_every_operation_is_named_tagged_and_closed(document: dict[str, Any]) -> None:
    operations = list_operations(document)
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    assert all(len(operation["tags"]) == 1 for _, _, operation in operations)
    assert document["security"] == [{"bearer": []}]
    opened = {operation["operationId"] for _, _, operation in operations if operation.get("security") == []}
    assert opened == {"get_health", "join_machine", "ask_parent"}


async def test_every_operation_tells_its_problems(document: dict[str, Any]) -> None:
    for path, method, operation in list_operations(document):
        problem = operation["responses"]["default"]["content"]
        assert problem == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert "422" not in operation["responses"], (path, method)
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_write_with_a_key_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    for path, method, operation in list_operations(document):
        headers = {line["name"] for line in operation.get("parameters", ()) if line["in"] == "header"}
        expected = method != "get" and operation["operationId"] not in {"join_machine", "ask_parent"}
        assert ("Idempotency-Key" in headers) is expected, path
        assert ("If-Match" in headers) is (method in {"patch", "delete"}), path


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                target: Any = document
                for part in value["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
