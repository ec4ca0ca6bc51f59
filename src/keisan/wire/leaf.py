"""The leaf of a record: the line of JSON whose hash stands in its journal entry's Merkle tree.

It holds what was billed and on whose word. Members stand in one fixed order without white space, so that anyone who has a
record can write the same bytes; `content_digest` ties it to all that the gateway wrote.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from keisan.domain.ids import RecordId, TicketId
from keisan.domain.merkle import LEAF_PREFIX
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, Charge, PostedRecord, UsageContext, UsageSource
from keisan.kit.clock import to_milliseconds
from keisan.kit.identity_map import IdentityMap

if TYPE_CHECKING:
    from hashlib import _Hash

LEAF_SCHEMA = "keisan.receipt.1"
# In the order in which a leaf names them.
_CLASSES = tuple(TokenClass)


class _OwnMembers(msgspec.Struct, gc=False):
    """What is a record's own, in order, after what it shares; every text is a word or a number and needs no escape."""

    record_id: RecordId
    surface: Surface
    is_stream: bool
    admitted_at_ms: int
    outcome: CallOutcome
    http_status: int
    usage_source: UsageSource
    quantities: dict[TokenClass, int]
    amount_nano: str
    ticket_id: TicketId | None
    content_digest: str


@dataclass(frozen=True, slots=True)
class _Shared:
    """What many leaves begin with, up to the comma before their own members, and the hash of so much of a leaf."""

    begins: bytes
    hash: "_Hash"


_encode = msgspec.json.Encoder().encode


class LeafWriter:
    """Writes leaves and hashes them; what many records share is written and hashed once."""

    def __init__(self) -> None:
        self._shared: IdentityMap[UsageContext, dict[tuple[str, str], _Shared]] = IdentityMap(lambda _: {})

    def write(self, posted: PostedRecord) -> bytes:
        """Return the leaf of a record: the same bytes whenever and by whomever it is written."""
        return self._find_shared(posted).begins + _write_own(posted)

    def hash(self, posted: PostedRecord) -> bytes:
        """Return the hash of the leaf of a record, as `merkle.hash_leaf` makes it (32 bytes)."""
        hashed = self._find_shared(posted).hash.copy()
        hashed.update(_write_own(posted))
        return hashed.digest()

    def _find_shared(self, posted: PostedRecord) -> _Shared:
        charge = posted.charge
        own, found = self._shared.get(posted.record.context), (charge.currency, charge.chip)
        shared = own.get(found)
        if shared is None:
            begins = _write_context(posted.record.context, charge)
            shared = own[found] = _Shared(begins, hashlib.sha256(LEAF_PREFIX + begins))
        return shared


def _write_context(context: UsageContext, charge: Charge) -> bytes:
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
    # Other characters than ASCII's are escaped, as json does it.
    return f"{json.dumps(members, separators=(',', ':'))[:-1]},".encode()


def _write_own(posted: PostedRecord) -> bytes:
    """Return the members after those that are shared, and the end of the leaf."""
    record = posted.record
    quantities = record.quantities
    members = _OwnMembers(
        record.id,
        record.surface,
        record.is_stream,
        to_milliseconds(record.admitted_at),
        record.outcome,
        record.http_status,
        record.usage_source,
        {each: quantities[each] for each in _CLASSES if each in quantities},
        str(record.amount_nano),
        record.ticket_id,
        record.content_digest.hex(),
    )
    return _encode(members)[1:]
