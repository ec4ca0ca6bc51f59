"""Claims: a provider sees those of its own sites. One for each site and chip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint, delete, tuple_

from keisan.domain.access import Scope
from keisan.domain.claim import Claim, ClaimedCapacity
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import ClaimId, SiteId
from keisan.storage.gflops import decode_gflops, encode_gflops
from keisan.storage.repository import PAIRS_PER_STATEMENT_MAX, TableRepository, Visibility, split_chunks
from keisan.storage.schema import (
    AnyRow,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.site import limit_to_sites

CLAIMED = tuple(field.name for field in fields(ClaimedCapacity))

claim = Table(
    "claim",
    metadata,
    *build_noun_columns(),
    build_id("site_id", ForeignKey("site.id")),
    build_column("chip", Text()),
    build_id("claimed_by"),
    build_column("claimed_at", Instant()),
    build_column("device_count", BigInteger()),
    build_column("standard_racks", BigInteger(), is_nullable=True),
    build_column("memory_bytes", BigInteger(), is_nullable=True),
    build_column("bandwidth_bytes_per_s", BigInteger(), is_nullable=True),
    build_column("gflops", Structure(encode_gflops, decode_gflops)),
    UniqueConstraint("site_id", "chip"),
)


class ClaimRepository(TableRepository[Claim, ClaimId]):
    """Claims by id, and by site and chip."""

    table = claim
    noun_type = Claim
    unique = "chip"
    visibility = Visibility(provider=limit_to_sites(claim.c.site_id))

    def _to_row(self, noun: Claim) -> dict[str, object]:
        own = (column.name for column in claim.columns if column.name not in CLAIMED)
        return {name: getattr(noun, name) for name in own} | {name: getattr(noun.claimed, name) for name in CLAIMED}

    def _to_noun(self, row: AnyRow) -> Claim:
        own = {name: value for name, value in row.items() if name not in CLAIMED}
        return Claim(**own, claimed=ClaimedCapacity(**{name: row[name] for name in CLAIMED}))

    async def list_all(self, scope: Scope) -> Sequence[Claim]:
        """Return all claims in scope."""
        return await self._list_where(scope)

    async def list_chips(self, scope: Scope, pairs: Iterable[tuple[SiteId, str]]) -> Mapping[tuple[SiteId, str], Claim]:
        """Return the claims of these sites and chips, as far as there are."""
        found: dict[tuple[SiteId, str], Claim] = {}
        for chunk in split_chunks(sorted(set(pairs)), PAIRS_PER_STATEMENT_MAX):
            claims = await self._list_where(scope, tuple_(claim.c.site_id, claim.c.chip).in_(chunk))
            found |= {(each.site_id, each.chip): each for each in claims}
        return found

    async def delete(self, noun: Claim) -> None:
        """Delete a claim; raises VersionMismatch unless the stored version is this one's."""
        is_expected = (claim.c.id == noun.id) & (claim.c.version == noun.version)
        if await self._connection.change(delete(claim).where(is_expected)) != 1:
            raise VersionMismatch(f"the claim {noun.id} is not at version {noun.version}")
