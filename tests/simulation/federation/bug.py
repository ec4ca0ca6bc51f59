"""Planted bugs: each replaces one small function of the product by one that is wrong, and must be found by the schedules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from keisan.agent import fence
from keisan.control import fence as control_fence
from keisan.control import letter_handler
from keisan.domain.grant import GrantState
from keisan.domain.letter import Letter
from keisan.domain.link_log import LogCursor
from keisan.domain.register import RegisterMark
from keisan.federation import certificate, link, rule_grant, rule_settlement
from keisan.federation.effect import ApplyItems, Effect, Send
from keisan.federation.link_turn import Turns
from keisan.federation.log_sending import LogSending
from keisan.federation.log_taking import LogTaking
from keisan.ledger import rule_platform_ticket
from keisan.wire import letter as wire_letter
from keisan.wire.link import Ack, encode_message
from tests.simulation.federation import forwarding, memory_link


@dataclass(frozen=True, slots=True)
class Bug:
    """`owner` is the class or module whose attribute `name` is replaced by what `make` makes of it. `story` says what goes wrong."""

    story: str
    owner: object
    name: str
    make: Callable[[Any], object]


@contextmanager
def plant(bug: Bug) -> Iterator[None]:
    """Let the product have a bug, in every module that has taken the function from where it is."""
    before = getattr(bug.owner, bug.name)
    owners = [bug.owner, *(each for each in list(sys.modules.values()) if vars(each).get(bug.name) is before)]
    wrong = bug.make(before)
    for owner in owners:
        setattr(owner, bug.name, wrong)
    try:
        yield
    finally:
        for owner in owners:
            setattr(owner, bug.name, before)


def _acknowledge_at_once(enqueue: Callable[[LogTaking, ApplyItems], list[Effect]]) -> object:
    def replaced(self: LogTaking, work: ApplyItems) -> list[Effect]:
        early = Ack(log=self.log, incarnation=work.after.incarnation, sequence=work.after.sequence)
        return [Send(encode_message(early)), *enqueue(self, work)]

    return replaced


def _move_nothing(_: object) -> object:
    async def replaced(self: object, link_id: object, log: object, before: object, after: object) -> None:
        """Move no cursor."""

    return replaced


def _retry_nothing(_: object) -> object:
    async def replaced(transaction: object, control: object) -> int:
        return 0

    return replaced


def _never_fork(_: object) -> object:
    def replaced(self: LogSending, cursor: LogCursor | None) -> list[Effect]:
        own = self.end.sequence if self.end else 0
        return self._go_on(min(own, cursor.sequence) if cursor else 0)

    return replaced


def _write_anew(encode: Callable[[Letter], bytes]) -> object:
    def replaced(letter: Letter) -> bytes:
        fields = {name: getattr(letter, name) for name in wire_letter._Content.__struct_fields__}
        return encode(replace(letter, content=msgspec.msgpack.encode(wire_letter._Content(**fields))))

    return replaced


def _serve_all(decide: Callable[[str], tuple[str, str]]) -> object:
    def replaced(question: str) -> tuple[str, str]:
        asked = msgspec.json.decode(question)
        asked["call"]["audience_id"] = asked["here"]["platform_id"]
        return decide(msgspec.json.encode(asked).decode())

    return replaced


def _pass_always(decide: Callable[[str], tuple[str, str]]) -> object:
    def replaced(question: str) -> tuple[str, str]:
        asked = msgspec.json.decode(question)
        way, is_named = asked["here"]["way_on"], asked["call"]["audience_id"] == asked["here"]["platform_id"]
        return decide(question) if is_named or way is None else ("pass", way["neighbour_id"])

    return replaced


BUGS = {
    "ack_before_commit": Bug(
        "the receiver acknowledges what it has not committed yet", LogTaking, "_enqueue", _acknowledge_at_once
    ),
    "trim_on_acknowledgement": Bug(
        "what the neighbour has is dropped, though nobody has signed for it yet",
        memory_link.KeptLetter,
        "may_go",
        lambda _: lambda self, settled, kept_after: True,
    ),
    "cursor_in_memory_only": Bug(
        "how far a log is applied is known to the connection, and not to the disk",
        memory_link.MemoryIncomingLogs,
        "move_cursor",
        _move_nothing,
    ),
    "no_incarnation": Bug(
        "the sender goes on where the receiver stands, without a look at what both remember",
        LogSending,
        "meet",
        _never_fork,
    ),
    "older_state_applied": Bug(
        "a register that comes replaces what is kept, also where it is older",
        RegisterMark,
        "is_newer_than",
        lambda _: lambda self, other: self != other,
    ),
    "log_starved": Bug(
        "a log sends only while no state waits",
        Turns,
        "is_log_next",
        lambda _: lambda self, state_waits, log_waits: log_waits and not state_waits,
    ),
    "signed_bytes_written_anew": Bug(
        "a letter is passed on as this release would write it, and not as it was signed",
        wire_letter,
        "encode_letter",
        _write_anew,
    ),
    "root_by_arrival_order": Bug(
        "leaves stand in the order in which they came", rule_settlement, "order_leaves", lambda _: list
    ),
    "region_from_payload": Bug(
        "a total is kept under the region that it names",
        rule_settlement,
        "choose_region",
        lambda _: lambda vouched, told: told,
    ),
    "records_after_revocation_posted": Bug(
        "what a revoked platform has made since is settled like what it made before",
        rule_settlement,
        "is_after_revocation",
        lambda _: lambda usage, standing: False,
    ),
    "refund_at_expiry": Bug(
        "home has back what a lease left as soon as its time is over, with records of it still under way",
        rule_platform_ticket,
        "is_ended_by_time",
        lambda _: lambda ticket, now, terms: rule_platform_ticket.is_lease_over(ticket, now),
    ),
    "deleted_by_silence": Bug(
        "a grant that nobody renewed is taken back, though its parent asked to hold it",
        rule_grant,
        "choose_after_expiry",
        lambda _: lambda on_expiry: GrantState.RELEASED,
    ),
    "grant_of_same_epoch_refused": Bug(
        "a want of the present life of a link is taken for one of a life that has ended",
        rule_grant,
        "is_of_older_life",
        lambda _: lambda epoch, known: epoch <= known,
    ),
    "work_beyond_the_skew_bound": Bug(
        "a parent reckons a grant to its later end, and goes on beyond the bound of skew",
        rule_grant,
        "find_end_for_parent",
        lambda _: lambda reckoning: max(reckoning.list_ends()) + 2 * rule_grant.SKEW,
    ),
    "fence_ignored": Bug(
        "an agent follows each order that comes, also one that is older than what it has followed",
        fence,
        "must_follow",
        lambda _: lambda order, seen: True,
    ),
    "forwarded_without_audience_check": Bug(
        "a gateway serves what comes to it, whomever it is for",
        forwarding,
        "decide_forward",
        _serve_all,
    ),
    "forwarded_in_a_circle": Bug(
        "a gateway passes a call on as its table says, also where that leads back, or up again",
        forwarding,
        "decide_forward",
        _pass_always,
    ),
    "ended_certificate_taken": Bug(
        "a certificate that has ended opens connections as before",
        certificate,
        "judge_certificate",
        lambda _: lambda found, pinned_key, now: certificate.Standing.GOOD,
    ),
    "fences_of_two_lives_alike": Bug(
        "a platform that was restored gives new orders the numbers of those that are lost with its disk",
        control_fence,
        "draw_fence_leap",
        lambda _: lambda: 1,
    ),
    "letter_not_sent_back": Bug(
        "a letter that was refused because too little was known is not tried again",
        letter_handler,
        "retry_letters",
        _retry_nothing,
    ),
    "same_epoch_refused": Bug(
        "a neighbour in the same epoch is taken for one of an epoch that is over",
        link,
        "is_behind",
        lambda _: lambda own_epoch, heard_epoch, *, is_child: not is_child and heard_epoch <= own_epoch,
    ),
}
