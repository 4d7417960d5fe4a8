"""Which bucket a key falls into: the same, to the bit, as in flagd.

The MurmurHash3 (x86, 32 bits, seed 0) of the CBOR (RFC 8949) of `[flag's key, targeting key]`, stretched over the
weights by an integer multiplication, as flagd's specification of `fractional` has it
(https://flagd.dev/reference/specifications/custom-operations/fractional-operation-spec). So a customer stays where they
are, moves in one direction when a weight grows, and is somewhere else in every other flag.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from mmh3 import hash as murmur3

from platform_kit.flags.operation import Context, Rule

# The greatest sum of weights that flagd takes: of an int32.
MOST_WEIGHT = 2**31 - 1

# Keys are hardly ever longer than this many bytes: for those the beginning of what is hashed is in a table.
USUAL_BYTES = 255

_UNSIGNED, _NEGATIVE, _TEXT, _ARRAY = 0, 1, 3, 4

# Of the targeting key and the context, an unsigned number of 32 bits; None where there is nothing to hash.
Hash = Callable[[str, Context], int | None]


def hash_in(flag: str) -> Hash:
    """Return the hash of targeting keys in a flag. An empty one has none, and one that is no Unicode."""
    beginning = _head(_ARRAY, 2) + _cbor(flag)
    beginnings = [beginning + _head(_TEXT, size) for size in range(USUAL_BYTES + 1)]

    def hashed(key: str, _context: Context) -> int | None:
        if not key:
            return None
        try:
            data = key.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry
            return None
        size = len(data)
        head = beginnings[size] if size <= USUAL_BYTES else beginning + _head(_TEXT, size)
        return murmur3(head + data, 0, False)  # noqa: FBT003 - unsigned; by position it is 60 ns faster

    return hashed


def hash_of(rule: Rule) -> Hash:
    """Return the hash of what a rule results in: a text, a number, or a truth. Anything else has none."""
    return lambda key, context: _hashed(rule(key, context))


def _hashed(value: object) -> int | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        return murmur3(_cbor(value), 0, False)  # noqa: FBT003 - unsigned
    except (UnicodeEncodeError, OverflowError):  # no Unicode, or no 64 bits
        return None


def _cbor(value: str | float) -> bytes:
    """Return the CBOR of a value in as few bytes as hold it (RFC 8949, 4.2.1)."""
    if isinstance(value, str):
        data = value.encode()
        return _head(_TEXT, len(data)) + data
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, float):
        if not value.is_integer() or not -(2**63) <= value <= 2**64 - 1:
            return _float(value)
        value = int(value)  # as flagd: in JSON 1.0 and 1 are one number
    return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)


def _head(major: int, number: int) -> bytes:
    """Return the first bytes of an item: its major type, and its value or length."""
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise OverflowError(f"{number} has more than 64 bits")


def _float(value: float) -> bytes:
    for first, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data) == (value,):
            return first + data
    return b"\xfb" + struct.pack(">d", value)
