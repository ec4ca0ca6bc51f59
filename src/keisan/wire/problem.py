"""RFC 9457 problem documents: the shape of every error under /api."""

from keisan.wire.base import WireView


class FieldFault(WireView):
    """One wrong field: its path in the body, and what was expected."""

    field: str
    message: str


class Problem(WireView):
    """`type` is "urn:keisan:problem:" + code; `detail` is free of internals; `errors` lists faults field by field."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    instance: str | None = None
    errors: tuple[FieldFault, ...] = ()
