"""Cursors: where a page of a product's prices ends, as a text that clients hand back and do not read.

A cursor names the price that was shown last. Newer ones come before all pages, so none is repeated or skipped while prices
change.

Problem
    CursorInvalid   no page of this product's prices has said that
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

from platform_kit import Problem
from product.prices import PriceNumber
from product.products import ProductId

# 8 bytes of the price's number and 7 that follow from them and the product: 20 characters, and no padding. So what is cut
# off, mistyped or some other product's is told from a cursor. It is no secret: whoever makes one up learns nothing by it.
_CURSOR = re.compile(r"[A-Za-z0-9_-]{20}")
_NUMBER_BYTES = 8
_CHECK_BYTES = 7


class CursorInvalid(Problem):
    """The cursor is none of this product's prices."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "cursor_invalid",
            "This cursor is none that a page of this product's prices has said; begin without one.",
        )


def cursor_after(number: PriceNumber, *, of: ProductId) -> str:
    """Return the cursor of the page that begins after a price of the product."""
    named = number.to_bytes(_NUMBER_BYTES)
    return urlsafe_b64encode(named + _check(named, of)).decode("ascii")


def number_before(cursor: str, *, of: ProductId) -> PriceNumber:
    """Return the price after which a cursor's page begins; raise `CursorInvalid`."""
    if not _CURSOR.fullmatch(cursor):
        raise CursorInvalid
    raw = urlsafe_b64decode(cursor)
    named, check = raw[:_NUMBER_BYTES], raw[_NUMBER_BYTES:]
    if check != _check(named, of):
        raise CursorInvalid
    return PriceNumber(int.from_bytes(named))


def _check(named: bytes, of: ProductId) -> bytes:
    told = named + str(of).encode("ascii")
    return blake2b(told, digest_size=_CHECK_BYTES, person=b"price page").digest()
