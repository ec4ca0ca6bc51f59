"""Top-ups on the wire: money from outside for an organization's wallet."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.wire.base import NanoText, WireInput, WireView
from keisan.wire.price import Currency

# More than anybody has, and far from the end of what a balance can hold.
TOP_UP_NANO_MAX: Final = 10**27
NOTE_CHARACTERS_MAX: Final = 500

Note = Annotated[str, StringConstraints(max_length=NOTE_CHARACTERS_MAX, pattern=r"^[^\x00]*$")]


class TopUpCreate(WireInput):
    """An amount in nano-units of a currency, at least 1; `note` says why, for people."""

    amount_nano: Annotated[NanoText, Field(ge=1, le=TOP_UP_NANO_MAX)]
    currency: Currency
    note: Note = ""


class TopUpView(WireView):
    """A top-up that was posted, and the wallet's balance after it."""

    id: UUID
    platform_id: str
    organization_id: UUID
    currency: str
    amount_nano: NanoText
    note: str
    balance_nano: NanoText
    created_at: datetime
