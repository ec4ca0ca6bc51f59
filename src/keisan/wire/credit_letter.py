"""Bodies of the letters of credit: ADMISSION, CREDIT (home's lease, and the serving platform's word), and CREDIT_RETURN.

JSON, read with msgspec. Fields, classes and rights that are not known are passed over: the letter keeps them.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar
from uuid import UUID

import msgspec

from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, OrganizationId, PlatformId, PriceId
from keisan.domain.limits import ADMISSION_KEYS_MAX, PINNED_PRICES_MAX
from keisan.domain.platform_ticket import PinnedPrice
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.wire.base import AMOUNT_NANO_MAX, INTEGER_MAX, TOLD_INSTANT_MS_MAX

Body = TypeVar("Body", bound=msgspec.Struct)


class PinnedPriceBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A version of the serving platform's prices of one model: nano-units as decimal strings."""

    model_id: UUID
    model: str
    price_id: UUID
    nano_per_million: dict[str, str]


class LeaseBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """CREDIT, by home: a platform ticket. It is leased for `lease_s` from `answers_at_ms`, by the serving platform's own clock.

    `number` rises with each lease, the ceiling only grows. `epoch` is that of the word that it answers.
    """

    ticket_id: UUID
    organization_id: UUID
    currency: str
    policy: str = ""
    prices: tuple[PinnedPriceBody, ...]
    ceiling_nano: str
    lease_s: int
    number: int
    answers_at_ms: int
    epoch: int = 0
    is_asked_back: bool = False


class WordBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """CREDIT, by the serving platform: what it has of a ticket and lacks, at what prices it serves, and when it said so.

    `ticket_id` is None while it has no ticket.
    """

    organization_id: UUID
    currency: str
    ticket_id: UUID | None = None
    number: int = 0
    spent_nano: str = "0"
    wanted_nano: str = "0"
    sent_at_ms: int
    epoch: int = 0
    prices: tuple[PinnedPriceBody, ...] = ()


class ReturnBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """CREDIT_RETURN, by the serving platform: nothing is spent of a ticket any more; this came back, and that was spent."""

    ticket_id: UUID
    organization_id: UUID
    currency: str
    returned_nano: str
    spent_nano: str


class LimitsBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Bounds on the calls of one layer."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    calls_open_max: int | None = None
    body_bytes_max: int | None = None


class AdmittedProjectBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A project of an admitted organization."""

    id: UUID
    name: str
    policy: str = ""
    limits: LimitsBody = LimitsBody()


class AdmittedKeyBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A key of an admitted organization: its digest (64 hex digits), never the key."""

    id: UUID
    project_id: UUID
    name: str
    digest: str
    models: tuple[str, ...] | None = None
    policy: str = ""
    limits: LimitsBody = LimitsBody()


class AdmissionBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """ADMISSION, by home: an organization that may call here, within a narrowed policy, and all its keys that may."""

    organization_id: UUID
    name: str
    currency: str
    time_zone: str
    policy: str = ""
    limits: LimitsBody = LimitsBody()
    projects: tuple[AdmittedProjectBody, ...] = ()
    keys: tuple[AdmittedKeyBody, ...] = ()


class _OwnerBody(msgspec.Struct, frozen=True, gc=False):
    organization_id: UUID


_encode = msgspec.json.Encoder().encode


def write_body(body: msgspec.Struct) -> bytes:
    """Return a body as it is signed."""
    return _encode(body)


def read_lease(body: bytes) -> LeaseBody:
    """Return home's lease; raises InvalidInput for what is none, or beyond what is stored."""
    lease = _read(body, LeaseBody)
    for number in (lease.number, lease.epoch):
        _check_count(number)
    _check_instant(lease.answers_at_ms)
    _check_instant(lease.lease_s * 1000)
    _check_currency(lease.currency)
    read_nano(lease.ceiling_nano)
    return lease


def read_owner(body: bytes) -> OrganizationId:
    """Return whose credit a body is about; raises InvalidInput if it does not say."""
    return OrganizationId(_read(body, _OwnerBody).organization_id)


def read_word(body: bytes) -> WordBody:
    """Return the serving platform's word; raises InvalidInput for what is none, or beyond what is stored."""
    word = _read(body, WordBody)
    for number in (word.number, word.epoch):
        _check_count(number)
    _check_instant(word.sent_at_ms)
    _check_currency(word.currency)
    for text in (word.spent_nano, word.wanted_nano):
        read_nano(text)
    return word


