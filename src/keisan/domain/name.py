"""Names in the tree of platforms: a prefix issued from the top down, a type, a local suffix and check digits.

`cn.sx:site:taiyuan-1:93` is a site, so called by the platform with the prefix `cn.sx`, which the one with `cn` issued. A name is
for people and never a key: what it stands for is said by signed records, and may change. One function writes it, one reads it.
"""

import re
import string
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import PLATFORM_NAME_CHARACTERS_MAX, PREFIX_CHARACTERS_MAX, PREFIX_LABELS_MAX

# The two-digit value of a character starts at 10, as in an IBAN; each is of its own, so a changed character changes the sum.
_VALUES = {character: value for value, character in enumerate(string.digits + string.ascii_lowercase + "-.:", start=10)}
_MODULUS = 97
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?")
_SUFFIX = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_CHECK = re.compile(r"[0-9]{2}")


class NameType(StrEnum):
    """What a name is a name of."""

    PLATFORM = "platform"
    PROVIDER = "provider"
    SITE = "site"
    SUPERNODE = "supernode"
    DEPLOYMENT = "deployment"
    ORGANIZATION = "organization"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class PlatformName:
    """A name taken apart. A platform's own name has the suffix `self`."""

    prefix: str
    type: NameType
    suffix: str


SELF = "self"


def encode_name(name: PlatformName) -> str:
    """Return a name as text, with its check digits; raises InvalidInput for a part that is none."""
    check_prefix(name.prefix)
    if not _SUFFIX.fullmatch(name.suffix):
        raise InvalidInput(
            "a suffix has letters a to z, digits, dots and hyphens, and begins and ends with neither", "name"
        )
    unchecked = f"{name.prefix}:{name.type}:{name.suffix}:"
    text = f"{unchecked}{_compute_check(unchecked):02}"
    if len(text) > PLATFORM_NAME_CHARACTERS_MAX:
        raise InvalidInput(f"a name has at most {PLATFORM_NAME_CHARACTERS_MAX} characters", "name")
    return text


def parse_name(text: str) -> PlatformName:
    """Return a name taken apart, in any case of letters; raises InvalidInput for what is none, or has other check digits."""
    parts = text.strip().lower().split(":")
    if len(parts) != 4 or parts[1] not in list(NameType) or not _CHECK.fullmatch(parts[3]):
        raise InvalidInput("a name is PREFIX:TYPE:SUFFIX:CHECK, for example cn.sx:site:taiyuan-1:93", "name")
    name = PlatformName(parts[0], NameType(parts[1]), parts[2])
    if encode_name(name) != ":".join(parts):
        raise InvalidInput("the check digits of this name are wrong: it was written down or typed wrongly", "name")
    return name


def check_prefix(prefix: str) -> None:
    """Raise InvalidInput unless a text is a prefix: labels joined by dots, the topmost first."""
    labels = prefix.split(".")
    is_good = all(_LABEL.fullmatch(label) for label in labels)
    if not is_good or len(labels) > PREFIX_LABELS_MAX or len(prefix) > PREFIX_CHARACTERS_MAX:
        raise InvalidInput(
            "a prefix is labels of a to z, 0 to 9 and hyphens, joined by dots, for example cn.sx", "prefix"
        )


def issue_prefix(own: str, label: str) -> str:
    """Return the prefix that a platform issues to a child: its own, if it has one, and one label more.

    Raises InvalidInput for what is no label.
    """
    if "." in label:
        raise InvalidInput("a child is given one label, which follows its parent's prefix", "prefix")
    prefix = f"{own}.{label}" if own else label
    check_prefix(prefix)
    return prefix


def is_prefix_below(prefix: str, above: str) -> bool:
    """Tell whether a platform with the prefix `above` may issue this one; without a prefix it issues those of one label."""
    head, _, label = prefix.rpartition(".")
    return head == above and bool(label)


def _compute_check(unchecked: str) -> int:
    """Return check digits after ISO 7064 MOD 97-10, as for an IBAN.

    A character counts v x 100^k, and 100 has an inverse modulo 97: any one changed character, and any two neighbours that
    changed places, give other digits.
    """
    rest = 0
    for character in unchecked:
        rest = (rest * 100 + _VALUES[character]) % _MODULUS
    return 98 - rest * 100 % _MODULUS
