"""What every table of the settings file is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the settings file; an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")
