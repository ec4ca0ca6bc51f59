"""Top-ups and credit notes on the wire: money for an organization's wallet."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.wire.base import Currency, NanoText, WireInput, WireView

# More than anybody has, and far from the end of what a balance can hold.
TOP_UP_NANO_MAX: Final = 10**27
NOTE_CHARACTERS_MAX: Final = 500

Note = Annotated[str, StringConstraints(max_length=NOTE_CHARACTERS_MAX, pattern=r"^[^\x00]*$")]


class TopUpCreate(WireInput):
    """An amount in nano-units of a currency, at least 1; `note` says why, for people.

    A credit note is paid of the platform's revenue; it must say why, and may name the usage record or the statement that it
    gives back for.
    """

    amount_nano: Annotated[NanoText, Field(ge=1, le=TOP_UP_NANO_MAX)]
    currency: Currency
    note: Note = ""
    kind: TopUpKind = TopUpKind.TOP_UP
    record_id: UUID | None = None
    statement_id: UUID | None = None


class TopUpView(WireView):
    """A top-up or a credit note; `balance_nano` is the wallet's after it, null unless it is posted.

    A proposed one has posted nothing: another admin's key approves or rejects it before `expires_at`.
    """

    id: UUID
    platform_id: str
    organization_id: UUID
    kind: TopUpKind = TopUpKind.TOP_UP
    currency: str
    amount_nano: NanoText
    note: str
    record_id: UUID | None = None
    statement_id: UUID | None = None
    state: TopUpState = TopUpState.POSTED
    proposed_by: UUID | None = None
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    balance_nano: NanoText | None
    version: int = 1
    created_at: datetime
