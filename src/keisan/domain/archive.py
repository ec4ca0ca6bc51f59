"""The archive: usage records for analysis, in files of whole journal entries, one day each; sums over them.

The cursor says which entries are in it, the list of its files where they are: what is in no listed file is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from keisan.domain.ids import EntryId, RecordId
from keisan.domain.price import TokenClass
from keisan.domain.usage import PostedRecord


@dataclass(frozen=True, slots=True)
class ArchiveCursor:
    """How far the archive reaches: all entries through `last_sequence`, the last of which was made at `reached_at`.

    Records of before the journal go first, in order of day and id; `before_day` and `before_id` are the last of them that
    is archived. The last run was at `archived_at`, and at `swept_at` leftovers were last looked for.
    """

    last_sequence: int = 0
    reached_at: datetime | None = None
    is_before_done: bool = False
    before_day: date | None = None
    before_id: RecordId | None = None
    archived_at: datetime | None = None
    swept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file: records of one day, of entries `first_sequence` to `last_sequence` (0: of before the journal).

    `name` is its path within the archive. A file that was merged into another was `replaced_at` some time, and is kept a
    while for those who are reading it. `sha256` is the digest of its bytes (hex) when they were compared with the stored
    records, None before that.
    """

    name: str
    day: date
    first_sequence: int
    last_sequence: int
    record_count: int
    size_bytes: int
    created_at: datetime
    replaced_at: datetime | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """What the archive must know of a journal entry that is not in it yet."""

    sequence: int
    id: EntryId
    record_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """A record with the sequence of its entry, None for one of before the journal."""

    sequence: int | None
    posted: PostedRecord


class AnalysisKey(StrEnum):
    """What records can be grouped by."""

    DAY = "day"
    HOUR = "hour"
    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    SITE = "site"
    CHIP = "chip"
    USAGE_SOURCE = "usage_source"
    OUTCOME = "outcome"
    SURFACE = "surface"


@dataclass(frozen=True, slots=True)
class AnalysisLine:
    """Records of one group and currency, summed. `group` tells the group's value of each key: an id, a word or an instant."""

    group: Mapping[AnalysisKey, str]
    currency: str
    call_count: int
    quantities: Mapping[TokenClass, int]
    amount_nano: int


class ExportFormat(StrEnum):
    """How exported records are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