def read_return(body: bytes) -> ReturnBody:
    """Return what came back; raises InvalidInput for what is none."""
    returned = _read(body, ReturnBody)
    for text in (returned.returned_nano, returned.spent_nano):
        read_nano(text)
    return returned


def read_admission(body: bytes) -> AdmissionBody:
    """Return an admission; raises InvalidInput for what is none, for keys beyond the limit, or one without a project."""
    admission = _read(body, AdmissionBody)
    _check_currency(admission.currency)
    if len(admission.keys) > ADMISSION_KEYS_MAX:
        raise InvalidInput(f"an admission has at most {ADMISSION_KEYS_MAX} keys", "keys")
    projects = {each.id for each in admission.projects}
    for place, key in enumerate(admission.keys):
        if key.project_id not in projects or not _is_digest(key.digest):
            raise InvalidInput(
                "a key names a project of its admission, and has a digest of 64 hex digits", f"keys[{place}]"
            )
    return admission


def name_credit(organization_id: OrganizationId, currency: str, other_id: PlatformId) -> str:
    """Return the name of a credit register: of whom, in what, and for which platform, as one author may write to several."""
    return f"{organization_id}/{currency}/{other_id}"


def name_admission(organization_id: OrganizationId, audience: PlatformId) -> str:
    """Return the name of an admission's register."""
    return f"{organization_id}/{audience}"


def read_admitted(name: str) -> OrganizationId:
    """Return whose admission a register's name means; raises InvalidInput if it means none."""
    try:
        return OrganizationId(UUID(name.partition("/")[0]))
    except ValueError as fault:
        raise InvalidInput("an admission is named by its organization and platform", "name") from fault


def read_nano(text: str) -> int:
    """Return an amount from a decimal string; raises InvalidInput below 0 or beyond what anybody has."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(AMOUNT_NANO_MAX)):
        raise InvalidInput("an amount is a decimal string of nano-units, at least 0", "amount")
    return int(text)


def write_prices(prices: Iterable[PinnedPrice]) -> tuple[PinnedPriceBody, ...]:
    """Return pinned prices as they are told, without home's own."""
    return tuple(
        PinnedPriceBody(
            model_id=each.model_id,
            model=each.model,
            price_id=each.price_id,
            nano_per_million={str(name): str(nano) for name, nano in sorted(each.nano_per_million.items())},
        )
        for each in prices
    )


def read_prices(bodies: Iterable[PinnedPriceBody]) -> tuple[PinnedPrice, ...]:
    """Return pinned prices; classes that are not known are left out. Raises InvalidInput for too many, or one beyond bounds."""
    found = tuple(
        PinnedPrice(
            model_id=ModelId(each.model_id),
            model=each.model,
            price_id=PriceId(each.price_id),
            nano_per_million=_read_classes(each.nano_per_million),
        )
        for each in bodies
    )
    if len(found) > PINNED_PRICES_MAX:
        raise InvalidInput(f"a ticket pins at most {PINNED_PRICES_MAX} prices", "prices")
    return found


def write_limits(limits: CallLimits) -> LimitsBody:
    """Return bounds as they are told."""
    return LimitsBody(**{name: getattr(limits, name) for name in CallLimits.__slots__})


def read_limits(body: LimitsBody) -> CallLimits:
    """Return bounds as they were told; raises InvalidInput for one below 1."""
    limits = CallLimits(**{name: getattr(body, name) for name in CallLimits.__slots__})
    for name in CallLimits.__slots__:
        bound = getattr(limits, name)
        if bound is not None and not 1 <= bound <= INTEGER_MAX:
            raise InvalidInput("a bound is at least 1", f"limits.{name}")
    return limits


def _read_classes(told: Mapping[str, str]) -> dict[TokenClass, int]:
    known = {name: text for name, text in told.items() if name in set(TokenClass)}
    prices = {TokenClass(name): read_nano(text) for name, text in known.items()}
    if any(nano > PRICE_NANO_MAX for nano in prices.values()):
        raise InvalidInput(f"a price is at most {PRICE_NANO_MAX}", "prices")
    return prices


def _read(body: bytes, of: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=of)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not the body of such a letter", "body", str(fault)) from fault


def _check_count(number: int) -> None:
    if not 0 <= number <= INTEGER_MAX:
        raise InvalidInput("a count is at least 0, and one that can be stored", "body")


def _check_instant(milliseconds: int) -> None:
    if not 0 <= milliseconds <= TOLD_INSTANT_MS_MAX:
        raise InvalidInput("an instant is before the year 3000, and a lease ends by then", "body")


def _check_currency(currency: str) -> None:
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise InvalidInput("a currency has three letters", "currency")


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
