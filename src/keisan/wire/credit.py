"""The credit exchange of a gateway: what it spent, holds and wants goes up; what it may spend comes down (R1, R4).

The relay makes the report and takes the answer; its serde twin stands in crates/relay, and `tests/golden/credit.json` keeps
the two equal. Amounts are decimal strings.
Every number of a ticket but `reserved_nano` only grows, so an exchange may be lost, repeated or overtaken.
"""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from keisan.domain.limits import CREDIT_LINES_MAX, CREDIT_PARTS_MAX
from keisan.domain.share import LIMIT_ID_PATTERN, SHARE_WHOLE_PPM
from keisan.wire.base import Count, Currency, NanoText, WireInput, WireView

# A total that a gateway names stays within what both databases store.
CREDIT_NANO_MAX = 10**36

CreditNano = Annotated[NanoText, Field(ge=0, le=CREDIT_NANO_MAX)]
SharePpm = Annotated[int, Field(ge=0, le=SHARE_WHOLE_PPM)]
LimitId = Annotated[str, StringConstraints(pattern=LIMIT_ID_PATTERN)]


class TicketReport(WireInput):
    """A ticket as its gateway knows it. `spent_nano` and `returned_nano` only grow.

    `credit_nano` is what the gateway last heard; the shell fills it in, so that the platform sees a lost answer.
    """

    ticket_id: UUID
    spent_nano: CreditNano
    reserved_nano: CreditNano
    returned_nano: CreditNano
    credit_nano: CreditNano | None = None


class CreditWant(WireInput):
    """Free credit that a gateway would like to have now, beyond what it holds, in the currency of the price to be paid.

    Its holder is the one whose budgets bind the calls most closely: a key, a project, or an organization.
    """

    holder_id: UUID
    currency: Currency
    wanted_nano: CreditNano


class RateReport(WireInput):
    """The share of a limit that a gateway uses now, and how many units per minute it was asked for, refused ones included."""

    limit_id: LimitId
    share_ppm: SharePpm
    demand_per_minute: Count


class CreditReport(WireInput):
    """A gateway's word to its platform.

    `incarnation` names this process: a UUIDv7 above those of all processes before it. `is_spool_passed`: every record
    of earlier incarnations was uploaded and answered. `rates` lists every limit that is asked for, or of which the gateway
    holds more than of those that it does not list. What follows is the shell's: `sequence` rises by one with each report
    of the incarnation, so that one that was overtaken is known; `default_share_ppm` is the one in force; `is_last`: no
    call is open, no record in the spool, and none will come.

    What has too many lines is said in parts, one exchange each. A part is about those owners (of tickets and wants the
    holder, of a limit its owner) whose id is `part` modulo `part_count`; of others it says nothing.
    """

    incarnation: UUID
    is_spool_passed: bool
    tickets: Annotated[tuple[TicketReport, ...], Field(max_length=CREDIT_LINES_MAX)] = ()
    wanted: Annotated[tuple[CreditWant, ...], Field(max_length=CREDIT_LINES_MAX)] = ()
    rates: Annotated[tuple[RateReport, ...], Field(max_length=CREDIT_LINES_MAX)] = ()
    sequence: Count = 0
    default_share_ppm: SharePpm = 0
    is_last: bool = False
    part: Annotated[int, Field(ge=0, lt=CREDIT_PARTS_MAX)] = 0
    part_count: Annotated[int, Field(ge=1, le=CREDIT_PARTS_MAX)] = 1

    @model_validator(mode="after")
    def _check_part(self) -> Self:
        if self.part >= self.part_count:
            raise ValueError("expected a part below part_count")
        return self

    def is_about(self, owner_id: UUID) -> bool:
        """Tell whether what this report leaves out of an owner is meant so."""
        return choose_part(owner_id, self.part_count) == self.part


def choose_part(owner_id: UUID, part_count: int) -> int:
    """Return in which part of a report an owner's lines stand."""
    return owner_id.int % part_count


class LeasedTicket(WireView):
    """An open ticket: `credit_nano` is all that was ever leased to it, and only grows.

    `give_back_nano` is what the platform asks back; the gateway raises `returned_nano` by what is free of it.
    """

    ticket_id: UUID
    holder_id: UUID
    credit_nano: NanoText
    give_back_nano: NanoText
    currency: str


class RefusedWant(WireView):
    """A holder of whose credit there is nothing more for a gateway, or that there is not.

    `bound` tells what binds, "wallet" or "budget"; it is empty if the holder is leased nothing in this currency.
    """

    holder_id: UUID
    currency: str
    bound: str = ""


class RateShare(WireView):
    """The share of a limit that the gateway may use from now on, in parts per million.

    `is_awaited`: that is nothing, but another gateway has been or will be told to let go of some. Calls may wait for it.
    """

    limit_id: str
    share_ppm: int
    is_awaited: bool = False


class CreditAnswer(WireView):
    """The platform's word to a gateway; the times are seconds from when the report was made.

    `tickets` are all open ones of this incarnation that the report is about: one that is missing was closed, and is not spent any more. For those
    `refused` nothing more is there. A limit that `rates` does not name keeps its share, and `default_share_ppm` is that of
    every limit that was never named. Tickets and all shares may be used for `lease_s`; the platform counts on them for
    longer, so that what one gateway still uses is never given to another.
    """

    lease_s: int
    renew_s: int
    tickets: tuple[LeasedTicket, ...] = ()
    refused: tuple[RefusedWant, ...] = ()
    rates: tuple[RateShare, ...] = ()
    default_share_ppm: int = 0
