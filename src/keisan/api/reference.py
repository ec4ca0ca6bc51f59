"""The published OpenAPI document, made from the routes."""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from keisan.api.authentication import PUBLIC_PATHS
from keisan.api.errors import PROBLEM_TYPE
from keisan.api.idempotency import WRITE_METHODS
from keisan.domain.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX

API_VERSION = "1"
DESCRIPTION = (
    "The control plane of keisan. Lists are paged by opaque cursors; writes may carry Idempotency-Key; updates need "
    "If-Match; every error is a problem document (RFC 9457) with a stable code."
)
BEARER = {"type": "http", "scheme": "bearer", "description": "A key, or a joined machine's secret."}
FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The answer is kept for a day and given again to the same request.",
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARACTERS_MAX},
}


def describe_api(app: FastAPI) -> dict[str, object]:
    """Return the OpenAPI document of an app as JSON values."""
    document = get_openapi(title="keisan", version=API_VERSION, description=DESCRIPTION, routes=app.routes)
    document["components"]["securitySchemes"] = {"bearer": BEARER}
    document["security"] = [{"bearer": []}]
    for name in FRAMEWORK_SCHEMAS:
        document["components"]["schemas"].pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe_operation(path, method.upper(), operation)
    return document


def _describe_operation(path: str, method: str, operation: dict[str, object]) -> None:
    responses = operation["responses"]
    if isinstance(responses, dict):
        # The framework documents its own shape of refusal, which the edge never lets out.
        responses.pop("422", None)
        content = responses["default"]["content"]
        content[PROBLEM_TYPE] = content.pop("application/json")
    if path in PUBLIC_PATHS:
        operation["security"] = []
    elif method in WRITE_METHODS:
        parameters = operation.setdefault("parameters", [])
        if isinstance(parameters, list):
            parameters.append(IDEMPOTENCY_PARAMETER)
