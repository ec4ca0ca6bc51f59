"""The body of an OFFER register: a model that a platform serves for others, on one kind of chip in one region, and its price.

Read with msgspec, since every platform of the tree reads those of all. Fields, facts and words that are not known are passed over.
"""

import msgspec

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.letter import Letter
from keisan.domain.limits import LETTER_NAME_CHARACTERS_MAX
from keisan.domain.verdict import Verdict
from keisan.wire.base import INTEGER_MAX

DIGEST_SHOWN = 12
PRICE_DIGITS_MAX = 19


class OfferedFactBody(msgspec.Struct, frozen=True, gc=False):
    """Values of one fact of the chip, and the grade of their evidence."""

    values: tuple[str, ...]
    grade: str


class PlatformOfferBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`price_id` and `price_version` are the platform's own version of the wholesale price; nano-units are decimal strings.

    `slots` are those of replicas with the offer's verdict.
    """

    model: str
    model_digest: str
    region: str
    chip: str
    facts: dict[str, OfferedFactBody] = {}
    verdict: str
    slots: int
    price_id: str
    price_version: int
    currency: str
    nano_per_million: dict[str, str]
    attested_at_ms: int | None = None

    @property
    def known_verdict(self) -> Verdict:
        """Return the verdict; a word of a newer release is unknown."""
        return Verdict(self.verdict) if self.verdict in set(Verdict) else Verdict.UNKNOWN


_encode = msgspec.json.Encoder(order="sorted").encode
_read = msgspec.json.Decoder(PlatformOfferBody).decode


def name_offer(model: str, model_digest: str, region: str, chip: str) -> str:
    """Return the name of an offer's register: the same for the same model, weights, region and chip."""
    return f"{region}/{chip}/{model_digest[-DIGEST_SHOWN:]}/{model}"[:LETTER_NAME_CHARACTERS_MAX]


def encode_offer(body: PlatformOfferBody) -> bytes:
    """Return an offer as it is signed: the same offer is always the same bytes."""
    return _encode(body)


def read_offer(letter: Letter) -> PlatformOfferBody:
    """Return what a platform offers; raises InvalidInput for what is no offer, or beyond what is stored."""
    try:
        body = _read(letter.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not the body of an offer", "letter.body", str(fault)) from fault
    numbers = (body.slots, body.price_version, body.attested_at_ms or 0)
    if not body.model or any(not 0 <= number <= INTEGER_MAX for number in numbers):
        raise InvalidInput("an offer names a model, and its counts can be stored", "letter.body")
    is_priced = body.nano_per_million and all(map(_is_price, body.nano_per_million.values()))
    if not is_priced or not _is_currency(body.currency):
        raise InvalidInput("an offer has prices in nano-units of one currency", "letter.body")
    return body


def list_known_facts(body: PlatformOfferBody) -> dict[str, tuple[tuple[str, ...], Grade]]:
    """Return the facts of the chip whose evidence has a grade that is known here: another one proves nothing."""
    known = {name: fact for name, fact in sorted(body.facts.items()) if fact.grade in set(Grade)}
    return {name: (fact.values, Grade(fact.grade)) for name, fact in known.items()}


def _is_currency(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()


def _is_price(text: str) -> bool:
    is_number = text.isascii() and text.isdecimal() and len(text) <= PRICE_DIGITS_MAX
    return is_number and int(text) <= INTEGER_MAX
