"""What every wire type is: frozen pydantic models. Input refuses unknown fields; views ignore them (version skew)."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from keisan.domain.limits import NAME_CHARACTERS_MAX

# The largest whole number that both databases store.
INTEGER_MAX = 2**63 - 1

Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=r"^[\w][\w .:/@+-]*$", strip_whitespace=True
    ),
]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
# What a machine passes on from elsewhere (host names, an engine's log) may hold anything; PostgreSQL stores no NUL.
ForeignText = Annotated[str, AfterValidator(lambda text: text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))]
# A secret on its way to the one who may have it; whatever prints the body does not print it.
SecretText = Annotated[str, Field(repr=False)]
Count = Annotated[int, Field(ge=0, le=INTEGER_MAX)]


def _refuse_inexact(value: object) -> object:
    if isinstance(value, float | bool):
        raise ValueError("expected a whole number as a decimal string")  # noqa: TRY004  # pydantic collects ValueErrors
    return value


# Amounts and prices cross JSON as decimal strings (R3): a double would lose units beyond 2^53.
NanoText = Annotated[int, Field(strict=False), BeforeValidator(_refuse_inexact), PlainSerializer(str, return_type=str)]


class WireInput(BaseModel):
    """A body that somebody sends; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WireChange(WireInput):
    """A body that changes what is stored: a field that is left out stays as it is, null takes away what may be none."""

    @model_serializer(mode="wrap")
    def _write_set_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in write(self).items() if name in self.model_fields_set}


class WireView(BaseModel):
    """A body that the platform answers; unknown fields are ignored, so that newer platforms can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
