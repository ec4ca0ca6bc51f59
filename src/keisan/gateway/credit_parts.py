"""A credit report of any length in parts that each fit one exchange, and the answers to them as one.

All lines of one owner stand in one part, so the platform sees what a ticket holds beside what is wanted by its holder.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from keisan.domain.errors import Failed
from keisan.domain.limits import CREDIT_LINES_MAX, CREDIT_PARTS_MAX
from keisan.domain.share import parse_limit_id
from keisan.wire.credit import CreditAnswer, choose_part

# A line of the relay's report, as JSON gives it.
Line = dict[str, Any]
# Whose a line is, by the list that it stands in.
Owners = Mapping[str, Callable[[Line], UUID]]
NOBODY = UUID(int=0)


def name_owners(holders: Mapping[str, UUID]) -> Owners:
    """Return whose each line is; `holders` are those of the tickets that were heard of."""
    return {
        "tickets": lambda line: holders.get(str(line["ticket_id"]), NOBODY),
        "wanted": lambda line: UUID(line["holder_id"]),
        "rates": lambda line: parse_limit_id(line["limit_id"]).owner_id,
    }


def split_report(said: Line, owners: Owners, lines_max: int = CREDIT_LINES_MAX) -> list[Line]:
    """Return the report's parts, as few as fit; raises Failed for one that no number of parts makes fit."""
    part_count = 1
    while part_count <= CREDIT_PARTS_MAX:
        parts = [said | {"part": part, "part_count": part_count} for part in range(part_count)]
        for name, name_owner in owners.items():
            for part, lines in enumerate(_divide(said[name], name_owner, part_count)):
                parts[part][name] = lines
        if all(len(part[name]) <= lines_max for part in parts for name in owners):
            return parts
        part_count *= 2
    raise Failed("the credit report has more lines than its parts can hold", f"{CREDIT_PARTS_MAX} x {lines_max}")


def _divide(lines: Sequence[Line], name_owner: Callable[[Line], UUID], part_count: int) -> list[list[Line]]:
    divided: list[list[Line]] = [[] for _ in range(part_count)]
    for line in lines:
        divided[choose_part(name_owner(line), part_count)].append(line)
    return divided


def merge_answers(answers: Sequence[CreditAnswer]) -> CreditAnswer:
    """Return the answers to all parts of a report as one: what is leased for the shortest time counts, and the soonest word."""
    return CreditAnswer(
        lease_s=min(answer.lease_s for answer in answers),
        renew_s=min(answer.renew_s for answer in answers),
        tickets=tuple(ticket for answer in answers for ticket in answer.tickets),
        refused=tuple(want for answer in answers for want in answer.refused),
        rates=tuple(line for answer in answers for line in answer.rates),
        default_share_ppm=min(answer.default_share_ppm for answer in answers),
    )
