"""The settings of history: where it is kept, for how long, and in how much room."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from keisan.daemon.settings_section import Section
from keisan.domain.history import HistoryTerms

Days = Annotated[int, Field(ge=1, le=36_500)]
# Below it, not even an hour of a small region has room.
DISK_BYTES_MIN = 64 * 1024**2


class HistorySettings(Section):
    """Files lie in `directory` (`history` in the data directory without one), or in the S3 bucket `s3_bucket`.

    The bucket may have a prefix after a slash; without `s3_url` it is Amazon's, without keys they are found as its tools find
    them. The journal is always on the local disk. Days' own roll-ups are kept for ever; `disk_bytes_max` is for all of it, and
    where that does not suffice the finest tier goes first, told by an event.
    """

    directory: Path | None = None
    s3_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w./-]+)?$")] | None = None
    s3_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] | None = None
    s3_region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    s3_access_key: str | None = None
    s3_secret_key: SecretStr | None = None
    sample_days: Days = 2
    minute_days: Days = 30
    hour_days: Days = 1826
    disk_bytes_max: Annotated[int, Field(ge=DISK_BYTES_MIN)] = 20 * 1024**3

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if self.directory is not None and self.s3_bucket is not None:
            raise ValueError("a directory or an s3_bucket, not both")
        if self.s3_bucket is None and (self.s3_url or self.s3_region or self.s3_access_key or self.s3_secret_key):
            raise ValueError("an s3_bucket beside other settings of S3")
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("s3_access_key and s3_secret_key together, or neither")
        if not self.sample_days <= self.minute_days <= self.hour_days:
            raise ValueError("sample_days <= minute_days <= hour_days")
        return self

    @property
    def terms(self) -> HistoryTerms:
        """Return how long and in how much room history is kept."""
        return HistoryTerms(self.sample_days, self.minute_days, self.hour_days, self.disk_bytes_max)
