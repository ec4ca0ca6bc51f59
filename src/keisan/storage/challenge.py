"""Challenges: a provider sees those of its own sites."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Table, Text, case, func, select

from keisan.domain.access import Scope
from keisan.domain.challenge import (
    Challenge,
    ChallengeFlag,
    ChallengeState,
    ChallengeWork,
    MeasuredDevice,
    Peers,
    VerifiedCapacity,
    Workload,
)
from keisan.domain.device import DeviceUse
from keisan.domain.figure import MEGA
from keisan.domain.ids import ChallengeId, ChallengeRoundId, DeviceId, SiteId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.verdict import Verdict
from keisan.storage.device import device
from keisan.storage.repository import TableRepository, Visibility, cut_page, order_page
from keisan.storage.schema import (
    AnyRow,
    AnySelect,
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.site import limit_to_sites

PEERS_READ_MAX = 1000
WORK_COLUMNS = frozenset(field.name for field in fields(ChallengeWork))


def encode_flags(flags: Sequence[ChallengeFlag]) -> list[str]:
    """Return flags as texts."""
    return [str(flag) for flag in flags]


def decode_flags(stored: Sequence[str]) -> tuple[ChallengeFlag, ...]:
    """Return what encode_flags was given."""
    return tuple(ChallengeFlag(text) for text in stored)


def decode_peers(stored: dict[str, Any]) -> Peers:
    """Return peers that were stored as a table of their fields."""
    return Peers(**stored)


challenge = Table(
    "challenge",
    metadata,
    *build_noun_columns(),
    build_id("round_id"),
    build_id("site_id", ForeignKey("site.id")),
    build_id("node_id", ForeignKey("node.id")),
    build_id("device_id", ForeignKey("device.id")),
    build_column("hardware_id", Text()),
    build_column("chip", Text()),
    build_column("workload", EnumText(Workload)),
    build_column("width", BigInteger()),
    build_column("count", Integer()),
    build_column("seed", Text()),
    build_column("claim_per_s", BigInteger(), is_nullable=True),
    build_id("asked_by", is_nullable=True),
    build_column("state", EnumText(ChallengeState)),
    build_column("issued_at", Instant(), is_nullable=True),
    build_column("due_at", Instant()),
    build_column("commitment", Text()),
    build_column("positions", Structure(list, tuple)),
    build_column("committed_at", Instant(), is_nullable=True),
    build_column("answered_at", Instant(), is_nullable=True),
    build_column("told_us", BigInteger(), is_nullable=True),
    build_column("message", Text()),
    build_column("verdict", EnumText(Verdict)),
    build_column("flags", Structure(encode_flags, decode_flags)),
    build_column("rate_per_s", BigInteger(), is_nullable=True),
    build_column("peers", Structure(asdict, decode_peers), is_nullable=True),
    build_column("judged_at", Instant(), is_nullable=True),
    Index(None, "round_id"),
    Index(None, "site_id", "state"),
    Index(None, "commitment"),
    Index(None, "device_id", "id"),
    Index(None, "chip", "workload", "device_id", "judged_at"),
)


class ChallengeRepository(TableRepository[Challenge, ChallengeId]):
    """Challenges by id, by round and by site."""

    table = challenge
    noun_type = Challenge
    visibility = Visibility(provider=limit_to_sites(challenge.c.site_id))

    async def list_site(self, scope: Scope, site_id: SiteId, page: PageRequest) -> PageOf[Challenge]:
        """Return a page of a site's, in order of id."""
        wanted = self._select(scope).where(challenge.c.site_id == site_id)
        rows = await self._connection.fetch_all(order_page(wanted, challenge.c.id, page))
        return cut_page([self._to_noun(row) for row in rows], page, lambda noun: noun.id)

    async def list_round(self, scope: Scope, round_id: ChallengeRoundId) -> Sequence[Challenge]:
        """Return all of a round."""
        return await self._list_where(scope, challenge.c.round_id == round_id)

    async def list_open(self, scope: Scope, site_id: SiteId) -> Sequence[Challenge]:
        """Return those of a site that are not judged."""
        # Named one by one, since an index serves equality.
        is_open = challenge.c.state.in_([state for state in ChallengeState if state is not ChallengeState.JUDGED])
        return await self._list_where(scope, challenge.c.site_id == site_id, is_open)

    async def list_device(self, scope: Scope, device_id: DeviceId, limit: int) -> Sequence[Challenge]:
        """Return the newest of a device, so many at most."""
        wanted = self._select(scope).where(challenge.c.device_id == device_id)
        newest_first = wanted.order_by(challenge.c.id.desc()).limit(limit)
        return [self._to_noun(row) for row in await self._connection.fetch_all(newest_first)]

    async def list_committed(self, scope: Scope, commitment: str) -> Sequence[Challenge]:
        """Return all that were answered with this commitment."""
        return await self._list_where(scope, challenge.c.commitment == commitment)

    async def list_rates(self, scope: Scope, chip: str, workload: Workload) -> Sequence[tuple[DeviceId, int]]:
        """Return what devices of a chip reached last, of those whose last judged answer was right; at most a thousand."""
        last = self._select_last(scope).where(challenge.c.chip == chip, challenge.c.workload == workload).subquery()
        wanted = (
            select(last.c.device_id, last.c.rate_per_s)
            .where(last.c.place == 1, last.c.rate_per_s.is_not(None))
            .order_by(last.c.judged_at.desc(), last.c.device_id)
            .limit(PEERS_READ_MAX)
        )
        rows = await self._connection.fetch_all(wanted)
        return [(row["device_id"], row["rate_per_s"]) for row in rows]

    async def list_measured(self, scope: Scope) -> Sequence[MeasuredDevice]:
        """Return what each device reached last in each workload, of those whose last proof was right."""
        last = self._select_last(scope).subquery()
        wanted = select(last.c.site_id, last.c.hardware_id, last.c.workload, last.c.rate_per_s).where(
            last.c.place == 1, last.c.verdict == Verdict.OK, last.c.rate_per_s.is_not(None)
        )
        return [MeasuredDevice(**row) for row in await self._connection.fetch_all(wanted)]

    async def sum_verified(self, scope: Scope) -> Sequence[VerifiedCapacity]:
        """Return what is verified, by site, chip and workload; what a device proved before it was retired is not."""
        last = self._select_last(scope).subquery()
        keys = (last.c.site_id, last.c.chip, last.c.workload)
        is_verified = last.c.verdict == Verdict.OK
        # Whole millions: a sum over a million devices stays within 64 bits.
        summed = {
            "verified_count": case((is_verified, 1), else_=0),
            "rate_mega_per_s": case((is_verified, last.c.rate_per_s // MEGA), else_=0),
            "claim_mega_per_s": case((is_verified, func.coalesce(last.c.claim_per_s, 0) // MEGA), else_=0),
            "unclaimed_count": case((is_verified & last.c.claim_per_s.is_(None), 1), else_=0),
        }
        wanted = (
            select(
                *keys,
                func.count().label("device_count"),
                *(func.sum(value).label(name) for name, value in summed.items()),
                func.min(last.c.judged_at, type_=Instant()).label("oldest_at"),
                func.max(last.c.judged_at, type_=Instant()).label("newest_at"),
            )
            .where(last.c.place == 1)
            .where(last.c.device_id.not_in(select(device.c.id).where(device.c.use == DeviceUse.RETIRED)))
            .group_by(*keys)
            .order_by(*keys)
        )
        return [_read_verified(row) for row in await self._connection.fetch_all(wanted)]

    def _select_last(self, scope: Scope) -> AnySelect:
        """Return the judgements that proved something, the last of each device and workload at place 1."""
        partition = (challenge.c.device_id, challenge.c.workload)
        latest_first = (challenge.c.judged_at.desc(), challenge.c.id.desc())
        place = func.row_number().over(partition_by=partition, order_by=latest_first)
        names = (
            "site_id",
            "device_id",
            "hardware_id",
            "chip",
            "workload",
            "rate_per_s",
            "claim_per_s",
            "verdict",
            "judged_at",
        )
        is_proof = (challenge.c.state == ChallengeState.JUDGED) & (challenge.c.verdict != Verdict.UNKNOWN)
        return select(*(challenge.c[name] for name in names), place.label("place")).where(
            self.visibility.limit(scope), is_proof
        )

    def _to_row(self, noun: Challenge) -> dict[str, object]:
        own = {column.name: getattr(noun, column.name) for column in self._columns() if column.name not in WORK_COLUMNS}
        return own | asdict(noun.work)

    def _to_noun(self, row: AnyRow) -> Challenge:
        own = {name: value for name, value in row.items() if name not in WORK_COLUMNS}
        return Challenge(work=ChallengeWork(**{name: row[name] for name in WORK_COLUMNS}), **own)


def _read_verified(row: AnyRow) -> VerifiedCapacity:
    is_claimed = row["verified_count"] > 0 and not row["unclaimed_count"]
    return VerifiedCapacity(
        site_id=row["site_id"],
        chip=row["chip"],
        workload=row["workload"],
        device_count=row["device_count"],
        verified_count=int(row["verified_count"]),
        rate_mega_per_s=int(row["rate_mega_per_s"]),
        claim_mega_per_s=int(row["claim_mega_per_s"]) if is_claimed else None,
        oldest_at=row["oldest_at"],
        newest_at=row["newest_at"],
    )
