"""Analyses and exports of archived usage on the wire."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from keisan.domain.archive import AnalysisKey, ExportFormat
from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass
from keisan.wire.base import NanoText, WireInput, WireView

BY_CHARACTERS_MAX = 200
# Headers of an export, which has no room for them elsewhere: the members of an ArchiveReach.
SEQUENCE_HEADER = "keisan-archive-sequence"
REACHED_HEADER = "keisan-archive-reached-at"
CURRENT_HEADER = "keisan-archive-current"


class DaysQuery(WireInput):
    """Days `since` to `until`, both included: the last 30 days unless they are given."""

    since: date | None = None
    until: date | None = None


class AnalysisQuery(DaysQuery):
    """What to sum by: names of AnalysisKey with commas between them, for example `model,day`."""

    by: Annotated[str, Field(max_length=BY_CHARACTERS_MAX)] = AnalysisKey.MODEL


class ExportQuery(DaysQuery):
    """Which records to export, and as what."""

    format: ExportFormat = ExportFormat.JSONL


class ArchiveReach(WireView):
    """How far the archive reaches: all of the journal through entry `sequence`, which was made at `reached_at`.

    `is_current` says that no record is posted that is not in it; if not, the last minutes are not in the answer, and `age_s`
    is how many seconds ago its newest entry was made.
    """

    sequence: int
    reached_at: datetime | None
    is_current: bool
    age_s: int


class AnalysisLineView(WireView):
    """A sum over records of one group and currency; `group` has an id, a word, a day or an hour for each key."""

    group: dict[AnalysisKey, str]
    currency: str
    call_count: int
    quantities: dict[TokenClass, int]
    amount_nano: NanoText


class UsageAnalysis(WireView):
    """Sums within a scope; `names` has a name for each id of the groups that the asker may see the name of."""

    since: date
    until: date
    by: tuple[AnalysisKey, ...]
    reach: ArchiveReach
    names: dict[str, str]
    lines: tuple[AnalysisLineView, ...]


def parse_keys(text: str) -> Sequence[AnalysisKey]:
    """Return the keys that a query names, each once; raises InvalidInput."""
    words = text.split(",")
    known = ", ".join(AnalysisKey)
    if len(set(words)) < len(words):
        raise InvalidInput("expected each key once", "by")
    try:
        return [AnalysisKey(word) for word in words]
    except ValueError as fault:
        raise InvalidInput(f"expected names out of {known}, with commas between them", "by") from fault
