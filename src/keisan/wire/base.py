"""What every wire type is: frozen pydantic models. Input refuses unknown fields; views ignore them (version skew)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    ValidationError,
    model_serializer,
)

from keisan.domain.budget import check_time_zone
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import NAME_CHARACTERS_MAX

# The largest whole number that both databases store.
INTEGER_MAX = 2**63 - 1
# The year 3000: what is reckoned from an instant that somebody else told is still a date.
TOLD_INSTANT_MS_MAX = 32_503_680_000_000


def _check_time_zone(name: str) -> str:
    try:
        return check_time_zone(name)
    except InvalidInput as fault:
        raise ValueError(fault.outside) from fault


def replace_nul(text: str) -> str:
    """Return a text that PostgreSQL can store."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=r"^[\w][\w .:/@+-]*$", strip_whitespace=True
    ),
]
# One that this release's copy of the IANA database knows.
TimeZoneName = Annotated[str, StringConstraints(max_length=NAME_CHARACTERS_MAX), AfterValidator(_check_time_zone)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
# What a machine passes on from elsewhere (host names, an engine's log) may hold anything; PostgreSQL stores no NUL.
ForeignText = Annotated[str, AfterValidator(replace_nul)]
# A secret on its way to the one who may have it; whatever prints the body does not print it.
SecretText = Annotated[str, Field(repr=False)]
Count = Annotated[int, Field(ge=0, le=INTEGER_MAX)]


def _refuse_inexact(value: object) -> object:
    if isinstance(value, float | bool):
        raise ValueError("expected a whole number as a decimal string")  # noqa: TRY004  # pydantic collects ValueErrors
    return value


# Amounts and prices cross JSON as decimal strings (R3): a double would lose units beyond 2^53.
NanoText = Annotated[int, Field(strict=False), BeforeValidator(_refuse_inexact), PlainSerializer(str, return_type=str)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CURRENCIES_MAX = 32
# More than anybody has, and far from the end of what can be stored.
AMOUNT_NANO_MAX = 10**27
BoundedNanoText = Annotated[NanoText, Field(ge=-AMOUNT_NANO_MAX, le=AMOUNT_NANO_MAX)]
# By currency; null takes one away, and what is not named stays.
AmountsChange = Annotated[dict[Currency, BoundedNanoText | None], Field(max_length=CURRENCIES_MAX)]
Amounts = dict[str, NanoText]


def change_amounts(stored: Mapping[str, int], change: Mapping[str, int | None]) -> dict[str, int]:
    """Return amounts by currency after a change."""
    merged = {**stored, **change}
    return {currency: amount_nano for currency, amount_nano in sorted(merged.items()) if amount_nano is not None}


# What pydantic puts before the thing that it expected.
_CUTS = ("Value error, ", "Input should be ", "String should match ", "String should have ", "Tuple should have ")


@contextmanager
def explain_refusal() -> Iterator[None]:
    """Raise InvalidInput for a body that the block could not build; its field is the path of the first wrong value."""
    try:
        yield
    except ValidationError as refusal:
        faults = refusal.errors(include_url=False, include_input=False)
        paths = [".".join(str(part) for part in fault["loc"]) for fault in faults]
        texts = [describe_expectation(fault["msg"]) for fault in faults]
        others = [f"{path}: {text}" for path, text in zip(paths[1:], texts[1:], strict=True)]
        # Not from the refusal, whose text quotes what may be a secret.
        raise InvalidInput("; ".join([texts[0], *others]), paths[0]) from None


def describe_expectation(message: str) -> str:
    """Return what pydantic says of a wrong value as what was expected."""
    for cut in _CUTS:
        message = message.removeprefix(cut)
    return message if message.startswith("expected") else f"expected {message}"


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
