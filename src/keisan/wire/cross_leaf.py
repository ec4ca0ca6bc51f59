"""The leaf of a record of a call across platforms: what one end says, as the line of JSON whose hash is in a batch's tree.

Members stand in one fixed order without white space, as those of a receipt's leaf (wire/leaf.py). Whoever reads a leaf keeps
its bytes: a newer platform may have written members that this one does not know.
"""

import msgspec

from keisan.domain.cross_record import CrossUsage, RecordEnd
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import OrganizationId, PriceId, RecordId, TicketId, parse_platform_id
from keisan.domain.limits import CROSS_LEAF_BYTES_MAX, NAME_CHARACTERS_MAX
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, UsageSource
from keisan.wire.base import INTEGER_MAX, TOLD_INSTANT_MS_MAX

CROSS_LEAF_SCHEMA = "keisan.cross.1"
AMOUNT_DIGITS_MAX = 36
_CLASSES = tuple(TokenClass)


class _Leaf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """In the order in which a leaf names them."""

    schema: str
    end: RecordEnd
    record_id: RecordId
    home_id: str
    serving_id: str
    organization_id: OrganizationId
    ticket_id: TicketId
    model: str
    model_digest: str
    price_id: PriceId
    currency: str
    region: str
    chip: str
    admitted_at_ms: int
    outcome: CallOutcome
    http_status: int
    usage_source: UsageSource
    quantities: dict[TokenClass, int]
    amount_nano: str
    request_bytes: int
    response_bytes: int
    event_count: int
    max_tokens: int | None


_NUMBERS = ("admitted_at_ms", "http_status", "request_bytes", "response_bytes", "event_count")
_TEXTS = ("model", "model_digest", "currency", "region", "chip")
_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(_Leaf).decode


def write_cross_leaf(usage: CrossUsage) -> bytes:
    """Return the leaf of a record: the same bytes whenever it is written."""
    names = set(_Leaf.__struct_fields__) - {"schema", "quantities", "amount_nano"}
    members = {name: getattr(usage, name) for name in names}
    return _encode(
        _Leaf(
            schema=CROSS_LEAF_SCHEMA,
            quantities={each: usage.quantities[each] for each in _CLASSES if each in usage.quantities},
            amount_nano=str(usage.amount_nano),
            **members,
        )
    )


def read_cross_leaf(leaf: bytes) -> CrossUsage:
    """Return what a leaf says; members that are not known are passed over. Raises InvalidInput for what is no leaf."""
    if len(leaf) > CROSS_LEAF_BYTES_MAX:
        raise InvalidInput(f"a leaf has at most {CROSS_LEAF_BYTES_MAX} bytes, got {len(leaf)}", "leaf")
    try:
        found = _read(leaf)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not the leaf of a call across platforms", "leaf", str(fault)) from fault
    numbers = [getattr(found, name) for name in _NUMBERS] + list(found.quantities.values()) + [found.max_tokens or 0]
    is_amount = found.amount_nano.isascii() and found.amount_nano.isdigit()
    is_bounded = all(0 <= number <= INTEGER_MAX for number in numbers) and len(found.amount_nano) <= AMOUNT_DIGITS_MAX
    is_bounded = is_bounded and found.admitted_at_ms <= TOLD_INSTANT_MS_MAX
    is_stored = all(len(getattr(found, name)) <= NAME_CHARACTERS_MAX for name in _TEXTS) and b"\\u0000" not in leaf
    if found.schema != CROSS_LEAF_SCHEMA or not (is_amount and is_bounded and is_stored):
        raise InvalidInput("not the leaf of a call across platforms", "leaf")
    members = {name: getattr(found, name) for name in _Leaf.__struct_fields__ if name != "schema"}
    return CrossUsage(
        **members
        | {
            "home_id": parse_platform_id(found.home_id),
            "serving_id": parse_platform_id(found.serving_id),
            "amount_nano": int(found.amount_nano),
        }
    )
