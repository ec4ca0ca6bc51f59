"""Usage records as the relay writes them: JSON of one good call, with any field changed."""

import json

from keisan.kit.clock import to_milliseconds
from tests.domain.samples import (
    DEPLOYMENT_ID,
    GATEWAY_ID,
    KEY_ID,
    MODEL_DIGEST,
    MODEL_ID,
    NOW,
    ORGANIZATION_ID,
    PLATFORM_ID,
    PRICE_ID,
    PROJECT_ID,
    PROVIDER_ID,
    RECORD_ID,
    REPLICA_ID,
    SITE_ID,
)


def build_body(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "schema_version": 1,
        "record_id": str(RECORD_ID),
        "platform_id": PLATFORM_ID,
        "gateway_id": str(GATEWAY_ID),
        "organization_id": str(ORGANIZATION_ID),
        "project_id": str(PROJECT_ID),
        "key_id": str(KEY_ID),
        "model_id": str(MODEL_ID),
        "price_id": str(PRICE_ID),
        "deployment_id": str(DEPLOYMENT_ID),
        "replica_id": str(REPLICA_ID),
        "provider_id": str(PROVIDER_ID),
        "site_id": str(SITE_ID),
        "model_digest": MODEL_DIGEST,
        "surface": "chat",
        "is_stream": True,
        "admitted_at_ms": to_milliseconds(NOW),
        "day": NOW.date().isoformat(),
        "duration_us": 1_000_000,
        "first_byte_us": 30_000,
        "outcome": "completed",
        "http_status": 200,
        "usage_source": "engine",
        "quantities": {"input": 37, "input_cached": 0, "output": 8},
        "amount_nano": "30500",
        "request_bytes": 300,
        "response_bytes": 900,
        "events": 12,
        "ticket_id": None,
    }
    return body | changes


def build_line(**changes: object) -> bytes:
    return json.dumps(build_body(**changes)).encode()
