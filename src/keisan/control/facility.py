"""Commands on records of facilities: record one, take a table of many. What was measured later stands for its day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date

from keisan.control.context import Control, name_actor
from keisan.control.site_lookup import open_lookup
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.facility import Facility, FacilityFigures, RecordOutcome, check_figures, merge_facility
from keisan.domain.ids import FacilityId, KeyId, SiteId
from keisan.domain.limits import USAGE_EARLY_S_MAX
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.csv_file import CsvFault, NumberedLine, raise_faults, read_csv
from keisan.wire.facility import FACILITY_CSV, PORT_COLUMNS, FacilityLine, FacilityWrite, UploadAnswer

FIGURES = tuple(field.name for field in fields(FacilityFigures))
COLUMN_BY_PATH = {".".join(column.path): column.name for column in PORT_COLUMNS}


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Who records, and with what."""

    control: Control
    principal: Principal

    def build(self, site_id: SiteId, body: FacilityWrite) -> Facility:
        """Return a record that is not stored yet; raises InvalidInput as check_figures does, and for an instant to come."""
        now = self.control.clock.now()
        measured_at = body.measured_at.astimezone(UTC)
        if (measured_at - now).total_seconds() > USAGE_EARLY_S_MAX:
            raise InvalidInput("expected an instant that is not to come", "measured_at")
        figures = FacilityFigures(**{name: getattr(body, name) for name in FIGURES})
        check_figures(figures)
        return Facility(
            id=FacilityId(create_id()),
            platform_id=self.control.platform_id,
            site_id=site_id,
            day=measured_at.date(),
            measured_at=measured_at,
            figures=figures,
            recorded_by=KeyId(self.principal.id),
            recorded_at=now,
            version=1,
            created_at=now,
        )


async def record_facility(control: Control, principal: Principal, site_id: SiteId, body: FacilityWrite) -> Facility:
    """Record what was measured at a site, and return the record that stands for its day.

    Raises PermissionDenied, NotFound when the site lies outside the asker's scope, InvalidInput as check_figures does.
    """
    principal.require(Right.WRITE_SITES)
    record = _Recorder(control, principal).build(site_id, body)
    async with control.storage.write() as transaction:
        await transaction.sites.get(principal.scope, site_id)
        stored = await transaction.facilities.list_days(principal.scope, [(site_id, record.day)])
        kept, outcome = await _store(transaction, stored, record)
        if outcome in (RecordOutcome.CREATED, RecordOutcome.CHANGED):
            detail = {"site_id": str(site_id), "day": str(kept.day), "record_version": str(kept.version)}
            await transaction.events.append(EventDraft(name_actor(principal), "facility.recorded", kept.id, detail))
    return kept


async def upload_facilities(control: Control, principal: Principal, content: bytes) -> UploadAnswer:
    """Take a table of records, all of it or nothing; the same table once more changes nothing.

    Raises PermissionDenied, TableInvalid with every bad line.
    """
    principal.require(Right.WRITE_SITES)
    lines, faults = read_csv(content, FACILITY_CSV)
    async with control.storage.write() as transaction:
        records = await _check_lines(transaction, _Recorder(control, principal), lines, faults)
        days = [(record.site_id, record.day) for record in records]
        stored = dict(await transaction.facilities.list_days(principal.scope, days))
        outcomes = Counter([(await _store(transaction, stored, record))[1] for record in records])
        answer = UploadAnswer(
            created_count=outcomes[RecordOutcome.CREATED],
            changed_count=outcomes[RecordOutcome.CHANGED],
            unchanged_count=outcomes[RecordOutcome.UNCHANGED],
            older_count=outcomes[RecordOutcome.OLDER],
        )
        if answer.created_count + answer.changed_count:
            await transaction.events.append(
                EventDraft(name_actor(principal), "facility.uploaded", None, describe_upload(answer))
            )
    return answer


def describe_upload(answer: UploadAnswer) -> dict[str, str]:
    """Return what the audit log says of a table that was taken."""
    return {name: str(count) for name, count in answer.model_dump().items()}


async def _store(
    transaction: Transaction, stored: Mapping[tuple[SiteId, date], Facility], record: Facility
) -> tuple[Facility, RecordOutcome]:
    kept, outcome = merge_facility(stored.get((record.site_id, record.day)), record)
    if outcome is RecordOutcome.CREATED:
        await transaction.facilities.insert(kept)
    elif outcome is RecordOutcome.CHANGED:
        await transaction.facilities.update(kept)
    return kept, outcome


async def _check_lines(
    transaction: Transaction,
    recorder: _Recorder,
    lines: Sequence[NumberedLine[FacilityLine]],
    faults: Sequence[CsvFault],
) -> list[Facility]:
    """Return the records of a table's lines; raises TableInvalid with all faults, those that came with the lines too."""
    lookup = await open_lookup(transaction, recorder.principal.scope)
    records: dict[tuple[SiteId, date], Facility] = {}
    found = list(faults)
    for line in lines:
        site_id = lookup.find(line.number, line.body.site)
        if isinstance(site_id, CsvFault):
            found.append(site_id)
            continue
        try:
            record = recorder.build(site_id, line.body)
        except InvalidInput as fault:
            column = COLUMN_BY_PATH.get(fault.field, fault.field)
            found.append(CsvFault(line.number, column, fault.outside))
            continue
        if (site_id, record.day) in records:
            found.append(CsvFault(line.number, "measured_at", f"expected one line for each site and day, {record.day}"))
        records[site_id, record.day] = record
    raise_faults(found)
    return list(records.values())
