"""Commands on claims: claim what a site has of a chip, take a table of many, withdraw one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from keisan.control.context import Control, check_version, name_actor
from keisan.control.facility import describe_upload
from keisan.control.site_lookup import open_lookup
from keisan.domain.access import Principal, Right
from keisan.domain.claim import Claim, ClaimedCapacity, merge_claim
from keisan.domain.event import EventDraft
from keisan.domain.facility import RecordOutcome
from keisan.domain.ids import ClaimId, KeyId, SiteId
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.claim import CLAIM_CSV, ClaimLine, ClaimWrite
from keisan.wire.csv_file import CsvFault, NumberedLine, raise_faults, read_csv
from keisan.wire.facility import UploadAnswer

CLAIMED = tuple(field.name for field in fields(ClaimedCapacity))


@dataclass(frozen=True, slots=True)
class _Claimer:
    """Who claims, and with what."""

    control: Control
    principal: Principal

    def build(self, site_id: SiteId, body: ClaimWrite) -> Claim:
        now = self.control.clock.now()
        return Claim(
            id=ClaimId(create_id()),
            platform_id=self.control.platform_id,
            site_id=site_id,
            chip=body.chip,
            claimed=ClaimedCapacity(**{name: getattr(body, name) for name in CLAIMED}),
            claimed_by=KeyId(self.principal.id),
            claimed_at=now,
            version=1,
            created_at=now,
        )

    async def store(
        self, transaction: Transaction, stored: Mapping[tuple[SiteId, str], Claim], claim: Claim
    ) -> tuple[Claim, RecordOutcome]:
        kept, outcome = merge_claim(stored.get((claim.site_id, claim.chip)), claim)
        if outcome is RecordOutcome.CREATED:
            await transaction.claims.insert(kept)
        elif outcome is RecordOutcome.CHANGED:
            await transaction.claims.update(kept)
        if outcome is not RecordOutcome.UNCHANGED:
            await transaction.events.append(
                EventDraft(name_actor(self.principal), "claim.made", kept.id, describe_claim(kept))
            )
        return kept, outcome


async def make_claim(control: Control, principal: Principal, site_id: SiteId, body: ClaimWrite) -> Claim:
    """Claim what a site has of a chip; what was claimed of it before is replaced.

    Raises PermissionDenied, NotFound when the site lies outside the asker's scope.
    """
    principal.require(Right.WRITE_SITES)
    claimer = _Claimer(control, principal)
    async with control.storage.write() as transaction:
        await transaction.sites.get(principal.scope, site_id)
        stored = await transaction.claims.list_chips(principal.scope, [(site_id, body.chip)])
        kept, _ = await claimer.store(transaction, stored, claimer.build(site_id, body))
    return kept


async def upload_claims(control: Control, principal: Principal, content: bytes) -> UploadAnswer:
    """Take a table of claims, all of it or nothing; claims that it does not name stay.

    Raises PermissionDenied, TableInvalid with every bad line.
    """
    principal.require(Right.WRITE_SITES)
    lines, faults = read_csv(content, CLAIM_CSV)
    claimer = _Claimer(control, principal)
    async with control.storage.write() as transaction:
        claims = await _check_lines(transaction, claimer, lines, faults)
        stored = await transaction.claims.list_chips(principal.scope, [(each.site_id, each.chip) for each in claims])
        outcomes = Counter([(await claimer.store(transaction, stored, claim))[1] for claim in claims])
        answer = UploadAnswer(
            created_count=outcomes[RecordOutcome.CREATED],
            changed_count=outcomes[RecordOutcome.CHANGED],
            unchanged_count=outcomes[RecordOutcome.UNCHANGED],
        )
        if answer.created_count + answer.changed_count:
            await transaction.events.append(
                EventDraft(name_actor(principal), "claim.uploaded", None, describe_upload(answer))
            )
    return answer


async def withdraw_claim(control: Control, principal: Principal, claim_id: ClaimId, expected_version: int) -> Claim:
    """Delete a claim: nothing is registered of its site and chip any more. Raises PermissionDenied, NotFound, VersionMismatch."""
    principal.require(Right.WRITE_SITES)
    async with control.storage.write() as transaction:
        claim = await transaction.claims.get(principal.scope, claim_id)
        check_version(claim.version, expected_version)
        await transaction.claims.delete(claim)
        await transaction.events.append(
            EventDraft(name_actor(principal), "claim.withdrawn", claim.id, describe_claim(claim))
        )
    return claim


def describe_claim(claim: Claim) -> dict[str, str]:
    """Return what the audit log says of a claim."""
    claimed = claim.claimed
    told = {
        "site_id": claim.site_id,
        "chip": claim.chip,
        "claim_version": claim.version,
        "device_count": claimed.device_count,
        "standard_racks": claimed.standard_racks,
        "memory_bytes": claimed.memory_bytes,
        "bandwidth_bytes_per_s": claimed.bandwidth_bytes_per_s,
        **{f"gflops_{precision}": amount for precision, amount in claimed.gflops.items()},
    }
    return {name: str(value) for name, value in told.items() if value is not None}


async def _check_lines(
    transaction: Transaction, claimer: _Claimer, lines: Sequence[NumberedLine[ClaimLine]], faults: Sequence[CsvFault]
) -> list[Claim]:
    """Return the claims of a table's lines; raises TableInvalid with all faults, those that came with the lines too."""
    lookup = await open_lookup(transaction, claimer.principal.scope)
    claims: dict[tuple[SiteId, str], Claim] = {}
    found = list(faults)
    for line in lines:
        site_id = lookup.find(line.number, line.body.site)
        if isinstance(site_id, CsvFault):
            found.append(site_id)
            continue
        if (site_id, line.body.chip) in claims:
            found.append(CsvFault(line.number, "chip", "expected one line for each site and chip"))
        claims[site_id, line.body.chip] = claimer.build(site_id, line.body)
    raise_faults(found)
    return list(claims.values())
