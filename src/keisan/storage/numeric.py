"""PostgreSQL's binary NUMERIC to and from a whole number: what every amount crosses the connection as.

The driver's own way leads through a Decimal and its text, a microsecond for each of the three amounts of a usage record.
Source: numeric_send and numeric_recv in numeric.c: four numbers of 16 bits (how many digits, the weight of the first, sign,
digits after the point), then the digits, of base 10,000, highest first.
"""

import struct

BASE = 10_000
_NEGATIVE = 0x4000
_HEAD = struct.Struct("!hhHh")
_ZERO = _HEAD.pack(0, 0, 0, 0)
# Nearly all amounts of a call have one or two digits.
_ONE, _TWO = struct.Struct("!hhHhh"), struct.Struct("!hhHhhh")


def encode_numeric(value: int) -> bytes:
    """Return a whole number as the server reads it."""
    if 0 < value < BASE:
        return _ONE.pack(1, 0, 0, 0, value)
    if 0 < value < BASE * BASE:
        return _TWO.pack(2, 1, 0, 0, value // BASE, value % BASE)
    if value == 0:
        return _ZERO
    digits: list[int] = []
    rest = abs(value)
    while rest:
        rest, digit = divmod(rest, BASE)
        digits.append(digit)
    count = len(digits)
    return struct.pack(f"!hhHh{count}h", count, count - 1, _NEGATIVE if value < 0 else 0, 0, *reversed(digits))


def decode_numeric(sent: bytes) -> int:
    """Return the whole number that the server wrote; raises ValueError for what is none (a fraction, NaN, an infinity)."""
    count, weight, sign, scale = _HEAD.unpack_from(sent)
    if sign not in (0, _NEGATIVE) or scale or count > weight + 1:
        raise ValueError("expected a whole number")
    value, digits = 0, struct.unpack_from(f"!{count}h", sent, _HEAD.size)
    for digit in digits:
        value = value * BASE + digit
    # Zeros at the end are not sent.
    whole: int = value * BASE ** (weight + 1 - count)
    return -whole if sign else whole
