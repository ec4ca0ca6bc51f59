"""Shares in the credit exchange (R4): what a gateway says it uses is taken in, and it is told what it may use.

A gateway that is the only one holds every limit whole, without a row for each. The lock on all shares is taken for every
exchange, since one that asks for none may yet be told that it is not alone any more. One that ends has let go of all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from keisan.domain.access import MachineKind, PlatformScope
from keisan.domain.call_limits import CallLimits
from keisan.domain.ids import KeyId, MachineId, OrganizationId, ProjectId
from keisan.domain.incarnation import Incarnation
from keisan.domain.limits import CREDIT_LINES_MAX
from keisan.domain.share import SHARE_WHOLE_PPM, LimitKind, LimitName, LimitOwner, Share, parse_limit_id
from keisan.ledger.rule_share import Holding, SharedLimit, choose_share_ppm, compute_due_ppm
from keisan.ledger.rule_ticket import Moment
from keisan.storage.base import Transaction
from keisan.wire.credit import CreditReport, RateReport, RateShare

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class _Room:
    """Who else can be using limits: `others` are the gateways whose shares may not be given away yet."""

    own: Incarnation
    others: Sequence[Incarnation]
    shares: Mapping[tuple[str, MachineId], Share]
    moment: Moment


async def exchange_shares(
    transaction: Transaction, gateway: Incarnation, report: CreditReport, moment: Moment
) -> tuple[tuple[RateShare, ...], int]:
    """Take in what a gateway uses, and return the share of each limit it named and that of all others."""
    await transaction.shares.lock()
    others = await _list_others(transaction, gateway, moment)
    named = {line.limit_id: line for line in report.rates}
    held = {share.limit_id: share for share in await transaction.shares.list_gateway(EVERYTHING, gateway.gateway_id)}
    if not others and not report.is_last:
        await transaction.shares.delete_many(list(held.values()))
        return tuple(RateShare(limit_id=limit_id, share_ppm=SHARE_WHOLE_PPM) for limit_id in named), SHARE_WHOLE_PPM
    # After its last word a gateway is given nothing, and keeps what it says that it does.
    told = [] if report.is_last else await _choose_shares(transaction, _Room(gateway, others, {}, moment), named)
    told_ppm = {line.limit_id: line.share_ppm for line in told}
    changed = [_build_share(gateway, line, told_ppm.get(line.limit_id, 0)) for line in report.rates]
    kept = [share for share in changed if share.share_ppm or share.demand_per_minute]
    await transaction.shares.put_many([share for share in kept if share != held.get(share.limit_id)])
    # What a gateway does not name it does not use: it names all that it was ever given.
    unnamed = [limit_id for limit_id in held.keys() - {each.limit_id for each in kept} if _is_about(report, limit_id)]
    await transaction.shares.delete_many([held[limit_id] for limit_id in unnamed])
    return tuple(told), 0


def _is_about(report: CreditReport, limit_id: str) -> bool:
    return report.is_about(parse_limit_id(limit_id).owner_id)


async def _list_others(transaction: Transaction, gateway: Incarnation, moment: Moment) -> list[Incarnation]:
    """Return the other gateways that may still be using what they were given.

    Each of them stops one lease after it made its last report, which was before that was heard. The window for late
    records comes on top: for calls that are open still, and for a clock of ours that was set forward meanwhile. Who revokes a lost gateway gives what it held to the others at once: it is not to serve any more.
    """
    joined = {machine.id for machine in await transaction.machines.list_kind(EVERYTHING, MachineKind.GATEWAY)}
    held_s = moment.terms.lease_s + moment.terms.lateness_s
    return [
        each
        for each in await transaction.incarnations.list_all(EVERYTHING)
        if each.gateway_id in joined - {gateway.gateway_id} and each.is_heard_within(held_s, moment.now)
    ]


async def _choose_shares(transaction: Transaction, room: _Room, named: Mapping[str, RateReport]) -> Sequence[RateShare]:
    stored = await transaction.shares.list_limits(EVERYTHING, named)
    known = replace(room, shares={(share.limit_id, share.gateway_id): share for share in stored})
    bounds = await load_bounds(transaction, named)
    is_crowded = len(named) > CREDIT_LINES_MAX // 2
    return [
        # So many lines that the report would soon be too long: what is not asked for goes first.
        _choose_share(known, line, None if is_crowded and not line.demand_per_minute else bounds.get(limit_id))
        for limit_id, line in named.items()
    ]


def _choose_share(room: _Room, line: RateReport, bound: int | None) -> RateShare:
    """Return the share of one limit; without a bound there is nothing to use."""
    if bound is None:
        return RateShare(limit_id=line.limit_id, share_ppm=0)
    own = Holding(room.own.gateway_id, line.share_ppm, line.demand_per_minute)
    others = [_describe_other(room, other, line.limit_id) for other in room.others]
    is_rate = parse_limit_id(line.limit_id).kind is not LimitKind.CALLS
    limit = SharedLimit(bound, own, others, room.moment.gateway_count, is_rate)
    share_ppm = choose_share_ppm(limit)
    is_awaited = not share_ppm and compute_due_ppm(limit) > 0 and _can_be_let_go(room, others)
    return RateShare(limit_id=line.limit_id, share_ppm=share_ppm, is_awaited=is_awaited)


def _can_be_let_go(room: _Room, holdings: Sequence[Holding]) -> bool:
    """Tell whether a gateway that speaks holds some of a limit: it hears soon that it is to use less."""
    speaking = {other.gateway_id for other in room.others if _is_speaking(room, other)}
    return any(held.share_ppm for held in holdings if held.gateway_id in speaking)


def _is_speaking(room: _Room, gateway: Incarnation) -> bool:
    return gateway.is_heard_within(room.moment.terms.silence_s, room.moment.now)


def _describe_other(room: _Room, other: Incarnation, limit_id: str) -> Holding:
    share = room.shares.get((limit_id, other.gateway_id))
    if share is None:
        return Holding(other.gateway_id, other.default_share_ppm, 0)
    return Holding(other.gateway_id, share.share_ppm, share.demand_per_minute if _is_speaking(room, other) else 0)


def _build_share(gateway: Incarnation, line: RateReport, told_ppm: int) -> Share:
    """Return the most that the gateway can be using: a share that it was told to lower is its own until it says so."""
    return Share(
        limit_id=line.limit_id,
        gateway_id=gateway.gateway_id,
        platform_id=gateway.platform_id,
        share_ppm=max(line.share_ppm, told_ppm),
        demand_per_minute=line.demand_per_minute,
    )


async def load_bounds(transaction: Transaction, limit_ids: Iterable[str]) -> Mapping[str, int]:
    """Return the number of each limit that there is, by its id."""
    names = [parse_limit_id(limit_id) for limit_id in limit_ids]
    by_owner = {owner: {name.owner_id for name in names if name.owner is owner} for owner in LimitOwner}
    organizations = await transaction.organizations.list_by_ids(
        EVERYTHING, {OrganizationId(owner_id) for owner_id in by_owner[LimitOwner.ORGANIZATION]}
    )
    projects = await transaction.projects.list_by_ids(
        EVERYTHING, {ProjectId(owner_id) for owner_id in by_owner[LimitOwner.PROJECT]}
    )
    keys = await transaction.keys.list_by_ids(EVERYTHING, {KeyId(owner_id) for owner_id in by_owner[LimitOwner.KEY]})
    limits: dict[LimitOwner, dict[UUID, CallLimits]] = {
        LimitOwner.ORGANIZATION: {each.id: each.limits for each in organizations},
        LimitOwner.PROJECT: {each.id: each.limits for each in projects},
        LimitOwner.KEY: {each.id: each.limits for each in keys},
    }
    bounds = {name.id: _read_bound(limits[name.owner].get(name.owner_id), name) for name in names}
    return {limit_id: bound for limit_id, bound in bounds.items() if bound is not None}


def _read_bound(limits: CallLimits | None, name: LimitName) -> int | None:
    if limits is None:
        return None
    bounds = {
        LimitKind.REQUESTS: limits.requests_per_minute,
        LimitKind.TOKENS: limits.tokens_per_minute,
        LimitKind.CALLS: limits.calls_open_max,
    }
    return bounds[name.kind]
