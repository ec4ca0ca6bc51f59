"""A receipt: the proof of one usage record. Its leaf is the line of JSON whose hash stands in the entry's Merkle tree.

The leaf holds what was billed and on whose word. Members stand in one fixed order without white space, so that anyone who
has a record can write the same bytes; `content_digest` ties it to all that the gateway wrote.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from keisan.domain.price import TokenClass
from keisan.domain.usage import Charge, UsageContext, UsageRecord

LEAF_SCHEMA = "keisan.receipt.1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """`leaf` is number `index` of the `header`'s records, in order of record id; `path` its Merkle path, lowest first.

    `signature` is of the header's bytes, by the key whose hash is the platform's id.
    """

    leaf: bytes
    index: int
    path: Sequence[bytes]
    header: bytes
    signature: bytes
    public_key: bytes


def write_context(context: UsageContext, charge: Charge) -> str:
    """Return the first members of a leaf: what many records share."""
    members = {
        "schema": LEAF_SCHEMA,
        "platform_id": context.platform_id,
        "gateway_id": str(context.gateway_id),
        "organization_id": str(context.organization_id),
        "project_id": str(context.project_id),
        "key_id": str(context.key_id),
        "model_id": str(context.model_id),
        "model_digest": context.model_digest,
        "price_id": str(context.price_id),
        "currency": charge.currency,
        "deployment_id": str(context.deployment_id),
        "replica_id": str(context.replica_id),
        "provider_id": str(context.provider_id),
        "site_id": str(context.site_id),
        "chip": charge.chip,
    }
    return json.dumps(members, separators=(",", ":"))[:-1]


def write_own(record: UsageRecord, admitted_at_ms: int) -> str:
    """Return the other members of a leaf; every text among them is a word or a number, so nothing needs an escape."""
    counts = ",".join(f'"{word}":{record.quantities[word]}' for word in TokenClass if word in record.quantities)
    ticket = f'"{record.ticket_id}"' if record.ticket_id else "null"
    return (
        f',"record_id":"{record.id}","surface":"{record.surface}","is_stream":{"true" if record.is_stream else "false"},'
        f'"admitted_at_ms":{admitted_at_ms},"outcome":"{record.outcome}","http_status":{record.http_status},'
        f'"usage_source":"{record.usage_source}","quantities":{{{counts}}},"amount_nano":"{record.amount_nano}",'
        f'"ticket_id":{ticket},"content_digest":"{record.content_digest.hex()}"}}'
    )
